import type {
  AccessMonitor,
  CpuSet,
  FrameTable,
  IpiSender,
  LaunchControl,
  LockFactory,
  ObjectRegistry,
  OwnerId,
  PageAllocator,
  Probe,
  ReclaimLists,
  SgxHardware,
  Tracker,
} from '@epckit/interface';
import type { EnclavePaging } from './enclave-paging.js';
import type { KernelFailures } from './kernel-failures.js';

/** What dynamic memory (SGX2) needs besides. */
export interface DynamicMemoryComponents {
  /** Starts tracking cycles. */
  readonly tracker: Tracker;
  /** Throws threads out of their enclaves. */
  readonly ipi: IpiSender;
  /** Makes an empty set of CPUs. */
  createCpuSet(): CpuSet;
}

/** Throws threads out of their enclaves. */
export interface InterruptComponents {
  /** Interrupts CPUs. */
  readonly ipi: IpiSender;
  /** Makes an empty set of CPUs. */
  createCpuSet(): CpuSet;
}

/** What the native driver is made of. */
export interface EnclaveDriverComponents {
  /** Frame table. */
  readonly frames: FrameTable;
  /** Processor side of the EPC. */
  readonly hardware: SgxHardware;
  /** Gives out and takes back EPC pages. */
  readonly allocator: PageAllocator;
  /** Reclaimable pages. */
  readonly lists: ReclaimLists;
  /** Makes locks and lockless variables. */
  readonly locks: LockFactory;
  /** Gives out object numbers. */
  readonly objects: ObjectRegistry;
  /** The checking mode, or `null`. */
  readonly monitor: AccessMonitor | null;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
  /** Hash MSRs, which INIT writes before each EINIT; `null` or left out: the kernel cannot. */
  readonly launchControl?: LaunchControl | null;
  /** Which calls into the kernel fail; `null` or left out: none. */
  readonly failures?: KernelFailures | null;
  /** Dynamic memory; `null` or left out: the processor has no SGX2. */
  readonly dynamic?: DynamicMemoryComponents | null;
  /** Needed to kill enclaves. Default: those of {@link dynamic}. */
  readonly interrupts?: InterruptComponents | null;
  /**
   * Makes the paging of one enclave of `pageCount` pages. `isInFlight` says whether a page is between reserve
   * and write.
   */
  createPaging(owner: OwnerId, pageCount: number, isInFlight: (index: number) => boolean): EnclavePaging;
}
