import type { Routine } from '@epckit/interface';
import { Cost, InvariantViolation } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MachineThread } from '../src/index.js';
import type { Action, Event, NaiveCosts, Program } from './naive-timed.js';
import { NaiveTimed } from './naive-timed.js';
import { compute, machineOf, take } from './set-up.js';

/** Runs the programs on the machine. */
function runModel(programs: readonly Program[], cpuCount: number, costs: NaiveCosts, isStrict = false) {
  const machine = machineOf(
    cpuCount,
    {
      LOCK_FAST: costs.lock,
      LOCK_LOCAL: costs.transfer,
      WAKEUP: costs.wakeUp,
      CONTEXT_SWITCH: costs.contextSwitch,
    },
    { timed: { sliceCycles: costs.slice, isStrict } },
  );
  const log: Event[] = [];
  const queue = machine.waitQueue('queue');
  const mutexes = ['mutex 0', 'mutex 1'].map((name) => machine.mutex(name));
  const spinLocks = ['spin 0', 'spin 1'].map((name) => machine.spinLock(name));
  const threads = programs.map(({ cpu, isKernel }, id) => {
    return machine.createThread({ name: `task ${id}`, cpu, isKernel });
  });

  function* perform(thread: MachineThread, action: Action, record: () => void): Routine<void> {
    switch (action.do) {
      case 'compute':
        yield* compute(thread, action.cycles);
        return record();
      case 'lock':
        yield* take(thread, mutexes[action.lock] as never);
        return record();
      case 'unlock':
        return mutexes[action.lock]?.release(thread);
      case 'section': {
        const lock = spinLocks[action.lock] as (typeof spinLocks)[0];
        yield* take(thread, lock);
        record();
        thread.spendCycles(0, action.cycles);
        return lock.release(thread);
      }
      case 'sleep':
        yield* compute(thread, 0);
        queue.prepare(thread);
        yield* queue.sleep(thread);
        queue.finish(thread);
        return record();
      case 'wake':
        yield* compute(thread, 0);
        record();
        queue.wake(thread);
    }
  }

  for (const [id, thread] of threads.entries()) {
    const { actions } = programs[id] as Program;
    const routine = function* () {
      for (const [at, action] of actions.entries()) {
        yield* perform(thread, action, () => log.push([thread.clock, id, at]));
      }
    };
    machine.start(thread, routine());
  }
  let isDone = true;
  try {
    machine.runTimed();
  } catch (error) {
    if (!(error instanceof InvariantViolation)) throw error;
    isDone = false;
  }
  return { log, isDone, clocks: threads.map(({ clock }) => clock), threads, machine };
}

const cycles = fc.integer({ min: 0, max: 12 });
const compute1 = fc.record({ do: fc.constant('compute' as const), cycles });
const section = fc.record({ do: fc.constant('section' as const), lock: fc.nat(1), cycles });
const leaf = fc.oneof(compute1, compute1, section);
const locked = fc
  .tuple(fc.nat(1), fc.array(leaf, { maxLength: 3 }))
  .map(([lock, inner]): Action[] => [{ do: 'lock', lock }, ...inner, { do: 'unlock', lock }]);
const signal = fc.constantFrom<Action>({ do: 'sleep' }, { do: 'wake' }, { do: 'wake' });
const block = fc.oneof(
  leaf.map((action): Action[] => [action]),
  locked,
  signal.map((action) => [action]),
);
const program = (cpuCount: number) =>
  fc.record({
    cpu: fc.nat(cpuCount - 1),
    isKernel: fc.boolean(),
    actions: fc.array(block, { maxLength: 8 }).map((blocks) => blocks.flat()),
  });
const programs = fc
  .integer({ min: 2, max: 4 })
  .chain((cpuCount) =>
    fc.tuple(fc.constant(cpuCount), fc.array(program(cpuCount), { minLength: 1, maxLength: 6 })),
  );
