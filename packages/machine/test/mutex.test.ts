import { Cost } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { compute, hold, machineOf, take, taskOn } from './set-up.js';

describe('mutex', () => {
  it('may be held over sleeps, other mutexes and spinlocks', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const [outer, inner, spin] = [machine.mutex('outer'), machine.mutex('inner'), machine.spinLock('spin')];
    const nested = function* () {
      yield* take(thread, outer);
      yield* hold(thread, inner, 1);
      yield* hold(thread, spin, 1);
      yield* machine.srcu('srcu').synchronize(thread);
      outer.release(thread);
    };
    machine.run(thread, nested());
    expect(outer.isHeldBy(thread)).toBe(false);
  });

  it('cannot be taken twice nor given back by a stranger', () => {
    const machine = machineOf(2);
    const [holder, stranger] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.mutex('encl');
    machine.run(holder, take(holder, lock));
    expect(() => lock.release(stranger)).toThrow('task 1 releases a lock that it does not hold: encl.');
    expect(() => machine.run(holder, take(holder, lock))).toThrow('holds already: encl.');
  });

  it('ends the direct world when its holder cannot run, and names the holder', () => {
    const machine = machineOf(2);
    const [holder, waiter] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.mutex('encl');
    machine.run(holder, take(holder, lock));
    expect(() => machine.run(waiter, take(waiter, lock))).toThrow(
      expect.objectContaining({
        code: 'EPCKIT_INVARIANT',
        details: ['task 1 waits for encl held by task 0, holds nothing'],
      }),
    );
  });
});

describe('mutex in the timed world', () => {
  it('is handed over in order of arrival, at the time of each release', () => {
    const machine = machineOf(4);
    const lock = machine.mutex('encl');
    const log: [string, number][] = [];
    for (const [cpu, arrival] of [30, 10, 20, 0].entries()) {
      const thread = taskOn(machine, cpu);
      machine.start(
        thread,
        (function* () {
          yield* compute(thread, arrival);
          yield* take(thread, lock);
          log.push([thread.name, thread.clock]);
          yield* compute(thread, 100);
          lock.release(thread);
        })(),
      );
    }
    machine.runTimed();
    expect(log).toEqual([
      ['task 3', 0],
      ['task 1', 100],
      ['task 2', 200],
      ['task 0', 300],
    ]);
    const waited = machine.threads.map(({ cycles }) => cycles[Cost.LOCK_WAIT]);
    expect(waited).toEqual([270, 90, 180, 0]);
  });

  it('is not taken in the past by a thread that stopped before it when it was still free', () => {
    const machine = machineOf(2, { LOCK_FAST: 100 });
    const [early, late] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.mutex('encl');
    // Both stop at the lock, at 100 and 101; the second gets there while the first holds it.
    machine.start(early, hold(early, lock, 1000));
    machine.start(
      late,
      (function* () {
        yield* compute(late, 1);
        yield* hold(late, lock, 1000);
      })(),
    );
    machine.runTimed();
    expect([early.clock, late.clock]).toEqual([1100, 2100]);
  });

  it('is not overtaken by who comes at the moment of the hand-over', () => {
    const machine = machineOf(3);
    const lock = machine.mutex('encl');
    const log: string[] = [];
    // Task 2 releases at 100, when task 1 has been waiting and task 0 arrives.
    for (const [cpu, arrival] of [100, 50, 0].entries()) {
      const thread = taskOn(machine, cpu);
      machine.start(
        thread,
        (function* () {
          yield* compute(thread, arrival);
          yield* hold(thread, lock, 100);
          log.push(`${thread.name} at ${thread.clock}`);
        })(),
      );
    }
    machine.runTimed();
    expect(log).toEqual(['task 2 at 100', 'task 1 at 200', 'task 0 at 300']);
  });

  it('gives the CPU of a waiting thread to another one', () => {
    const machine = machineOf(2);
    const [holder, waiter, neighbour] = [taskOn(machine, 0), taskOn(machine, 1), taskOn(machine, 1, 'other')];
    const lock = machine.mutex('encl');
    machine.start(holder, hold(holder, lock, 100));
    machine.start(waiter, hold(waiter, lock, 10));
    machine.start(neighbour, compute(neighbour, 30));
    machine.runTimed();
    expect([holder.clock, waiter.clock, neighbour.clock]).toEqual([100, 110, 30]);
  });

  it('reports a circle with its owners', () => {
    const machine = machineOf(2);
    const [a, b] = [machine.mutex('a'), machine.mutex('b')];
    const cross = function* (thread: ReturnType<typeof taskOn>, locks: (typeof a)[]) {
      for (const lock of locks) {
        yield* take(thread, lock);
        yield* compute(thread, 10);
      }
    };
    for (const [cpu, locks] of [
      [a, b],
      [b, a],
    ].entries()) {
      const thread = taskOn(machine, cpu);
      machine.start(thread, cross(thread, locks));
    }
    expect(() => machine.runTimed()).toThrow(
      expect.objectContaining({
        message: 'task 0, task 1 wait for each other.',
        details: ['task 0 waits for b held by task 1, holds a', 'task 1 waits for a held by task 0, holds b'],
      }),
    );
  });
});
