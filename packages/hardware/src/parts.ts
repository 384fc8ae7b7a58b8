import type { AccessMonitor, CpuId, ObjectRegistry, PageIndex } from '@epckit/interface';
import { Accesses } from './accesses.js';
import { Epcm } from './epcm.js';
import { Faults } from './faults.js';
import type { SgxFeatures } from './features.js';
import { HeldLocks } from './held-locks.js';
import type { PageContents } from './page-contents.js';
import { Platform } from './platform.js';
import { SavedImages } from './saved-images.js';
import { SecsTable } from './secs-table.js';
import { Tlbs } from './tlbs.js';
import { Tracking } from './tracking.js';
import { VersionArrays } from './version-arrays.js';
import { VersionCounter } from './version-counter.js';

/** EPC page that a linear page of the address space on `cpu` maps to, or a negative number. */
export type PageWalk = (cpu: CpuId, linearPage: number) => PageIndex;

/** Everything that a leaf works on. */
export interface Parts {
  readonly features: SgxFeatures;
  readonly platform: Platform;
  readonly epcm: Epcm;
  readonly secsTable: SecsTable;
  readonly versions: VersionArrays;
  readonly versionCounter: VersionCounter;
  readonly images: SavedImages;
  readonly tracking: Tracking;
  readonly contents: PageContents;
  readonly faults: Faults;
  readonly locks: HeldLocks;
  /** Translations of each logical processor; null where nobody checks them. */
  readonly tlbs: Tlbs | null;
  readonly accesses: Accesses;
  /** Are TCS.STATE and CSSA kept and judged? */
  readonly tcsState: boolean;
  /** Finds save state areas; null: entries do not look at them. */
  readonly walk: PageWalk | null;
}

/** What {@link createParts} needs to know. */
export interface PartsOptions {
  readonly pageCount: number;
  readonly cpuCount: number;
  readonly tcsState: boolean;
  readonly features: SgxFeatures;
  readonly contents: PageContents;
  readonly keepsTlbs: boolean;
  readonly walk: PageWalk | null;
}

/** What {@link createParts} needs of its surroundings. */
export interface PartsComponents {
  readonly objects: ObjectRegistry;
  readonly monitor: AccessMonitor | null;
  readonly beforeTracking?: ((secs: PageIndex) => void) | null | undefined;
}

/** Makes the state of a processor whose EPC is empty. */
export function createParts(
  options: PartsOptions,
  { objects, monitor, beforeTracking = null }: PartsComponents,
): Parts {
  const { pageCount, cpuCount, tcsState, features, contents, keepsTlbs, walk } = options;
  const secsTable = new SecsTable();
  const versions = new VersionArrays();
  return {
    features,
    platform: new Platform(cpuCount, features.xfrmMask),
    epcm: new Epcm(pageCount, features.cet),
    secsTable,
    versions,
    versionCounter: new VersionCounter(),
    images: new SavedImages(secsTable, versions),
    tracking: new Tracking(cpuCount),
    contents,
    faults: new Faults(features),
    locks: new HeldLocks(cpuCount),
    tlbs: keepsTlbs ? new Tlbs(cpuCount) : null,
    accesses: new Accesses(pageCount, objects, monitor, beforeTracking),
    tcsState,
    walk,
  };
}

/** Empties everything as a loss of power does: EIDs and versions go on, the paging key changes. */
export function losePower(parts: Parts): void {
  parts.epcm.clear();
  parts.secsTable.clear();
  parts.versions.clear();
  parts.images.clear();
  parts.tracking.clear();
  parts.locks.clear();
  parts.tlbs?.clear();
  parts.contents.clear();
  parts.contents.renewKey();
}
