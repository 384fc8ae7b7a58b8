import type { FallbackOrder, NodeId } from '@epckit/interface';
import { NONE } from '@epckit/interface';

/** Nodes by ascending id with wrap-around; distance is ignored (Linux `next_node_in(nid, sgx_numa_mask)`). */
export class AscendingOrder implements FallbackOrder {
  readonly #nodes: readonly NodeId[];
  /** Index into the nodes by node id. */
  readonly #indexOf: readonly number[];

  constructor(nodes: readonly NodeId[]) {
    this.#nodes = nodes;
    const indexOf: number[] = new Array((nodes.at(-1) ?? 0) + 1).fill(NONE);
    for (const [index, node] of nodes.entries()) indexOf[node] = index;
    this.#indexOf = indexOf;
  }

  start(from: NodeId): NodeId {
    if ((this.#indexOf[from] ?? NONE) >= 0) return from;
    return this.#nodes.find((member) => member > from) ?? this.#nodes[0] ?? NONE;
  }

  next(_from: NodeId, start: NodeId, node: NodeId): NodeId {
    const index = (this.#indexOf[node] as number) + 1;
    const next = this.#nodes[index === this.#nodes.length ? 0 : index] as number;
    return next === start ? NONE : next;
  }
}

/** Makes the order of Linux for the nodes that have EPC. `nodes` is ascending. */
export function createAscendingOrder(nodes: readonly NodeId[]): AscendingOrder {
  return new AscendingOrder(nodes);
}
