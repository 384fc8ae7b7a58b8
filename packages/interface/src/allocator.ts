import type { ErrnoResult } from './errno.js';
import type { NodeId, OwnerId, OwnerKindId, PageIndex, RecordId, ThreadId } from './ids.js';
import type { SharedNumber } from './lock.js';
import type { Op, Routine, Thread } from './routine.js';

/**
 * Free EPC pages and nothing else: lists, locks, the order of the walk (Linux `__sgx_alloc_epc_page` and the
 * list half of `sgx_free_epc_page`). Pools may be per node or per section, first-in-first-out or a stack.
 *
 * Experimental: only pools per node implement it.
 *
 * @experimental
 */
export interface PagePool {
  /**
   * Takes a free page, flags cleared. Every pool is looked at at most once.
   *
   * @returns page, or `-ENOMEM`
   */
  take(thread: Thread): Routine<number>;
  /**
   * Makes a page visible as free (or puts it on the poison list). The caller has made it invalid in the EPCM,
   * has put its owner, cleared TRACKED and uncharged it: from here on anybody may allocate it.
   */
  give(thread: Thread, page: PageIndex): Routine<void>;
  /** Op to yield before {@link freeCount}. */
  readonly freeReading: Op;
  /** Global count of free pages, read without a lock. */
  freeCount(thread: Thread): number;
  /** {@link freeCount} outside any routine: reports and invariants only. */
  readonly free: number;
  /** Nodes that have EPC, ascending. */
  readonly nodes: readonly NodeId[];
  /** Length of a node's free list: reports and invariants only. */
  freeOnNode(node: NodeId): number;
}

/**
 * In which order pools are tried. Plain arithmetic: no allocation, no points.
 *
 * Experimental: one order implements it, and an order by distance needs more than it is told.
 *
 * @experimental
 */
export interface FallbackOrder {
  /** Node to start from for a CPU on `node`. */
  start(node: NodeId): NodeId;
  /** Node to try after `node` failed, or `-1` when all were tried since `start`. */
  next(start: NodeId, node: NodeId): NodeId;
}

/**
 * Gives out EPC pages to owners (Linux `sgx_alloc_epc_page`, `sgx_free_epc_page`): charge, pool, direct
 * reclaim, wake-up of the daemon.
 */
export interface PageAllocator {
  /**
   * Allocates a page for `record` of `owner`.
   *
   * With `mayReclaim` the caller holds no mm lock and no owner lock, because a batch takes those of arbitrary
   * owners. Without it the caller retries later after `EBUSY`.
   *
   * @returns page, or `-ENOMEM` (nothing free, nothing reclaimable), `-EBUSY` (reclaim needed but not
   * allowed), `-ERESTARTSYS` (signal while reclaim was needed)
   */
  alloc(
    thread: Thread,
    kind: OwnerKindId,
    owner: OwnerId,
    record: RecordId,
    mayReclaim: boolean,
  ): Routine<number>;
  /** Frees a page that the caller has made invalid in the EPCM and taken off all lists. */
  free(thread: Thread, page: PageIndex): Routine<void>;
  /** Runs one batch if free pages are below the low mark (Linux `sgx_reclaim_direct`). No locks held. */
  reclaimDirect(thread: Thread): Routine<void>;
}

/**
 * When a daemon is woken and how long it works. Plain decisions on numbers; whether anything can be reclaimed is
 * asked by the caller.
 *
 * Experimental: the two marks of Linux are the only implementation.
 *
 * @experimental
 */
export interface WakePolicy {
  /** Should an allocation that leaves `free` pages wake the daemon? */
  shouldWake(free: number): boolean;
  /** Should the daemon go on with another batch? */
  shouldContinue(free: number): boolean;
}

/**
 * What the allocator needs of a reclaimer: batches over everything. A batch for a group is not part of it yet.
 *
 * Experimental: one implementation.
 *
 * @experimental
 */
export interface Reclaimer {
  /** Op to yield before {@link nothingReclaimable}. */
  readonly emptyReading: Op;
  /** Are the lists empty? Read without their lock (Linux `list_empty(&sgx_active_page_list)`). */
  nothingReclaimable(thread: Thread): boolean;
  /** Runs one batch in the caller's context. @returns pages evicted */
  batch(thread: Thread): Routine<number>;
  /** Op to yield before {@link isLow}. */
  readonly freeReading: Op;
  /** Are so few pages free that the daemon should be woken? Read without locks. */
  isLow(thread: Thread): boolean;
  /** Wakes the daemon if something is reclaimable. */
  wakeIfUseful(thread: Thread): Routine<void>;
  /** Thread of the daemon. */
  readonly daemon: ThreadId;
  /** How many batches there were; left out: not counted. */
  readonly batches?: BatchCount;
}

/**
 * Counts batches, so that pages in a batch can be told from none: while as many have ended as have begun, none runs.
 *
 * @experimental
 */
export interface BatchCount {
  /** Goes up before a batch isolates its first page. */
  readonly begun: SharedNumber;
  /** Goes up when every page of a batch is free or on a list again. */
  readonly ended: SharedNumber;
}

/**
 * Takes reports of hardware memory errors in the EPC.
 *
 * Experimental: one implementation.
 *
 * @experimental
 */
export interface MemoryFailure {
  /** Reports a hardware memory error (Linux `arch_memory_failure`). @returns 0 or `-ENXIO` */
  report(thread: Thread, page: PageIndex): Routine<ErrnoResult>;
}
