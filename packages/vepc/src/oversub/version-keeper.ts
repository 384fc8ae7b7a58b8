import type { BackingStore, ErrnoResult, PagingBlob, Routine, Thread, VersionSlots } from '@epckit/interface';
import type { OversubInstance } from './instance.js';
import type { VersionTree } from './version-tree.js';

/** Version array pages of an instance that can be evicted, and where they are then. Under the instance's lock. */
export interface VersionStore {
  /** What is known of them. */
  readonly tree: VersionTree;
  /** Contents of those out of the EPC, by number. */
  readonly backing: BackingStore;
  /** What leaves on them read and write; scratch memory. */
  readonly blob: PagingBlob;
}

/** Version array pages that the host has for an instance. */
export interface VersionArrayCounts {
  /** In the EPC now. */
  readonly resident: number;
  /** Most in the EPC at once. */
  readonly peak: number;
  /** Out of the EPC now. */
  readonly evicted: number;
  /** How often one has left the EPC. */
  readonly evictions: number;
  /** How often one has come back. */
  readonly loads: number;
}

/**
 * Keeps the host's version array pages of instances: has them where a write or a load needs one. All but
 * {@link VersionKeeper.allocate} is called under the instance's lock, which is not dropped.
 */
export interface VersionKeeper {
  /** Version slots of a new instance, or null: whoever makes the paging of the instance makes them. */
  slotsFor(instance: OversubInstance): VersionSlots | null;
  /** Gets what has to be there from the start. No locks are held. @returns 0 or what the allocator returns */
  allocate(thread: Thread, instance: OversubInstance): Routine<ErrnoResult>;
  /**
   * Before a write: a slot can be taken then.
   *
   * @returns 0; `-EBUSY`: no EPC for a page with room, a later batch looks again; `-EFAULT`: the instance is dead
   */
  makeRoom(thread: Thread, instance: OversubInstance): Routine<ErrnoResult>;
  /**
   * Before a load: the page with the slot is in the EPC then.
   *
   * @returns 0; `-EBUSY`: EPC must be reclaimed first; `-EFAULT`: the instance is dead
   */
  bring(thread: Thread, instance: OversubInstance, slot: number): Routine<ErrnoResult>;
  /** A fault has found no EPC page. @returns true: a version array page has given its own back */
  relieve(thread: Thread, instance: OversubInstance): Routine<boolean>;
  /** EREMOVE and freeing of all pages. Nobody writes any more. */
  free(thread: Thread, instance: OversubInstance): Routine<void>;
  /** A loss of power has made all pages invalid, and no slot is in use any more. */
  renew(thread: Thread, instance: OversubInstance): Routine<void>;
  /** Figures for reports. Plain. */
  counts(instance: OversubInstance): VersionArrayCounts;
}
