import type { ErrnoResult } from './errno.js';
import type { GroupId, PageIndex } from './ids.js';
import type { VerdictId } from './probe.js';
import type { Op, Routine, Thread } from './routine.js';

/**
 * Chooses victims. All calls are plain and made under the lock of the list that the policy serves.
 *
 * No policy is told of accesses: hardware and kernel do not see them either. Age comes from verdicts. A page that
 * was isolated and is not put back has left the EPC or the reclaimer's books; the policy is not told which.
 *
 * Pages are linked on lists of the frame table while they are in the policy's hands, whatever else it keeps: a
 * tracked page on no list counts as isolated.
 */
export interface EvictionPolicy {
  /** A page becomes reclaimable. */
  insert(page: PageIndex): void;
  /** A page that is on the policy's list stops being reclaimable. */
  remove(page: PageIndex): void;
  /**
   * Takes up to `max` pages off the list, oldest first, into `victims`. Never allocates.
   *
   * @returns how many entries of `victims` were written
   */
  isolate(victims: Int32Array, max: number): number;
  /** An isolated page stays and comes back onto the list. */
  putBack(page: PageIndex, verdict: VerdictId): void;
  /** Is the list empty? Also called without the lock. */
  isEmpty(): boolean;
  /** Oldest page, or `-1`; with {@link after} the walk from oldest to youngest for reports. */
  oldest(): PageIndex;
  /** Page after `page` in that walk, or `-1`. */
  after(page: PageIndex): PageIndex;
}

/**
 * Reclaimable pages, and which list a page goes to: one global list or one per group. Marked pages carry
 * TRACKED; a tracked page on no list is in a reclaimer's batch.
 *
 * Groups appear here and in {@link ChargeController} only.
 *
 * Experimental: one global list implements it and ignores groups.
 *
 * @experimental
 */
export interface ReclaimLists {
  /** Makes a page reclaimable (Linux `sgx_mark_page_reclaimable`). */
  mark(thread: Thread, page: PageIndex): Routine<void>;
  /**
   * Takes a page out of the reclaimer's reach (Linux `sgx_unmark_page_reclaimable`).
   *
   * @returns 0, or `-EBUSY` if a reclaimer holds the page in a batch
   */
  unmark(thread: Thread, page: PageIndex): Routine<ErrnoResult>;
  /** Op to yield before {@link isEmpty}. */
  readonly emptyReading: Op;
  /** Has the subtree of `target` no reclaimable page? Read without locks. */
  isEmpty(thread: Thread, target: GroupId): boolean;
  /** Isolates up to `max` pages of `target`'s subtree and pins their owners; gone owners are left out. */
  isolate(thread: Thread, target: GroupId, victims: Int32Array, max: number): Routine<number>;
  /** Puts an isolated page back. */
  putBack(thread: Thread, page: PageIndex, verdict: VerdictId): Routine<void>;
  /** Oldest reclaimable page of a group, for reports and invariants. */
  oldest(group: GroupId): PageIndex;
  /** Next page in that walk, or `-1`. */
  after(page: PageIndex): PageIndex;
}

/**
 * Who may use how much EPC. A stack without limits is composed without a controller (`null`), which costs
 * nothing.
 *
 * Experimental: nothing implements it yet.
 *
 * @experimental
 */
export interface ChargeController {
  /**
   * Charges one page to the group of `thread` before the allocation.
   *
   * @returns group, or `-ENOMEM`, `-EBUSY`, `-ERESTARTSYS`
   */
  charge(thread: Thread, mayReclaim: boolean): Routine<number>;
  /** Ancestor that refused the last failed charge of `thread`. */
  refusedBy(thread: Thread): GroupId;
  /** Gives a charge back before the page becomes visible on a free list. */
  uncharge(thread: Thread, group: GroupId): Routine<void>;
}

/**
 * Chooses whom to kill when no EPC can be freed.
 *
 * Experimental: nothing implements it yet.
 *
 * @experimental
 */
export interface VictimPolicy {
  /** Page of the owner to kill in the subtree of `group`, or `-1`: nobody. */
  choose(group: GroupId): PageIndex;
}
