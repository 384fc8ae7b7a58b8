import type { ErrnoResult } from './errno.js';
import type { GroupId, NodeId, OwnerKindId, PageIndex, RecordId } from './ids.js';
import type { VerdictId } from './probe.js';
import type { Routine, Thread } from './routine.js';

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
 * What a batch shall reclaim, and how far it came. Owned and reused by whoever asks: the wishes are set and the two
 * counts are zeroed before each batch.
 *
 * @experimental
 */
export interface ReclaimRequest {
  /** Root of the subtree to reclaim from; `0` is everything. */
  target: GroupId;
  /** Pages to isolate at most, at least 1. */
  maxPages: number;
  /** Take pages of this node only, if the lists keep nodes apart; left out or `-1`: of any node. */
  node?: NodeId;
  /** Take pages however young they are: their owners are not asked. */
  isAgeIgnored: boolean;
  /** Pages that were taken off a list, those of gone owners included. Added to by the lists. */
  lookedAt: number;
  /** Pages that became free. Added to by the batch. */
  evicted: number;
}

/**
 * Reclaimable pages, and which list a page goes to: one global list or one per group. Marked pages carry
 * TRACKED; a tracked page on no list is in a reclaimer's batch.
 *
 * Groups appear here and in {@link ChargeController} only.
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
  /**
   * Has the subtree of `target` no reclaimable page? Announces what it reads. An answer about more than one list is
   * put together from reads at different moments.
   *
   * @param node - ask for pages of this node only, if the lists keep nodes apart
   */
  isEmpty(thread: Thread, target: GroupId, node?: NodeId): Routine<boolean>;
  /**
   * Isolates up to `request.maxPages` pages of the subtree of `request.target`, `victims.length` at most, and pins
   * their owners; gone owners are left out. Adds to `request.lookedAt`.
   *
   * @returns how many entries of `victims` were written
   */
  isolate(thread: Thread, request: ReclaimRequest, victims: Int32Array): Routine<number>;
  /** Puts an isolated page back. */
  putBack(thread: Thread, page: PageIndex, verdict: VerdictId): Routine<void>;
  /** Oldest reclaimable page of a group, for reports and invariants. */
  oldest(group: GroupId): PageIndex;
  /** Next page in that walk, or `-1`. */
  after(page: PageIndex): PageIndex;
}

/**
 * Who may use how much EPC. A stack without limits is composed without a controller (`null`), which costs
 * nothing: nothing here is called then.
 *
 * A page is charged from {@link assign} to {@link uncharge}, and its group does not change meanwhile.
 *
 * @experimental
 */
export interface ChargeController {
  /**
   * Charges one page to the group of `thread` before the allocation, and keeps a reference of that group until the
   * charge is given back. With `mayReclaim` it may reclaim and sleep; the caller holds no locks then.
   *
   * @returns group from 0 up, or `-ENOMEM`, `-EBUSY`, `-ERESTARTSYS`
   */
  charge(thread: Thread, mayReclaim: boolean): Routine<number>;
  /** The allocation failed: gives the charge and the reference back. */
  cancel(thread: Thread, group: GroupId): Routine<void>;
  /**
   * The charged page is known, its owner is set and nobody else has it yet. Sets {@link FrameTable.group} and puts
   * pages that no reclaimer may take (SECS, version arrays, pages of guests) on the controller's books if it keeps
   * such.
   */
  assign(thread: Thread, page: PageIndex, group: GroupId, kind: OwnerKindId, record: RecordId): Routine<void>;
  /**
   * Before the page becomes visible as free: takes it off the controller's books, gives charge and reference back,
   * sets the page's group to `-1`. A page that is charged to nobody is left as it is.
   */
  uncharge(thread: Thread, page: PageIndex): Routine<void>;
  /** Called first by {@link PageAllocator.reclaimDirect}: brings the group of `thread` below its own mark. */
  reclaimDirect(thread: Thread): Routine<void>;
  /** Ancestor that refused the last failed charge of `thread`; `-1`: the machine, or nobody. */
  refusedBy(thread: Thread): GroupId;
}

/**
 * Chooses whom to kill when no EPC can be freed.
 *
 * @experimental
 */
export interface VictimPolicy {
  /**
   * Page of the owner to kill in the subtree of `group`, or `-1`: nobody. The owner of the page is pinned by
   * `PageOwner.get`; `PageOwner.kill` consumes that pin.
   */
  choose(thread: Thread, group: GroupId): Routine<PageIndex>;
}
