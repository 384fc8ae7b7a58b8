import { Cost } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { compute, hold, machineOf, scheduleInOrder, take, taskOn } from './set-up.js';

describe('spinlock', () => {
  it('is held by who took it, until that thread gives it back', () => {
    const machine = machineOf(2);
    const [holder, other] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.spinLock('node');
    machine.run(holder, take(holder, lock));
    expect([lock.isHeldBy(holder), lock.isHeldBy(other)]).toEqual([true, false]);
    lock.release(holder);
    expect(lock.isHeldBy(holder)).toBe(false);
  });

  it('cannot be taken twice by one thread', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const lock = machine.spinLock('node');
    machine.run(thread, take(thread, lock));
    expect(() => machine.run(thread, take(thread, lock))).toThrow(
      expect.objectContaining({
        message: 'task 0 takes the lock that it holds already: node.',
        details: ['owner: task 0'],
      }),
    );
  });

  it('cannot be given back by a stranger, nor twice', () => {
    const machine = machineOf(2);
    const [holder, stranger] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.spinLock('node');
    machine.run(holder, take(holder, lock));
    expect(() => lock.release(stranger)).toThrow('task 1 releases a lock that it does not hold: node.');
    lock.release(holder);
    expect(() => lock.release(holder)).toThrow('task 0 releases a lock that it does not hold: node.');
  });

  it.each(['mutex', 'reader', 'writer', 'queue', 'srcu'])('must not be held over a sleep: %s', (kind) => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const lock = machine.spinLock('node');
    const rw = machine.rwLock('mm');
    const sleeps = function* () {
      yield* take(thread, lock);
      if (kind === 'mutex') yield* take(thread, machine.mutex('encl'));
      if (kind === 'reader') while (rw.mustWaitRead(thread)) yield rw.acquireRead;
      if (kind === 'writer') while (rw.mustWaitWrite(thread)) yield rw.acquireWrite;
      if (kind === 'queue') yield* machine.waitQueue('queue').sleep(thread);
      if (kind === 'srcu') yield* machine.srcu('srcu').synchronize(thread);
    };
    expect(() => machine.run(thread, sleeps())).toThrow(/under a spinlock/);
  });

  it('nests in other spinlocks; only the outermost end makes points stop again', () => {
    const machine = machineOf(2);
    const [thread, other] = [taskOn(machine, 0), taskOn(machine, 1)];
    const [outer, inner] = [machine.spinLock('outer'), machine.spinLock('inner')];
    const log: string[] = [];
    const nested = function* () {
      yield* hold(thread, outer, 100);
      yield* take(thread, outer);
      yield* hold(thread, inner, 100);
      yield* compute(thread, 100);
      log.push('inside');
      outer.release(thread);
      yield* compute(thread, 1);
      log.push('outside');
    };
    const beside = function* () {
      yield* compute(other, 250);
      log.push('other');
    };
    machine.start(thread, nested());
    machine.start(other, beside());
    machine.runTimed();
    expect(log).toEqual(['inside', 'other', 'outside']);
  });
});

describe('spinlock in the timed world', () => {
  it('has a section that takes effect as a whole when it is entered', () => {
    const machine = machineOf(2);
    const [first, second] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.spinLock('node');
    const log: [string, number][] = [];
    const section = function* () {
      yield* take(first, lock);
      for (const what of ['a', 'b', 'c']) {
        log.push([what, first.clock]);
        yield* compute(first, 100);
      }
      lock.release(first);
    };
    const beside = function* () {
      yield* compute(second, 50);
      log.push(['other', second.clock]);
    };
    machine.start(first, section());
    machine.start(second, beside());
    machine.runTimed();
    expect(log).toEqual([
      ['a', 0],
      ['b', 100],
      ['c', 200],
      ['other', 50],
    ]);
  });

  it('delays the next holder by the rest of the section, charged to waiting', () => {
    const machine = machineOf(3, { LOCK_FAST: 10 });
    const threads = [0, 1, 2].map((cpu) => taskOn(machine, cpu));
    const lock = machine.spinLock('node');
    const ends = threads.map(() => 0);
    for (const [i, thread] of threads.entries()) {
      machine.start(
        thread,
        (function* () {
          yield* compute(thread, i * 30);
          yield* hold(thread, lock, 100);
          ends[i] = thread.clock;
        })(),
      );
    }
    machine.runTimed();
    expect(ends).toEqual([110, 210, 310]);
    expect(threads.map(({ cycles }) => cycles[Cost.LOCK_WAIT])).toEqual([0, 70, 140]);
  });

  it('does not delay who comes when it is free', () => {
    const machine = machineOf(2);
    const [first, second] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.spinLock('node');
    machine.start(first, hold(first, lock, 100));
    machine.start(
      second,
      (function* () {
        yield* compute(second, 100);
        yield* hold(second, lock, 1);
      })(),
    );
    machine.runTimed();
    expect([second.clock, second.cycles[Cost.LOCK_WAIT]]).toEqual([101, 0]);
  });

  it('must be given back before the thread stops or ends', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    machine.start(thread, take(thread, machine.spinLock('node')));
    expect(() => machine.runTimed()).toThrow('task 0 stopped while it held a spinlock.');
  });

  it('knows nothing of what was set up in the direct world', () => {
    const machine = machineOf(2);
    const [boot, thread] = [taskOn(machine, 0, 'boot'), taskOn(machine, 1)];
    const lock = machine.spinLock('node');
    machine.run(boot, hold(boot, lock, 1_000_000));
    machine.start(thread, hold(thread, lock, 10));
    machine.runTimed();
    expect(thread.clock).toBe(10);
  });
});

describe('spinlock in the direct world', () => {
  it('makes nobody wait: routines run one after another, each with a clock of its own', () => {
    const machine = machineOf(2);
    const [first, second] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.spinLock('node');
    machine.run(first, hold(first, lock, 1000));
    machine.run(second, hold(second, lock, 10));
    expect([second.clock, second.cycles[Cost.LOCK_WAIT]]).toEqual([10, 0]);
  });
});

describe('spinlock in the explored world', () => {
  it('is a point before it is taken, and its section can be interrupted', () => {
    const machine = machineOf(2, {}, true);
    const [first, second] = [taskOn(machine, 0, 'a'), taskOn(machine, 1, 'b')];
    const lock = machine.spinLock('node');
    const log: string[] = [];
    const section = function* (thread: typeof first) {
      yield* take(thread, lock);
      log.push(`${thread.name} in`);
      yield* compute(thread, 1);
      log.push(`${thread.name} out`);
      lock.release(thread);
    };
    machine.start(first, section(first));
    machine.start(second, section(second));
    const offered: string[] = [];
    const result = machine.runExplored(scheduleInOrder(['a', 'a', 'b', 'b', 'a']), {
      maxSteps: 100,
      onStep: ({ enabled }) => offered.push(enabled.join('')),
    });
    expect(result.status).toBe('done');
    // After a's second step the lock is taken: b is not offered once it waits for it.
    expect(log).toEqual(['a in', 'a out', 'b in', 'b out']);
    expect(offered).toEqual(['12', '12', '12', '1', '2', '2']);
  });
});
