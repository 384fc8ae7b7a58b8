import type { FrameTable, NodeId, Routine } from '@epckit/interface';
import { MisuseError, NONE } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import type { DaemonOptions } from '@epckit/reclaim';
import type { EpcOptions, ReclaimSettings } from './options.js';
import type { SharedCpu } from './shared-cpu.js';

/** A reclaim daemon before the machine is made. */
interface DaemonPlan {
  /** Node that it watches; `-1`: all. */
  readonly watched: NodeId;
  /** Node of its CPU. */
  readonly node: NodeId;
  /** User CPU that it shares; `-1`: it has one of its own. */
  readonly shared: number;
}

/** Where the daemons of a stack run and what each of them watches. */
export class DaemonPlans {
  readonly #plans: readonly DaemonPlan[];

  /**
   * @param nodes - nodes that have EPC, ascending
   * @throws MisuseError for a number of daemons that is impossible
   */
  constructor(
    settings: Required<ReclaimSettings>,
    cpus: EpcOptions['machine']['cpus'],
    nodes: readonly NodeId[],
  ) {
    const { daemonNodes, daemonPlacement, daemons } = settings;
    const isPerNode = daemonNodes === 'perNode';
    const count = isPerNode && daemons === 1 ? nodes.length : daemons;
    checkCount(count, isPerNode ? nodes : null);
    const cpuNodes = [...new Set(cpus.map(({ node }) => node))];
    this.#plans = Array.from({ length: count }, (_, index) => {
      const watched = isPerNode ? (nodes[index] as NodeId) : NONE;
      const node = isPerNode ? watched : (cpuNodes[index % cpuNodes.length] as NodeId);
      const cpuOfNode = cpus.findIndex((cpu) => cpu.node === node);
      const sharedCpu = isPerNode ? Math.max(cpuOfNode, 0) : index % cpus.length;
      return { watched, node, shared: daemonPlacement === 'shared' ? sharedCpu : NONE };
    });
  }

  /** CPUs that the daemons have for themselves, after those of the user. */
  get ownCpus(): EpcOptions['machine']['cpus'] {
    return this.#plans.filter(({ shared }) => shared === NONE).map(({ node }) => ({ node }));
  }

  /** Makes the threads, the daemon that cleans the EPC first. `userCpus`: number of CPUs of the user. */
  createThreads(machine: Machine, userCpus: number): readonly [MachineThread, ...MachineThread[]] {
    const threads = this.#plans.map(({ shared }, index) => {
      const name = this.#plans.length === 1 ? 'ksgxd' : `ksgxd${index}`;
      return machine.createThread({ name, cpu: shared === NONE ? userCpus + index : shared, isKernel: true });
    });
    return threads as [MachineThread, ...MachineThread[]];
  }

  /** What the reclaimer is told of the daemons. */
  optionsOf(threads: readonly MachineThread[]): readonly DaemonOptions[] {
    return this.#plans.map(({ watched }, index) => {
      return { thread: (threads[index] as MachineThread).id, node: watched };
    });
  }
}

/**
 * What a daemon does to the user CPU that it shares: the direct and the explored world do not switch threads, so the
 * enclave thread there leaves and comes back as by an interrupt.
 */
export function takesCpu(machine: Machine, cpus: readonly SharedCpu[]) {
  return ({ cpu }: { readonly cpu: number }, isRunning: boolean): void => {
    // In the timed world the change of threads has seen to it.
    if (machine.world === 'timed') return;
    if (isRunning) cpus[cpu]?.interrupt();
    else cpus[cpu]?.resumeAfterInterrupt();
  };
}

/** A boot that does nothing, for the daemons after the first. */
export function* nothing(): Routine<void> {}

/** Nodes that have EPC, ascending. */
export function nodesOf(
  sections: FrameTable['sections'] | readonly { readonly node: NodeId }[],
): readonly NodeId[] {
  return [...new Set(sections.map(({ node }) => node))].sort((a, b) => a - b);
}

function checkCount(count: number, nodes: readonly NodeId[] | null): void {
  if (!Number.isInteger(count) || count < 1) {
    throw new MisuseError(`There must be a whole number of reclaim daemons, at least 1, not ${count}.`);
  }
  if (nodes !== null && count !== nodes.length) {
    throw new MisuseError('Reclaim daemons per node are as many as nodes with EPC.', [
      `given: ${count}`,
      `nodes with EPC: ${nodes.join(', ')}`,
    ]);
  }
}
