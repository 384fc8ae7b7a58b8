import type { AccessMonitor, ObjectRegistry, PageIndex, Probe } from '@epckit/interface';
import type { SgxFeatureOptions } from './features.js';
import type { PageContents } from './page-contents.js';
import type { PageWalk } from './parts.js';
import type { LeafTimes } from './timed-leaves.js';

/** Size and switches of `createSgxHardware`. */
export interface HardwareOptions {
  /** EPC pages over all sections. */
  readonly pageCount: number;
  /** Logical processors. */
  readonly cpuCount: number;
  /**
   * Keep TCS.STATE and CSSA and refuse an entry through a TCS that is in use, or a resume without a saved
   * frame. `true` if left out; `false` for replaying recordings of a model that has neither.
   */
  readonly tcsState?: boolean | undefined;
  /** What the processor can do; `FeatureSet.OVERSUB` if left out. */
  readonly features?: SgxFeatureOptions | undefined;
  /** Keep a TLB per logical processor and note what tracking must prevent (I9). `false` if left out. */
  readonly keepsTlbs?: boolean | undefined;
}

/** What the hardware needs from its surroundings. */
export interface HardwareComponents {
  /** Gives out the object numbers that the monitor and ops use. */
  readonly objects: ObjectRegistry;
  /** Sees every touched object in the checking mode. */
  readonly monitor: AccessMonitor | null;
  /** Sees every leaf and its result. */
  readonly probe: Pick<Probe, 'leaf'> | null;
  /** What pages contain: tags if left out, real bytes from `@epckit/hardware/real`. */
  readonly contents?: PageContents | undefined;
  /** Finds the save state areas that entries check; if left out they are taken to be fine. */
  readonly walk?: PageWalk | undefined;
  /** Called before a leaf reads the tracking counters of a SECS: exits that lag are to be made up for. */
  readonly beforeTracking?: ((secs: PageIndex) => void) | undefined;
  /** Where leaves take time and meet each other: that time. If left out each leaf is over at once. */
  readonly times?: LeafTimes | undefined;
}
