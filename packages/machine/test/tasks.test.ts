import type { Routine } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { MachineThread } from '../src/index.js';
import { compute, hold, kernelThreadOn, machineOf, take, taskOn } from './set-up.js';

function* works(thread: MachineThread, log: string[], steps: number, cycles: number) {
  for (let i = 0; i < steps; i++) {
    yield* compute(thread, cycles);
    log.push(`${thread.clock} ${thread.name}`);
  }
}

describe('tasks of one CPU', () => {
  it('take turns when the slice of the running one is over, at its next point', () => {
    const machine = machineOf(1, { CONTEXT_SWITCH: 5 }, { timed: { sliceCycles: 25 } });
    const log: string[] = [];
    const tasks = ['a', 'b'].map((name) => taskOn(machine, 0, name));
    for (const task of tasks) machine.start(task, works(task, log, 4, 10));
    machine.runTimed();
    // a is switched out at 30, having paid for its third step; b at 65; and so on.
    expect(log).toEqual(['10 a', '20 a', '45 b', '55 b', '70 a', '80 a', '85 b', '95 b']);
    expect(tasks.map(({ counts }) => counts[Cost.CONTEXT_SWITCH])).toEqual([1, 2]);
    expect(tasks.map(({ cycles }) => cycles[Cost.CPU_WAIT])).toEqual([35, 45]);
    const { idle, clock, cycles } = machine.timeOf(0);
    expect([idle, clock, cycles[Cost.COMPUTE], cycles[Cost.CONTEXT_SWITCH]]).toEqual([0, 95, 80, 15]);
  });

  it('are first come, first served: who is switched out goes to the end of the queue', () => {
    const machine = machineOf(1, {}, { timed: { sliceCycles: 1 } });
    const log: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const task = taskOn(machine, 0, name);
      machine.start(task, works(task, log, 2, 10));
    }
    machine.runTimed();
    expect(log.map((line) => line.slice(-1)).join('')).toBe('abcabc');
  });

  it('are not switched out in a spinlock section, nor while they wait for one', () => {
    const machine = machineOf(2, {}, { timed: { sliceCycles: 10 } });
    const [holder, other, neighbour] = [taskOn(machine, 0), taskOn(machine, 1), taskOn(machine, 1, 'other')];
    const lock = machine.spinLock('lock');
    const log: string[] = [];
    machine.start(holder, hold(holder, lock, 500));
    machine.start(
      other,
      (function* () {
        yield* compute(other, 5);
        yield* take(other, lock);
        log.push(`${other.clock} in`);
        for (let i = 0; i < 3; i++) yield* compute(other, 100);
        log.push(`${other.clock} out`);
        lock.release(other);
        yield* compute(other, 1);
        log.push(`${other.clock} after`);
      })(),
    );
    machine.start(neighbour, works(neighbour, log, 1, 10));
    machine.runTimed();
    expect(log).toEqual(['500 in', '800 out', '811 after', '811 other']);
    // Waiting for a spinlock is busy time of the CPU.
    expect(machine.timeOf(1).cycles[Cost.LOCK_WAIT]).toBe(495);
  });

  it('leave the CPU when they wait for a mutex, and are switched to when they have got it', () => {
    const machine = machineOf(2, { CONTEXT_SWITCH: 40 });
    const [holder, waiter] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.mutex('lock');
    machine.start(holder, hold(holder, lock, 100));
    machine.start(waiter, hold(waiter, lock, 10));
    machine.runTimed();
    expect(waiter.clock).toBe(150);
    const { idle, cycles } = machine.timeOf(1);
    expect([idle, cycles[Cost.CONTEXT_SWITCH], cycles[Cost.LOCK_WAIT]]).toEqual([100, 40, 0]);
    expect(machine.lockStatistics()).toEqual([
      {
        name: 'lock',
        acquisitions: 2,
        contended: 1,
        transfers: 1,
        waitCycles: 100,
        longestWaitCycles: 100,
        holdCycles: 110,
      },
    ]);
  });

  /** `user` works on CPU 0, where a kernel thread sleeps that CPU 1 wakes at 50. */
  function withWokenDaemon(sliceCycles: number, work: (user: MachineThread, log: string[]) => Routine<void>) {
    const machine = machineOf(2, { WAKEUP: 10 }, { timed: { sliceCycles } });
    const daemon = kernelThreadOn(machine, 0, 'daemon');
    const [user, waker] = [taskOn(machine, 0, 'user'), taskOn(machine, 1)];
    const queue = machine.waitQueue('queue');
    const log: string[] = [];
    machine.start(
      daemon,
      (function* () {
        queue.prepare(daemon);
        yield* queue.sleep(daemon);
        yield* works(daemon, log, 2, 30);
      })(),
    );
    machine.start(user, work(user, log));
    machine.start(
      waker,
      (function* () {
        yield* compute(waker, 50);
        queue.wake(waker);
      })(),
    );
    return { machine, daemon, user, log };
  }

  it('make room for a kernel thread that is woken, and go on with the rest of their slice', () => {
    const { machine, daemon, user, log } = withWokenDaemon(500, (thread, log) => works(thread, log, 4, 300));
    const other = taskOn(machine, 0, 'other');
    machine.start(other, works(other, log, 2, 10));
    machine.runTimed();
    // The user's second step ends at 660: 500 of its slice are over, and the other task comes.
    const expected = ['330 daemon', '360 daemon', '360 user', '670 other', '680 other', '680 user'];
    expect(log.slice(0, expected.length)).toEqual(expected);
    expect([daemon.cycles[Cost.CPU_WAIT], user.cycles[Cost.CPU_WAIT]]).toEqual([240, 80]);
  });

  it('do not make room for it while they hold a lock', () => {
    const { machine, log } = withWokenDaemon(1000, function* (user, lines) {
      const lock = machine.mutex('lock');
      yield* take(user, lock);
      yield* works(user, lines, 3, 100);
      lock.release(user);
      yield* works(user, lines, 2, 100);
    });
    machine.runTimed();
    expect(log).toEqual([
      '100 user',
      '200 user',
      '300 user',
      '430 daemon',
      '460 daemon',
      '460 user',
      '560 user',
    ]);
  });

  it('keep a slice between kernel threads: a woken one waits for that of the other', () => {
    const machine = machineOf(1, { WAKEUP: 10 }, { timed: { sliceCycles: 1000 } });
    const [sleeper, worker] = [kernelThreadOn(machine, 0, 'sleeper'), kernelThreadOn(machine, 0, 'worker')];
    const queue = machine.waitQueue('queue');
    const log: string[] = [];
    machine.start(
      sleeper,
      (function* () {
        queue.prepare(sleeper);
        yield* queue.sleep(sleeper);
        log.push(`${sleeper.clock} sleeper`);
      })(),
    );
    machine.start(
      worker,
      (function* () {
        queue.wake(worker);
        yield* works(worker, log, 4, 300);
      })(),
    );
    machine.runTimed();
    expect(log).toEqual(['300 worker', '600 worker', '900 worker', '1200 sleeper', '1200 worker']);
  });

  it('are told apart to who must know of switches, who may charge the one that leaves', () => {
    const machine = machineOf(1, { CONTEXT_SWITCH: 5 }, { timed: { sliceCycles: 25 } });
    const log: string[] = [];
    machine.onSwitch = (cpu, from, to) => {
      log.push(`CPU ${cpu}: ${from.name} to ${to.name} at ${from.clock}`);
      if (from.routine !== null) from.spendCycles(Cost.AEX, 100);
    };
    for (const name of ['a', 'b']) {
      const task = taskOn(machine, 0, name);
      machine.start(task, works(task, [], 4, 10));
    }
    machine.runTimed();
    expect(log).toEqual(['CPU 0: a to b at 30', 'CPU 0: b to a at 165', 'CPU 0: a to b at 280']);
    expect(machine.timeOf(0).cycles[Cost.AEX]).toBe(200);
  });

  it('may start while the world runs', () => {
    const machine = machineOf(2);
    const [first, second] = [taskOn(machine, 0, 'first'), taskOn(machine, 1, 'second')];
    const log: string[] = [];
    machine.start(
      first,
      (function* () {
        yield* compute(first, 100);
        machine.start(second, works(second, log, 1, 10));
        yield* compute(first, 100);
        log.push(`${first.clock} first`);
      })(),
    );
    machine.runTimed();
    expect(log).toEqual(['110 second', '200 first']);
    expect(machine.currentOf(0)).toBeNull();
  });

  it('need a slice', () => {
    expect(() => machineOf(1, {}, { timed: { sliceCycles: 0 } })).toThrow(
      'positive number of cycles, not 0.',
    );
  });
});

