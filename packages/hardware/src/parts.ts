import type { AccessMonitor, ObjectRegistry } from '@epckit/interface';
import { Accesses } from './accesses.js';
import { Epcm } from './epcm.js';
import { HeldLocks } from './held-locks.js';
import { PagingCrypto } from './paging-crypto.js';
import { SavedImages } from './saved-images.js';
import { SecsTable } from './secs-table.js';
import { Tracking } from './tracking.js';
import { VersionArrays } from './version-arrays.js';

/** Everything that a leaf works on. */
export interface Parts {
  readonly epcm: Epcm;
  readonly secsTable: SecsTable;
  readonly versions: VersionArrays;
  readonly images: SavedImages;
  readonly tracking: Tracking;
  readonly crypto: PagingCrypto;
  readonly locks: HeldLocks;
  readonly accesses: Accesses;
  /** Are TCS.STATE and CSSA kept and judged? */
  readonly tcsState: boolean;
}

/** Makes the state of a processor whose EPC is empty. */
export function createParts(
  pageCount: number,
  cpuCount: number,
  tcsState: boolean,
  objects: ObjectRegistry,
  monitor: AccessMonitor | null,
): Parts {
  const secsTable = new SecsTable();
  const versions = new VersionArrays();
  return {
    epcm: new Epcm(pageCount),
    secsTable,
    versions,
    images: new SavedImages(secsTable, versions),
    tracking: new Tracking(cpuCount),
    crypto: new PagingCrypto(),
    locks: new HeldLocks(cpuCount),
    accesses: new Accesses(pageCount, objects, monitor),
    tcsState,
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
  parts.crypto.renewKey();
}
