import type { FallbackOrder, NodeId, Routine, Thread } from '@epckit/interface';
import { Errno, NONE } from '@epckit/interface';
import type { FreePages } from './free-pages.js';
import type { NodeLists } from './node-lists.js';

/** What a {@link NodeWalk} works with. */
export interface NodeWalkParts {
  /** Lists and locks of the nodes. */
  readonly lists: NodeLists;
  /** Order in which nodes are tried. */
  readonly order: FallbackOrder;
  /** Counts of free pages. */
  readonly free: FreePages;
}

/**
 * Recipe: looks for a free page node by node (Linux 6.12 and later, `__sgx_alloc_epc_page`).
 *
 * Starts at the node of the caller's CPU, or at the next one that has EPC, and tries every node once. A walk
 * that tries more nodes than there are makes no progress by itself, so each turn beyond is reported to the
 * driver; the walk of this class never gets there.
 */
export class NodeWalk {
  /** Lists and locks of the nodes. */
  protected readonly lists: NodeLists;
  /** Order in which nodes are tried. */
  protected readonly order: FallbackOrder;
  /** Counts of free pages. */
  protected readonly free: FreePages;

  constructor(parts: NodeWalkParts) {
    this.lists = parts.lists;
    this.order = parts.order;
    this.free = parts.free;
  }

  /** @returns page, or `-ENOMEM` */
  *take(thread: Thread): Routine<number> {
    // Read once: the task may move to another node meanwhile without effect.
    const current = thread.node;
    const start = this.order.start(current);
    let tried = 0;
    for (let node = start; node >= 0; node = this.next(current, start, node)) {
      if (tried++ >= this.lists.nodes.length && thread.turn('numa.walk', node)) yield thread.changeWaiting;
      const lock = this.lists.lock(node);
      while (lock.mustWait(thread)) yield lock.acquire;
      const page = this.lists.takeFirst(thread, node);
      lock.release(thread);
      if (page === NONE) continue;
      if (thread.clock > thread.limit) yield this.free.total.adding;
      this.free.total.add(thread, -1);
      if (this.free.isPerNode) yield* this.free.addOn(thread, node, -1);
      return page;
    }
    return -Errno.ENOMEM;
  }

  /**
   * Recipe: node to try after `node` was empty, or `-1` to give up.
   *
   * @param current - node of the caller's CPU, which need not have EPC
   * @param start - node that was tried first
   */
  protected next(current: NodeId, start: NodeId, node: NodeId): NodeId {
    return this.order.next(current, start, node);
  }
}
