import type {
  FallbackOrder,
  FrameTable,
  ListId,
  LockFactory,
  NodeId,
  PageIndex,
  PagePool,
  Probe,
  Routine,
  SgxHardware,
  Thread,
} from '@epckit/interface';
import { NONE } from '@epckit/interface';
import { createAscendingOrder } from './ascending-order.js';
import { FreeCount } from './free-count.js';
import { FreePages } from './free-pages.js';
import { NodeLists } from './node-lists.js';
import type { NodeWalkParts } from './node-walk.js';
import { NodeWalk } from './node-walk.js';
import type { SanitizeOptions, SanitizeParts } from './sanitize.js';
import { Sanitizer } from './sanitize.js';

/** How pools are set up. */
export interface NodePoolsOptions {
  /** Makes the fallback order for the nodes that have EPC. Default: ascending node id with wrap-around. */
  readonly createOrder?: (nodes: readonly NodeId[]) => FallbackOrder;
  /** Makes lists and locks. Default: {@link NodeLists}. */
  readonly createLists?: (frames: FrameTable, locks: LockFactory, probe: Probe | null) => NodeLists;
  /** Makes the walk recipe. Default: {@link NodeWalk}. */
  readonly createWalk?: (parts: NodeWalkParts) => NodeWalk;
  /** Makes what counts poisoned pages or does not. Default: {@link FreeCount}. */
  readonly createCount?: () => FreeCount;
  /**
   * Keep a count of free pages per node beside the global one, for daemons that watch single nodes. Default: false;
   * counting costs one more atomic addition per page that is taken or given.
   */
  readonly countsPerNode?: boolean;
  /** Makes the sanitizing recipe. Default: {@link Sanitizer}. */
  readonly createSanitizer?: (parts: SanitizeParts) => Sanitizer;
}

/** What pools use. */
export interface NodePoolsComponents {
  /** Frame table whose pages are all on no list. */
  readonly frames: FrameTable;
  /** Makes the node locks and the free count. */
  readonly locks: LockFactory;
  /** Executes EREMOVE while sanitizing. */
  readonly hardware: SgxHardware;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
}

/** Pools of free pages, one per node, and the pages that are in none because of their state. */
export interface NodePools extends PagePool {
  /** Locks and lists, for recipes and reports. */
  readonly lists: NodeLists;
  /** Pages that wait to be sanitized (Linux `sgx_dirty_page_list`). */
  readonly dirty: ListId;
  /** A page on a free list moves to its node's poison list. The caller holds the lock of the node. */
  condemn(thread: Thread, node: NodeId, page: PageIndex): Routine<void>;
  /** Cleans the dirty list in two passes. @returns pages that stay dirty */
  sanitize(thread: Thread, options?: SanitizeOptions): Routine<number>;
}

/** Free lists per node, first in, first out, with one atomic global count (Linux 5.16 and later). */
class FifoNodePools implements NodePools {
  readonly lists: NodeLists;
  readonly dirty: ListId;
  readonly #free: FreePages;
  readonly #count: FreeCount;
  readonly #walk: NodeWalk;
  readonly #sanitizer: Sanitizer;
  readonly #frames: FrameTable;

  constructor(options: NodePoolsOptions, components: NodePoolsComponents) {
    const { frames, locks, hardware, probe } = components;
    const createOrder = options.createOrder ?? createAscendingOrder;
    const createWalk = options.createWalk ?? ((parts: NodeWalkParts) => new NodeWalk(parts));
    const createSanitizer = options.createSanitizer ?? ((parts: SanitizeParts) => new Sanitizer(parts));
    this.#frames = frames;
    this.dirty = frames.createList('dirty');
    const left = frames.createList('dirty after this pass');
    this.lists = options.createLists?.(frames, locks, probe) ?? new NodeLists(frames, locks, probe);
    this.#free = new FreePages(locks, options.countsPerNode === true ? this.lists.nodes : []);
    this.#count = options.createCount?.() ?? new FreeCount();
    this.#walk = createWalk({ lists: this.lists, order: createOrder(this.lists.nodes), free: this.#free });
    const { lists, dirty } = this;
    const pool = { lists, free: this.#free, count: this.#count };
    this.#sanitizer = createSanitizer({ frames, hardware, probe, dirty, left, ...pool });
    frames.appendAll(dirty);
  }

  get nodes(): readonly NodeId[] {
    return this.lists.nodes;
  }

  get freeReading(): number {
    return this.#free.total.reading;
  }

  freeReadingOn(node: NodeId): number {
    return this.#free.on(node).reading;
  }

  get free(): number {
    return this.#free.total.value;
  }

  freeCount(thread: Thread, node: NodeId = NONE): number {
    return (node === NONE ? this.#free.total : this.#free.on(node)).read(thread);
  }

  freeOnNode(node: NodeId): number {
    return this.#frames.length(this.lists.free(node));
  }

  take(thread: Thread): Routine<number> {
    return this.#walk.take(thread);
  }

  *give(thread: Thread, page: PageIndex): Routine<void> {
    const node = this.#frames.node(page);
    const lock = this.lists.lock(node);
    while (lock.mustWait(thread)) yield lock.acquire;
    const added = this.#count.ofFreed(this.lists.putFree(thread, node, page));
    lock.release(thread);
    if (added === 0) return;
    // Outside the lock and atomic: nodes have different locks.
    if (thread.clock > thread.limit) yield this.#free.total.adding;
    this.#free.total.add(thread, added);
    if (this.#free.isPerNode) yield* this.#free.addOn(thread, node, added);
  }

  *condemn(thread: Thread, node: NodeId, page: PageIndex): Routine<void> {
    this.lists.condemn(node, page);
    const added = this.#count.ofCondemned();
    if (added === 0) return;
    if (thread.clock > thread.limit) yield this.#free.total.adding;
    this.#free.total.add(thread, added);
    if (this.#free.isPerNode) yield* this.#free.addOn(thread, node, added);
  }

  sanitize(thread: Thread, options: SanitizeOptions = {}): Routine<number> {
    return this.#sanitizer.run(thread, options);
  }
}

/**
 * Makes the pools of a machine with every page on the dirty list (Linux `sgx_page_cache_init`): until
 * {@link NodePools.sanitize} has cleaned a page there is nothing to allocate.
 */
export function createNodePools(options: NodePoolsOptions, components: NodePoolsComponents): NodePools {
  return new FifoNodePools(options, components);
}
