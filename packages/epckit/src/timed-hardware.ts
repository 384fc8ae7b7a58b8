import type { LeafTimes } from '@epckit/hardware';
import type { FrameTable, LeafId, PageIndex } from '@epckit/interface';
import { Cost, Leaf } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';

/**
 * Cost entry of each leaf that overlaps with others while it runs. For the others it does not matter when they begin; those
 * of a host on pages of guests, such as ETRACKC, are paid for and take effect at their end.
 */
const costOf: ReadonlyMap<LeafId, number> = new Map([
  [Leaf.ECREATE, Cost.ECREATE],
  [Leaf.EADD, Cost.EADD],
  [Leaf.EEXTEND, Cost.EEXTEND],
  [Leaf.EINIT, Cost.EINIT],
  [Leaf.EREMOVE, Cost.EREMOVE],
  [Leaf.EAUG, Cost.EAUG],
  [Leaf.EACCEPT, Cost.EACCEPT],
  [Leaf.EMODT, Cost.EMODT],
  [Leaf.EMODPR, Cost.EMODPR],
  [Leaf.EMODPE, Cost.EMODPE],
  [Leaf.EPA, Cost.EPA],
  [Leaf.EBLOCK, Cost.EBLOCK],
  [Leaf.ETRACK, Cost.ETRACK],
  [Leaf.EWB, Cost.EWB],
  [Leaf.ELDU, Cost.ELDU],
  [Leaf.ELDB, Cost.ELDU],
  [Leaf.EENTER, Cost.EENTER],
  [Leaf.ERESUME, Cost.ERESUME],
]);

/** What the hardware has to know of the timed world of `machine`: nothing in the other worlds. */
export interface TimedHardware {
  /** Makes up for what lags before tracking counters are read. */
  readonly beforeTracking: (secs: PageIndex) => void;
  /** When leaves begin and end. */
  readonly times: LeafTimes;
}

/** Ties the hardware to the timed world: leaves take the cycles of the cost table, and exits may lag. */
export function timedHardware(machine: Machine, frames: FrameTable): TimedHardware {
  const runningOn = (cpu: number): MachineThread | null => {
    const { running } = machine;
    // The leaves of an interrupt run within the sender's step.
    return running !== null && running.cpu === cpu && machine.world === 'timed' ? running : null;
  };
  const cycles = cyclesByLeaf(machine);
  const refused = machine.costs[Cost.EWB_REFUSED] as number;
  return {
    beforeTracking: (secs) => {
      const running = machine.world === 'timed' ? machine.running : null;
      if (running !== null) machine.catchUp(running, frames.owner(secs));
    },
    times: {
      endOf: (cpu) => runningOn(cpu)?.clock ?? -1,
      cyclesOf: (leaf, cpu) => {
        const isRefused = leaf === Leaf.EWB && runningOn(cpu)?.lastCost === Cost.EWB_REFUSED;
        return isRefused ? refused : (cycles[leaf] ?? 0);
      },
    },
  };
}

/** Cycles of each leaf; those without an entry take none. */
function cyclesByLeaf({ costs }: Machine): Float64Array {
  const cycles = new Float64Array(Math.max(...costOf.keys()) + 1);
  for (const [leaf, cost] of costOf) cycles[leaf] = costs[cost] as number;
  return cycles;
}
