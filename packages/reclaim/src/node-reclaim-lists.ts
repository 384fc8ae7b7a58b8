import type {
  ErrnoResult,
  EvictionPolicy,
  FrameTable,
  GroupId,
  NodeId,
  PageIndex,
  ReclaimLists,
  ReclaimRequest,
  Routine,
  Thread,
  VerdictId,
} from '@epckit/interface';
import { InvariantViolation, NONE } from '@epckit/interface';
import type { ReclaimListsComponents } from './lists.js';
import { createReclaimLists } from './lists.js';

/** What lists per node are made of: one list, with a lock and an eviction policy of its own, for each node. */
export interface NodeReclaimListsComponents extends Omit<ReclaimListsComponents, 'policy'> {
  /** Makes the eviction policy of a node. */
  readonly createPolicy: (components: {
    /** Frame table. */
    readonly frames: FrameTable;
  }) => EvictionPolicy;
  /** Makes the list of a node. Default: {@link createReclaimLists}. */
  readonly createLists?: (components: ReclaimListsComponents) => ReclaimLists;
}

/**
 * A list of reclaimable pages per node, for daemons that reclaim for one node each. A page is on the list of its own
 * node, so there is no order between pages of different nodes: a batch over everything takes its pages from one node,
 * the first that has any, from the thread's own on by ascending id with wrap-around.
 */
export function createNodeReclaimLists(components: NodeReclaimListsComponents): ReclaimLists {
  return new NodeReclaimLists(components);
}

class NodeReclaimLists implements ReclaimLists {
  readonly #frames: FrameTable;
  /** Nodes that have EPC, ascending. */
  readonly #nodes: readonly NodeId[];
  /** By node id. */
  readonly #lists: ReclaimLists[] = [];

  constructor(components: NodeReclaimListsComponents) {
    const { frames, createPolicy, createLists = createReclaimLists } = components;
    this.#frames = frames;
    this.#nodes = [...new Set(frames.sections.map(({ node }) => node))].sort((a, b) => a - b);
    for (const node of this.#nodes) {
      this.#lists[node] = createLists({ ...components, policy: createPolicy({ frames }) });
    }
  }

  mark(thread: Thread, page: PageIndex): Routine<void> {
    return this.#of(page).mark(thread, page);
  }

  unmark(thread: Thread, page: PageIndex): Routine<ErrnoResult> {
    return this.#of(page).unmark(thread, page);
  }

  putBack(thread: Thread, page: PageIndex, verdict: VerdictId): Routine<void> {
    return this.#of(page).putBack(thread, page, verdict);
  }

  *isEmpty(thread: Thread, target: GroupId, node: NodeId = NONE): Routine<boolean> {
    if (node !== NONE) return yield* this.#on(node).isEmpty(thread, target);
    for (const each of this.#nodes) if (!(yield* this.#on(each).isEmpty(thread, target))) return false;
    return true;
  }

  *isolate(thread: Thread, request: ReclaimRequest, victims: Int32Array): Routine<number> {
    const { node = NONE, lookedAt } = request;
    if (node !== NONE) return yield* this.#on(node).isolate(thread, request, victims);
    const own = this.#nodes.findIndex((each) => each >= thread.node);
    for (let turn = 0; turn < this.#nodes.length; turn++) {
      const place = (Math.max(own, 0) + turn) % this.#nodes.length;
      const isolated = yield* this.#on(this.#nodes[place] as NodeId).isolate(thread, request, victims);
      if (request.lookedAt > lookedAt) return isolated;
    }
    return 0;
  }

  /** The walk goes node by node; within a node from oldest to youngest. */
  oldest(group: GroupId): PageIndex {
    return this.#oldestFrom(0, group);
  }

  after(page: PageIndex): PageIndex {
    if (page === NONE) return NONE;
    const next = this.#of(page).after(page);
    return next === NONE ? this.#oldestFrom(this.#nodes.indexOf(this.#frames.node(page)) + 1, 0) : next;
  }

  #oldestFrom(place: number, group: GroupId): PageIndex {
    for (const node of this.#nodes.slice(place)) {
      const page = this.#on(node).oldest(group);
      if (page !== NONE) return page;
    }
    return NONE;
  }

  #of(page: PageIndex): ReclaimLists {
    return this.#on(this.#frames.node(page));
  }

  #on(node: NodeId): ReclaimLists {
    const lists = this.#lists[node];
    if (lists === undefined) throw new InvariantViolation(`Node ${node} has no EPC.`);
    return lists;
  }
}
