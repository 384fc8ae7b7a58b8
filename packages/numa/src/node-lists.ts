import type {
  FrameTable,
  ListId,
  LockFactory,
  NodeId,
  PageIndex,
  Probe,
  SpinLock,
  Thread,
} from '@epckit/interface';
import { FrameFlag, NONE, OwnerKind } from '@epckit/interface';

/**
 * Free list, poison list and lock of each node (Linux `struct sgx_numa_node`). Plain operations: the caller
 * holds the lock of the page's node, and the order of the operations is that of the kernel.
 */
export class NodeLists {
  /** Nodes that have EPC, ascending. */
  readonly nodes: readonly NodeId[];
  readonly #frames: FrameTable;
  readonly #probe: Probe | null;
  readonly #locks: SpinLock[] = [];
  readonly #free: ListId[] = [];
  readonly #poison: ListId[] = [];

  constructor(frames: FrameTable, locks: LockFactory, probe: Probe | null) {
    const nodes = new Set(frames.sections.map((section) => section.node));
    this.nodes = Object.freeze([...nodes].sort((a, b) => a - b));
    this.#frames = frames;
    this.#probe = probe;
    for (const node of this.nodes) {
      this.#locks[node] = locks.spinLock('node');
      this.#free[node] = frames.createList(`free of node ${node}`);
      this.#poison[node] = frames.createList(`poison of node ${node}`);
    }
  }

  /** Lock of a node (Linux `node->lock`). */
  lock(node: NodeId): SpinLock {
    return this.#locks[node] as SpinLock;
  }

  /** Free list of a node; `0` for a node without EPC. */
  free(node: NodeId): ListId {
    return this.#free[node] ?? 0;
  }

  /** Poison list of a node; `0` for a node without EPC. */
  poison(node: NodeId): ListId {
    return this.#poison[node] ?? 0;
  }

  /**
   * Takes the head of the free list (Linux `__sgx_alloc_epc_page_from_node`, the locked part).
   *
   * @returns page, or `-1` if the list is empty
   */
  takeFirst(thread: Thread, node: NodeId): PageIndex {
    const page = this.#frames.first(this.#free[node] as ListId);
    if (page < 0) return NONE;
    this.#frames.unlink(page);
    this.#frames.setFlags(page, 0);
    this.#probe?.pageAllocated(thread.id, page, node);
    return page;
  }

  /**
   * Adds a page without owner: tail of the free list, or head of the poison list (Linux `sgx_free_epc_page`).
   *
   * @returns whether it is on the free list
   */
  putFree(thread: Thread, node: NodeId, page: PageIndex): boolean {
    this.forgetOwner(page);
    const isPoisoned = this.#frames.isPoisoned(page);
    if (isPoisoned) this.#frames.prepend(this.#poison[node] as ListId, page);
    else this.#frames.append(this.#free[node] as ListId, page);
    this.#frames.setFlags(page, FrameFlag.IS_FREE);
    this.#probe?.pageFreed(thread.id, page, node);
    return !isPoisoned;
  }

  /** A free page has no owner. A recipe: kernels before 5.13 leave the old owner in the record (derived). */
  protected forgetOwner(page: PageIndex): void {
    if (this.#frames.kind(page) !== OwnerKind.NONE) this.#frames.setOwner(page, OwnerKind.NONE, NONE, NONE);
  }

  /** Moves a page from the list that it is on to the head of the poison list; its flags stay. */
  condemn(node: NodeId, page: PageIndex): void {
    this.#frames.unlink(page);
    this.#frames.prepend(this.#poison[node] as ListId, page);
  }
}
