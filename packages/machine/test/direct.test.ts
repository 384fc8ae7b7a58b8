import type { Mutex, SpinLock } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { MachineThread } from '../src/index.js';
import { compute, hold, kernelThreadOn, machineOf, take, taskOn } from './set-up.js';

/** Cycles in which a driver expects some change; a quarter of them is what one turn costs below. */
const FUEL_CYCLES = 2 ** 32;

function* loop(thread: MachineThread, turns: number, onTurn: () => void = () => {}) {
  for (let i = 0; i < turns; i++) {
    onTurn();
    if (thread.turn('numa.walk', 3)) yield thread.changeWaiting;
    if (thread.clock > thread.limit) yield thread.signalReading;
  }
  return turns;
}

describe('direct world', () => {
  it('runs a routine to its end and returns its result, without a stop', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    let stops = 0;
    const routine = function* () {
      for (let i = 0; i < 100; i++) {
        if (thread.spendCycles(Cost.COMPUTE, 1000) > thread.limit) {
          stops++;
          yield thread.signalReading;
        }
      }
      return 'done';
    };
    expect([machine.run(thread, routine()), stops, thread.clock]).toEqual(['done', 0, 100_000]);
    expect(thread.routine).toBe(null);
  });

  it('passes an error on and can be used again', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const fails = function* () {
      yield* compute(thread, 1);
      throw new Error('broken');
    };
    expect(() => machine.run(thread, fails())).toThrow('broken');
    expect(() => machine.run(thread, compute(thread, 1))).not.toThrow();
  });

  it('ends a loop that changes nothing, and names its place', () => {
    const machine = machineOf(1, { STEP: FUEL_CYCLES / 4 });
    const thread = taskOn(machine, 0);
    expect(() => machine.run(thread, loop(thread, 1000))).toThrow(
      expect.objectContaining({
        code: 'EPCKIT_INVARIANT',
        message: 'task 0 loops without end at numa.walk.',
        details: ['last turn: 3', `nothing has changed for ${FUEL_CYCLES} cycles`],
      }),
    );
  });

  it('ends a loop without turns too', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const forever = function* () {
      for (;;) yield* compute(thread, FUEL_CYCLES / 4);
    };
    expect(() => machine.run(thread, forever())).toThrow('task 0 loops without end at an unnamed place.');
  });

  it('lets a long loop go on as long as something changes', () => {
    const machine = machineOf(1, { STEP: FUEL_CYCLES / 4 });
    const thread = taskOn(machine, 0);
    let changes = 0;
    machine.changes = () => changes;
    const result = machine.run(
      thread,
      loop(thread, 1000, () => changes++),
    );
    expect(result).toBe(1000);
  });

  it('ends a kernel thread that loops', () => {
    const machine = machineOf(1, { STEP: FUEL_CYCLES / 4 });
    const daemon = kernelThreadOn(machine, 0);
    machine.start(daemon, loop(daemon, 1000));
    expect(() => machine.runKernelThreads()).toThrow('daemon 0 loops without end at numa.walk.');
  });

  it('does not take wake-ups for a loop', () => {
    const machine = machineOf(3, { WAKEUP: 10 });
    const user = taskOn(machine, 0);
    const queues = [1, 2].map((cpu) => {
      const queue = machine.waitQueue(`queue ${cpu}`);
      const daemon = kernelThreadOn(machine, cpu);
      queue.prepare(daemon);
      machine.start(daemon, queue.sleep(daemon));
      return queue;
    });
    machine.runKernelThreads();
    const waking = function* () {
      for (const queue of queues) {
        expect(queue.wake(user)).toBe(true);
        yield* compute(user, 1000);
      }
    };
    expect(() => machine.run(user, waking())).not.toThrow();
  });
});

