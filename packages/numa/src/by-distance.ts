import type { FallbackOrder, NodeId } from '@epckit/interface';
import { MisuseError, NONE } from '@epckit/interface';

/** Distance of a node to itself (ACPI SLIT). */
export const LOCAL_DISTANCE = 10;
/** Distance that means "cannot be reached" (ACPI SLIT). */
const UNREACHABLE = 255;

/**
 * Makes a fallback order by distance, for `createOrder` of the pools: from the caller's node to the nearest nodes first,
 * nodes of the same distance by ascending id with wrap-around from the caller's node. A node without EPC has its own
 * order too.
 *
 * @param distances - row: node of the caller, column: node of the page; as the firmware's SLIT
 * @throws MisuseError as {@link checkDistances}; also if a node that has EPC is not in the table
 */
export function byDistance(
  distances: readonly (readonly number[])[],
): (nodes: readonly NodeId[]) => FallbackOrder {
  checkDistances(distances);
  return (nodes) => {
    requireNodes(distances, nodes);
    return new DistanceOrder(distances, nodes);
  };
}

/**
 * Checks a table of distances between nodes: square, whole numbers, {@link LOCAL_DISTANCE} on the diagonal and more
 * elsewhere, below 255, which in firmware means "cannot be reached". It need not be symmetric.
 *
 * @throws MisuseError that names the first bad entry
 */
export function checkDistances(distances: readonly (readonly number[])[]): void {
  if (distances.length === 0) throw new MisuseError('A table of distances needs at least one node.');
  for (const [from, row] of distances.entries()) {
    if (row.length !== distances.length) {
      throw new MisuseError('A table of distances must be square.', [
        `row ${from} has ${row.length} entries, there are ${distances.length} rows`,
      ]);
    }
    for (const [to, distance] of row.entries()) {
      if (!isPossible(distance, from === to)) throw badDistance(from, to, distance);
    }
  }
}

/** @throws MisuseError if one of `nodes` has no row in a table that is sound */
export function requireNodes(distances: readonly (readonly number[])[], nodes: readonly NodeId[]): void {
  const missing = nodes.find((node) => node >= distances.length);
  if (missing === undefined) return;
  throw new MisuseError(`The table of distances does not know node ${missing}.`, [
    `nodes in the table: 0 … ${distances.length - 1}`,
  ]);
}

function isPossible(distance: number, isLocal: boolean): boolean {
  if (isLocal) return distance === LOCAL_DISTANCE;
  return Number.isInteger(distance) && distance > LOCAL_DISTANCE && distance < UNREACHABLE;
}

function badDistance(from: NodeId, to: NodeId, distance: number): MisuseError {
  const allowed = `${LOCAL_DISTANCE} from a node to itself, else ${LOCAL_DISTANCE + 1} … ${UNREACHABLE - 1}`;
  const details = [`given: ${distance}`, `allowed: ${allowed}`];
  if (distance === UNREACHABLE)
    details.push('255 means that a node cannot be reached: take it out of the machine.');
  return new MisuseError(`The distance from node ${from} to node ${to} is impossible.`, details);
}

/** Every node's own order, computed once. */
class DistanceOrder implements FallbackOrder {
  /** Nodes that have EPC, nearest first, by node of the caller. */
  readonly #orders: readonly (readonly NodeId[])[];

  constructor(distances: readonly (readonly number[])[], nodes: readonly NodeId[]) {
    this.#orders = distances.map((row, from) => {
      const turn = (node: NodeId): number => (node - from + distances.length) % distances.length;
      const distance = (node: NodeId): number => row[node] as number;
      return [...nodes].sort((a, b) => distance(a) - distance(b) || turn(a) - turn(b));
    });
  }

  start(from: NodeId): NodeId {
    return this.#orderFrom(from)[0] ?? NONE;
  }

  next(from: NodeId, _start: NodeId, node: NodeId): NodeId {
    const order = this.#orderFrom(from);
    return order[order.indexOf(node) + 1] ?? NONE;
  }

  #orderFrom(from: NodeId): readonly NodeId[] {
    const order = this.#orders[from];
    if (order !== undefined) return order;
    throw new MisuseError(`The table of distances does not know node ${from}, which has CPUs.`, [
      `nodes in the table: 0 … ${this.#orders.length - 1}`,
    ]);
  }
}
