import type { LockFactory, NodeId, Routine, SharedNumber, Thread } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';

/**
 * Counts of free pages: one of the machine (Linux `sgx_nr_free_pages`) and, if wanted, one per node. Atomic, and
 * changed outside of the node locks.
 */
export class FreePages {
  /** Free pages of all nodes. */
  readonly total: SharedNumber;
  /** By node id; empty if nodes are not counted. */
  readonly #ofNode: SharedNumber[] = [];

  /** @param counted - nodes with a count of their own */
  constructor(locks: LockFactory, counted: readonly NodeId[]) {
    this.total = locks.sharedNumber('free pages', 0);
    for (const node of counted) this.#ofNode[node] = locks.sharedNumber(`free pages of node ${node}`, 0);
  }

  /** Count of one node. @throws MisuseError if the node has none */
  on(node: NodeId): SharedNumber {
    const count = this.#ofNode[node];
    if (count !== undefined) return count;
    throw new MisuseError(`Free pages of node ${node} are not counted.`, [], {
      hint: 'Make the pools with countsPerNode, and ask for nodes that have EPC.',
    });
  }

  /** Are nodes counted? Then who changes {@link total} calls {@link addOn} afterwards. */
  get isPerNode(): boolean {
    return this.#ofNode.length > 0;
  }

  /** `amount` pages of `node` became free; below zero: were taken. */
  *addOn(thread: Thread, node: NodeId, amount: number): Routine<void> {
    const count = this.on(node);
    if (thread.clock > thread.limit) yield count.adding;
    count.add(thread, amount);
  }
}
