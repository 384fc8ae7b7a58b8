import type {
  ErrnoResult,
  FrameTable,
  MemoryFailure,
  PageIndex,
  ReclaimLists,
  Routine,
  Thread,
} from '@epckit/interface';
import { Cost, Errno, FrameFlag, Mode } from '@epckit/interface';
import type { NodePools } from './node-pools.js';

/** What memory failure uses. */
export interface MemoryFailureComponents {
  /** Holds the poison mark. */
  readonly frames: FrameTable;
  /** Moves free pages to the poison lists. */
  readonly pools: Pick<NodePools, 'lists' | 'condemn'>;
  /**
   * Reclaimable lists, asked for at each report because they are composed later; `null` leaves a poisoned
   * page reclaimable, as before Linux 6.16 (B-48).
   */
  readonly reclaimLists: () => ReclaimLists | null;
}

/** Marks pages with hardware errors so that nobody gets them again (Linux `arch_memory_failure`). */
class NodeMemoryFailure implements MemoryFailure {
  readonly #components: MemoryFailureComponents;

  constructor(components: MemoryFailureComponents) {
    this.#components = components;
  }

  *report(thread: Thread, page: PageIndex): Routine<ErrnoResult> {
    const { frames, pools, reclaimLists } = this.#components;
    if (!(page >= 0 && page < frames.pageCount)) return -Errno.ENXIO;
    const node = frames.node(page);
    const lock = pools.lists.lock(node);
    while (lock.mustWait(thread)) yield lock.acquire;
    if (!frames.isPoisoned(page)) {
      if (thread.spend(Cost.STEP) > thread.limit) yield frames.poisonAt(page, Mode.WRITE);
      frames.setPoisoned(page);
      // Only TRACKED can change under another lock, and it is not looked at.
      if (thread.spend(Cost.STEP) > thread.limit) yield frames.flagsAt(page, Mode.READ);
      const isFree = (frames.peekFlags(page) & FrameFlag.IS_FREE) !== 0;
      const reclaim = reclaimLists();
      if (isFree) yield* pools.condemn(thread, node, page);
      // EBUSY: a reclaimer holds the page and cannot be stopped.
      else if (reclaim !== null) yield* reclaim.unmark(thread, page);
    }
    lock.release(thread);
    return 0;
  }
}

/**
 * Makes the handler for memory errors in EPC.
 *
 * A free page moves to its node's poison list at once; whether the count of free pages keeps counting it, as in
 * Linux, is the pools' matter. A page in use stays with its owner, is not reclaimed any more, and lands on the poison list when it
 * is freed. The signal to a task that consumed the error is the caller's matter.
 */
export function createMemoryFailure(components: MemoryFailureComponents): MemoryFailure {
  return new NodeMemoryFailure(components);
}