const costs = fc.record({
  lock: fc.nat(3),
  transfer: fc.nat(3),
  wakeUp: fc.nat(10),
  contextSwitch: fc.nat(5),
  slice: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.constant(1000)),
});
const free: NaiveCosts = { lock: 0, transfer: 0, wakeUp: 0, contextSwitch: 0, slice: 1000 };

describe('timed world', () => {
  it('does the same in the same order at the same times as a simulation without look-ahead', () => {
    fc.assert(
      fc.property(programs, costs, ([cpuCount, threads], cost) => {
        const naive = new NaiveTimed(threads, cpuCount, cost);
        const isDone = naive.run();
        const model = runModel(threads, cpuCount, cost);
        expect(model.log).toEqual(naive.log);
        expect(model.isDone).toBe(isDone);
        expect(model.clocks).toEqual(naive.clocks);
      }),
      { numRuns: 1000 },
    );
  });

  it('has events in order of (time, CPU) when nobody shares anything', () => {
    const alone = fc
      .array(fc.array(compute1, { maxLength: 20 }), { minLength: 2, maxLength: 4 })
      .map((threads) => threads.map((actions, cpu): Program => ({ cpu, isKernel: false, actions })));
    fc.assert(
      fc.property(alone, (threads) => {
        const { log } = runModel(threads, threads.length, free);
        const sorted = log.toSorted(([a, cpuA, atA], [b, cpuB, atB]) => a - b || cpuA - cpuB || atA - atB);
        expect(log).toEqual(sorted);
        expect(log).toHaveLength(threads.flatMap(({ actions }) => actions).length);
      }),
    );
  });

  it('does the same when every point stops', () => {
    fc.assert(
      fc.property(programs, costs, ([cpuCount, threads], cost) => {
        const fast = runModel(threads, cpuCount, cost);
        const strict = runModel(threads, cpuCount, cost, true);
        expect(strict.log).toEqual(fast.log);
        expect(facts(strict)).toBe(facts(fast));
      }),
    );
  });

  it('does the same twice, and charges every cycle to an entry', () => {
    fc.assert(
      fc.property(programs, costs, ([cpuCount, threads], cost) => {
        const [first, second] = [runModel(threads, cpuCount, cost), runModel(threads, cpuCount, cost)];
        expect(first.log).toEqual(second.log);
        for (const thread of first.threads) expect(sum(thread.cycles)).toBe(thread.clock);
      }),
    );
  });

  it('spends the time of every CPU on a cause or idle, and waits for locks as long as their statistics say', () => {
    fc.assert(
      fc.property(programs, costs, ([cpuCount, threads], cost) => {
        const naive = new NaiveTimed(threads, cpuCount, cost);
        naive.run();
        const run = runModel(threads, cpuCount, cost);
        const end = Math.max(...run.clocks, 0);
        for (let cpu = 0; cpu < cpuCount; cpu++) {
          const { startedAt, clock, idle, cycles } = run.machine.timeOf(cpu);
          expect([startedAt, idle + sum(cycles)]).toEqual([0, clock]);
          expect(clock).toBeGreaterThanOrEqual(end === 0 || run.isDone ? end : 0);
        }
        const waited = run.machine.lockStatistics().reduce((all, { waitCycles }) => all + waitCycles, 0);
        expect(waited).toBe(naive.waited);
        expect(waited).toBe(
          run.threads.reduce((all, { cycles }) => all + (cycles[Cost.LOCK_WAIT] as number), 0),
        );
      }),
    );
  });
});

function sum(cycles: Float64Array): number {
  return cycles.reduce((all, value) => all + value, 0);
}

/** Everything that a run says about time. */
function facts({ machine, threads }: ReturnType<typeof runModel>): string {
  const cpus = threads.map(({ cpu }) => machine.timeOf(cpu));
  const spent = threads.map(({ clock, cycles, counts }) => [clock, [...cycles], [...counts]]);
  return JSON.stringify([
    cpus.map(({ clock, idle, cycles }) => [clock, idle, [...cycles]]),
    spent,
    machine.lockStatistics(),
  ]);
}
