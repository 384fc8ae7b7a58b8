import type { HardwareModel } from '@epckit/hardware';
import type { CpuId, FrameTable, LeafResult, NodeId, PageIndex } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import { LOCAL_DISTANCE } from '@epckit/numa';

/** Distance that the cost entry `NUMA_REMOTE` is meant for: the usual one of two sockets in firmware tables. */
const REMOTE_DISTANCE = 21;

/** What makes pages of other nodes cost more. */
export interface RemotePagesParts {
  /** Runs the threads that pay. */
  readonly machine: Machine;
  /** Nodes of the pages. */
  readonly frames: FrameTable;
  /** Node of each CPU. */
  readonly nodeOfCpu: readonly NodeId[];
  /** Distances between nodes; null: every other node is equally far. */
  readonly distances: readonly (readonly number[])[] | null;
}

type PageLeaf = (cpu: CpuId, page: PageIndex, ...operands: never[]) => LeafResult;

/**
 * Leaves that move all 64 lines of an EPC page cost `NUMA_REMOTE` more when the page is on another node than the CPU:
 * EADD, EAUG, EACCEPTCOPY, EWB and the loads. With distances the entry grows in proportion to the distance beyond the
 * local one and is meant for 21. The thread pays after the leaf.
 *
 * @returns `hardware` itself; machines with one node, and cost tables without the entry, leave it as it is
 */
export function chargeRemotePages(hardware: HardwareModel, parts: RemotePagesParts): HardwareModel {
  const { machine, frames, nodeOfCpu } = parts;
  const nodes = new Set([...nodeOfCpu, ...frames.sections.map(({ node }) => node)]);
  const extra = remoteCycles(parts, Math.max(...nodes) + 1);
  if (nodes.size === 1 || (machine.costs[Cost.NUMA_REMOTE] as number) === 0) return hardware;
  const charged = (leaf: PageLeaf): PageLeaf => {
    return (cpu, page, ...operands) => {
      const result = leaf.call(hardware, cpu, page, ...operands);
      const cycles = extra[nodeOfCpu[cpu] as NodeId]?.[frames.node(page)] ?? 0;
      if (cycles > 0) machine.running?.spendCycles(Cost.NUMA_REMOTE, cycles);
      return result;
    };
  };
  const leaves = hardware as unknown as Record<string, PageLeaf>;
  for (const name of ['eadd', 'eaug', 'eacceptcopy', 'ewb', 'eldu', 'eldb', 'elduc', 'eldbc']) {
    const leaf = leaves[name];
    if (leaf !== undefined) leaves[name] = charged(leaf);
  }
  return hardware;
}

/** Cycles by node of the CPU and node of the page. */
function remoteCycles(
  { machine, distances }: RemotePagesParts,
  count: number,
): readonly (readonly number[])[] {
  const cycles = machine.costs[Cost.NUMA_REMOTE] as number;
  return Array.from({ length: count }, (_, from) => {
    return Array.from({ length: count }, (__, to) => {
      if (from === to) return 0;
      const distance = distances?.[from]?.[to] ?? REMOTE_DISTANCE;
      return Math.round((cycles * (distance - LOCAL_DISTANCE)) / (REMOTE_DISTANCE - LOCAL_DISTANCE));
    });
  });
}
