import type {
  AccessMonitor,
  FrameTable,
  LaunchControl,
  LockFactory,
  ObjectRegistry,
  PageAllocator,
  Probe,
  SgxHardware,
} from '@epckit/interface';
import type { VepcInterrupts } from './kill.js';
import type { OversubComponents } from './oversub/components.js';

/**
 * Calls of the driver into the rest of the kernel that can fail for want of memory: `kmalloc` (a new instance), `xa`
 * (an entry of the page array), `pfn` (a page-table entry).
 */
export type VepcKernelCall = 'kmalloc' | 'xa' | 'pfn';

/** Says which calls fail. Asked once per call, in the order in which Linux makes them. */
export interface VepcFailures {
  /** Does this call fail? */
  fails(call: VepcKernelCall): boolean;
}

/** What the virtual EPC driver is made of. */
export interface VepcComponents {
  /** Frame table. */
  readonly frames: FrameTable;
  /** Processor side of the EPC. */
  readonly hardware: SgxHardware;
  /** Gives out and takes back EPC pages. */
  readonly allocator: PageAllocator;
  /** Makes locks. */
  readonly locks: LockFactory;
  /** Gives out object numbers. */
  readonly objects: ObjectRegistry;
  /** The checking mode, or `null`. */
  readonly monitor: AccessMonitor | null;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
  /** Hash MSRs, or `null`: the processor has no launch control. */
  readonly launchControl: LaunchControl | null;
  /** Which calls into the kernel fail; `null` or left out: none. */
  readonly failures?: VepcFailures | null;
  /** Needed to kill instances; `null` or left out: nobody does, and their references are not counted. */
  readonly interrupts?: VepcInterrupts | null;
  /** Host reclaim of guest pages; `null` or left out: no page of a guest is ever reclaimed, as in mainline. */
  readonly oversub?: OversubComponents | null;
}
