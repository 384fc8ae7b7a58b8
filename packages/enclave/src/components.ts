import type {
  AccessMonitor,
  FrameTable,
  LockFactory,
  ObjectRegistry,
  OwnerId,
  PageAllocator,
  Probe,
  ReclaimLists,
  SgxHardware,
} from '@epckit/interface';
import type { EnclavePaging } from './enclave-paging.js';

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
  /**
   * Makes the paging of one enclave of `pageCount` pages. `isInFlight` says whether a page is between reserve
   * and write.
   */
  createPaging(owner: OwnerId, pageCount: number, isInFlight: (index: number) => boolean): EnclavePaging;
}
