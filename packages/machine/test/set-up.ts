import type { CostName, Lock, Op, Routine, Schedule, Thread } from '@epckit/interface';
import { COST_COUNT, Cost } from '@epckit/interface';
import type { Machine, MachineOptions, MachineThread } from '../src/index.js';
import { createMachine } from '../src/index.js';

/** A machine on which only the entries of `cycles` cost anything; `options`: checking mode, or more. */
export function machineOf(
  cpuCount: number,
  cycles: Partial<Record<CostName, number>> = {},
  options: boolean | Partial<MachineOptions> = {},
): Machine {
  const costs = new Float64Array(COST_COUNT);
  for (const [name, value] of Object.entries(cycles)) costs[Cost[name as CostName]] = value;
  const cpus = Array.from({ length: cpuCount }, () => ({ node: 0 }));
  const more = typeof options === 'boolean' ? { checking: options } : options;
  return createMachine({ cpus, costs, ...more });
}

/** A user thread on `cpu`. */
export function taskOn(machine: Machine, cpu: number, name = `task ${cpu}`): MachineThread {
  return machine.createThread({ name, cpu });
}

/** A kernel thread on `cpu`. */
export function kernelThreadOn(machine: Machine, cpu: number, name = `daemon ${cpu}`): MachineThread {
  return machine.createThread({ name, cpu, isKernel: true });
}

/** A point after `cycles` of work. */
export function* compute(thread: Thread, cycles: number): Routine<void> {
  if (thread.spendCycles(Cost.COMPUTE, cycles) > thread.limit) yield thread.signalReading;
}

/** Takes a spinlock or mutex. */
export function* take(thread: Thread, lock: Lock): Routine<void> {
  while (lock.mustWait(thread)) yield lock.acquire;
}

/** Holds `lock` for `cycles`. */
export function* hold(thread: Thread, lock: Lock, cycles: number): Routine<void> {
  yield* take(thread, lock);
  yield* compute(thread, cycles);
  lock.release(thread);
}

/** A schedule that lets `prefer` choose by the names of those who can run; `-1` and no answer: the first. */
function scheduleOf(prefer: (enabled: readonly string[]) => string | undefined): Schedule {
  return {
    begin: () => true,
    choose(enabled: readonly Thread[], _pending: readonly Op[]) {
      const names = enabled.map((thread) => thread.name);
      return Math.max(0, names.indexOf(prefer(names) ?? ''));
    },
  };
}

/** A schedule that runs threads in the order of `names`, one step each, and then the first that can run. */
export function scheduleInOrder(names: readonly string[]): Schedule {
  const left = [...names];
  return scheduleOf(() => left.shift());
}
