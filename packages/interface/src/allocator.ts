import type { ErrnoResult } from './errno.js';
import type { NodeId, OwnerId, OwnerKindId, PageIndex, RecordId, ThreadId } from './ids.js';
import type { SharedNumber } from './lock.js';
import type { ReclaimRequest } from './reclaim.js';
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
  /** Op to yield before {@link freeCount} of the whole machine. */
  readonly freeReading: Op;
  /** Op to yield before {@link freeCount} of one node. @throws MisuseError if the pool does not count per node */
  freeReadingOn(node: NodeId): Op;
  /**
   * Count of free pages, read without a lock: of the whole machine, or of one node.
   *
   * @throws MisuseError for a node if the pool does not count per node
   */
  freeCount(thread: Thread, node?: NodeId): number;
  /** {@link freeCount} outside any routine: reports and invariants only. */
  readonly free: number;
  /** Nodes that have EPC, ascending. */
  readonly nodes: readonly NodeId[];
  /** Length of a node's free list: reports and invariants only. */
  freeOnNode(node: NodeId): number;
}

/** In which order pools are tried. Plain arithmetic: no allocation, no points. */
export interface FallbackOrder {
  /** Node to start from for a CPU on `from`, which need not have EPC. */
  start(from: NodeId): NodeId;
  /** Node to try after `node` failed for a CPU on `from`, or `-1` when all were tried since `start`. */
  next(from: NodeId, start: NodeId, node: NodeId): NodeId;
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
  /**
   * Runs one batch if free pages are below the low mark (Linux `sgx_reclaim_direct`), after the controller has seen to
   * the thread's own group. No locks held.
   */
  reclaimDirect(thread: Thread): Routine<void>;
}

/**
 * When a daemon is woken and how long it works. Plain decisions on numbers; whether anything can be reclaimed is
 * asked by the caller. `free` counts the whole machine if `node` is `-1`, else the node of the daemon.
 *
 * Experimental: the two marks of Linux are the only implementation.
 *
 * @experimental
 */
export interface WakePolicy {
  /** Should an allocation that leaves `free` pages wake the daemon? */
  shouldWake(free: number, node: NodeId): boolean;
  /** Should the daemon go on with another batch? */
  shouldContinue(free: number, node: NodeId): boolean;
}

/**
 * What allocators and controllers need of a reclaimer.
 *
 * Experimental: one implementation.
 *
 * @experimental
 */
export interface Reclaimer {
  /** Are the lists empty (Linux `list_empty(&sgx_active_page_list)`)? Announces what it reads. */
  nothingReclaimable(thread: Thread): Routine<boolean>;
  /**
   * Runs one batch in the caller's context.
   *
   * @param request - what to reclaim; default: a batch of the usual size over everything, with ageing
   * @returns pages evicted
   */
  batch(thread: Thread, request?: ReclaimRequest): Routine<number>;
  /** Op to yield before {@link isLow} of `node`. */
  freeReadingOn(node: NodeId): Op;
  /**
   * Are so few pages free that a daemon should be woken? Read without locks. Daemons that watch single nodes look at
   * `node`; `-1`, and daemons of the whole machine: at all pages.
   */
  isLow(thread: Thread, node: NodeId): boolean;
  /** Wakes the daemons that watch `node`, `-1`: all, if something is reclaimable. */
  wakeIfUseful(thread: Thread, node: NodeId): Routine<void>;
  /** Threads of the daemons. */
  readonly daemons: readonly ThreadId[];
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