describe('the time of a CPU', () => {
  it('begins with the first run and leaves out what other worlds have spent', () => {
    const machine = machineOf(2, { EWB: 7 });
    const [first, second] = [taskOn(machine, 0), taskOn(machine, 1)];
    for (const thread of [first, second]) {
      machine.run(thread, compute(thread, 1000));
      thread.startAt(400);
    }
    machine.start(first, compute(first, 10));
    machine.start(second, compute(second, 30));
    machine.runTimed();
    machine.run(first, compute(first, 5));
    first.spend(Cost.EWB);
    const { cycles, ...rest } = machine.timeOf(0);
    expect(rest).toEqual({ startedAt: 400, clock: 430, idle: 20 });
    expect([cycles[Cost.COMPUTE], cycles[Cost.EWB]]).toEqual([10, 0]);
    machine.start(second, compute(second, 1));
    machine.runTimed();
    expect([machine.timeOf(0).idle, machine.timeOf(0).cycles[Cost.EWB]]).toEqual([21, 0]);
    expect(() => machine.timeOf(2)).toThrow('There is no CPU 2.');
  });

  it('is counted anew after a run that has failed', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    machine.start(
      thread,
      (function* () {
        yield* compute(thread, 10);
        thread.spendCycles(Cost.COMPUTE, 5);
        throw new Error('broken');
      })(),
    );
    expect(() => machine.runTimed()).toThrow('broken');
    const other = taskOn(machine, 0, 'other');
    machine.start(other, compute(other, 7));
    thread.routine = null;
    machine.runTimed();
    expect(machine.timeOf(0)).toMatchObject({ startedAt: 0, clock: 7, idle: 0 });
  });

  it('is checked: nobody but the running thread may be charged', () => {
    const machine = machineOf(1);
    const [thread, stranger] = [taskOn(machine, 0), taskOn(machine, 0, 'stranger')];
    machine.start(
      thread,
      (function* () {
        yield* compute(thread, 10);
        stranger.spendCycles(Cost.AEX, 5);
      })(),
    );
    expect(() => machine.runTimed()).toThrow('The time of CPU 0 is not the sum of its causes.');
  });
});