describe('a thread that blocks in the direct world', () => {
  it('lets kernel threads run until it can go on', () => {
    const machine = machineOf(2);
    const user = taskOn(machine, 0);
    const daemon = kernelThreadOn(machine, 1);
    const lock = machine.mutex('encl');
    const queue = machine.waitQueue('queue');
    const serving = function* () {
      yield* take(daemon, lock);
      queue.prepare(daemon);
      yield* queue.sleep(daemon);
      lock.release(daemon);
    };
    machine.start(daemon, serving());
    machine.runKernelThreads();
    const asking = function* () {
      queue.wake(user);
      yield* take(user, lock);
      return lock.isHeldBy(user);
    };
    expect(machine.run(user, asking())).toBe(true);
  });

  it('lets them run as often as it takes', () => {
    const machine = machineOf(3);
    const user = taskOn(machine, 0);
    const [first, second] = [kernelThreadOn(machine, 1), kernelThreadOn(machine, 2)];
    const [wanted, needed] = [machine.mutex('wanted'), machine.mutex('needed')];
    const queue = machine.waitQueue('queue');
    // The first has what the user wants and waits for the second, which comes later in the order.
    const chain = function* () {
      yield* take(first, wanted);
      yield* take(first, needed);
      needed.release(first);
      wanted.release(first);
    };
    const end = function* () {
      yield* take(second, needed);
      queue.prepare(second);
      yield* queue.sleep(second);
      needed.release(second);
    };
    machine.start(second, end());
    machine.runKernelThreads();
    machine.start(first, chain());
    machine.runKernelThreads();
    const asking = function* () {
      queue.wake(user);
      yield* hold(user, wanted, 1);
      return 'done';
    };
    expect(machine.run(user, asking())).toBe('done');
  });

  it('is a deadlock when nobody can run: every waiter, what it waits for and who holds it', () => {
    const machine = machineOf(2);
    const user = taskOn(machine, 0);
    const daemon = kernelThreadOn(machine, 1, 'ksgxd');
    const [a, b] = [machine.mutex('a'), machine.mutex('b')];
    machine.run(user, take(user, b));
    const crossing = function* () {
      yield* take(daemon, a);
      yield* take(daemon, b);
    };
    machine.start(daemon, crossing());
    machine.runKernelThreads();
    expect(() => machine.run(user, take(user, a))).toThrow(
      expect.objectContaining({
        message: 'task 0, ksgxd wait for each other.',
        details: ['task 0 waits for a held by ksgxd, holds b', 'ksgxd waits for b held by task 0, holds a'],
      }),
    );
  });
});

describe('an interposer', () => {
  /** Takes and gives back `lock` with a point inside and one after it. */
  function* work(thread: MachineThread, lock: SpinLock | Mutex, log: string[]) {
    yield* take(thread, lock);
    yield* compute(thread, 1);
    log.push(`${thread.name} works`);
    lock.release(thread);
    yield* compute(thread, 1);
    log.push(`${thread.name} ends`);
  }

  it('is asked at every point and may run others there', () => {
    const machine = machineOf(2);
    const [first, second] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.mutex('m');
    const log: string[] = [];
    machine.interposer = {
      atPoint: (thread) => {
        if (thread !== first || log.length === 0 || thread.held.length > 0) return;
        machine.interposer = null;
        machine.run(second, work(second, lock, log));
      },
    };
    machine.run(first, work(first, lock, log));
    expect(log).toEqual(['task 0 works', 'task 1 works', 'task 1 ends', 'task 0 ends']);
    expect(machine.interposer).toBe(null);
  });

  it('is asked at the end of a routine too, and never under a spinlock', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const held: number[] = [];
    machine.interposer = { atPoint: ({ spinDepth }) => void held.push(spinDepth) };
    machine.run(thread, work(thread, machine.spinLock('s'), []));
    machine.interposer = null;
    expect(held.length).toBeGreaterThan(2);
    expect(new Set(held)).toEqual(new Set([0]));
  });

  it('may use the thread that it has stopped', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const lock = machine.mutex('m');
    const log: string[] = [];
    machine.interposer = {
      atPoint: () => {
        machine.interposer = null;
        machine.run(thread, work(thread, lock, log));
      },
    };
    machine.run(thread, work(thread, lock, log));
    expect(log).toHaveLength(4);
    expect(thread.routine).toBe(null);
  });

  it('does not resume a kernel thread that it has stopped', () => {
    const machine = machineOf(1);
    const daemon = kernelThreadOn(machine, 0);
    const log: string[] = [];
    machine.interposer = { atPoint: () => machine.runKernelThreads() };
    machine.start(daemon, work(daemon, machine.mutex('m'), log));
    machine.runKernelThreads();
    machine.interposer = null;
    expect(log).toEqual(['daemon 0 works', 'daemon 0 ends']);
  });
});
