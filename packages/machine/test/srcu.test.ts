import { Cost } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { compute, machineOf, scheduleInOrder, take, taskOn } from './set-up.js';

describe('SRCU', () => {
  it('has nothing to wait for without readers', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const srcu = machine.srcu('encl');
    machine.run(thread, srcu.synchronize(thread));
    machine.run(thread, srcu.synchronize(thread));
    expect(thread.clock).toBe(0);
  });

  it('never ends a grace period inside a read section of the same thread', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const srcu = machine.srcu('encl');
    const index = srcu.enter(thread);
    expect(() => machine.run(thread, srcu.synchronize(thread))).toThrow(
      'task 0 waits for its own read section: encl.',
    );
    srcu.leave(thread, index);
    expect(() => machine.run(thread, srcu.synchronize(thread))).not.toThrow();
  });

  it('refuses to be left by who is not in it', () => {
    const machine = machineOf(2);
    const [reader, other] = [taskOn(machine, 0), taskOn(machine, 1)];
    const srcu = machine.srcu('encl');
    const index = srcu.enter(reader);
    expect(() => srcu.leave(other, index)).toThrow('task 1 leaves a read section that it is not in: encl.');
    expect(() => srcu.leave(reader, 1 - index)).toThrow('task 0 leaves a read section');
  });

  it('may be entered again inside of a section', () => {
    const machine = machineOf(2);
    const [reader, writer] = [taskOn(machine, 0), taskOn(machine, 1)];
    const srcu = machine.srcu('encl');
    const [outer, inner] = [srcu.enter(reader), srcu.enter(reader)];
    srcu.leave(reader, inner);
    expect(() => machine.run(writer, srcu.synchronize(writer))).toThrow(
      expect.objectContaining({ details: ['task 1 waits for encl held by task 0, holds nothing'] }),
    );
    srcu.leave(reader, outer);
  });
});

describe('SRCU in the timed world', () => {
  /** Readers that enter and leave, updaters that wait; when each updater went on. */
  function grace(readers: readonly [number, number][], updaters: readonly number[]) {
    const machine = machineOf(readers.length + updaters.length);
    const srcu = machine.srcu('encl');
    const threads = [...readers, ...updaters].map((_, cpu) => taskOn(machine, cpu));
    const ends: number[] = [];
    for (const [i, thread] of threads.entries()) {
      const reader = readers[i];
      const read = function* ([from, to]: readonly [number, number]) {
        yield* compute(thread, from);
        const index = srcu.enter(thread);
        yield* compute(thread, to - from);
        srcu.leave(thread, index);
      };
      const update = function* (at: number) {
        yield* compute(thread, at);
        yield* srcu.synchronize(thread);
        ends[i - readers.length] = thread.clock;
      };
      machine.start(
        thread,
        reader === undefined ? update(updaters[i - readers.length] as number) : read(reader),
      );
    }
    machine.runTimed();
    return { ends, updaters: threads.slice(readers.length) };
  }

  it('waits for every section that is open, and for no later one', () => {
    const { ends, updaters } = grace(
      [
        [0, 100],
        [10, 300],
        [60, 5000],
      ],
      [50],
    );
    expect(ends).toEqual([300]);
    expect(updaters[0]?.cycles[Cost.EVENT_WAIT]).toBe(250);
    expect(updaters[0]?.cycles[Cost.LOCK_WAIT]).toBe(0);
  });

  it('lets the second updater begin its grace period when that of the first ends', () => {
    const { ends, updaters } = grace(
      [
        [0, 100],
        [60, 400],
      ],
      [50, 70],
    );
    expect(ends).toEqual([100, 400]);
    expect(updaters[1]?.cycles[Cost.EVENT_WAIT]).toBe(330);
  });

  it('does not let a second updater go on in the past', () => {
    const { ends } = grace([[0, 100]], [50, 60, 70]);
    expect(ends).toEqual([100, 100, 100]);
  });

  it('waits for a reader that entered before the updater came, however far the updater computed', () => {
    const machine = machineOf(2);
    const [updater, reader] = [taskOn(machine, 0), taskOn(machine, 1)];
    const srcu = machine.srcu('encl');
    const update = function* () {
      updater.spendCycles(Cost.COMPUTE, 1000);
      yield* srcu.synchronize(updater);
    };
    const read = function* () {
      yield* compute(reader, 500);
      const index = srcu.enter(reader);
      yield* compute(reader, 1000);
      srcu.leave(reader, index);
    };
    machine.start(updater, update());
    machine.start(reader, read());
    machine.runTimed();
    expect(updater.clock).toBe(1500);
  });

  it('does not delay an updater that can go on by a later reader', () => {
    const machine = machineOf(3);
    const [reader, later, updater] = [taskOn(machine, 0), taskOn(machine, 1), taskOn(machine, 2)];
    const srcu = machine.srcu('encl');
    const lock = machine.spinLock('lock');
    const first = function* () {
      const index = srcu.enter(reader);
      yield* compute(reader, 100);
      srcu.leave(reader, index);
    };
    // Leaves at 400, but in a section that takes effect at 100, when the updater could go on already.
    const second = function* () {
      yield* compute(later, 60);
      const index = srcu.enter(later);
      yield* compute(later, 40);
      yield* take(later, lock);
      yield* compute(later, 300);
      srcu.leave(later, index);
      lock.release(later);
    };
    const update = function* () {
      yield* compute(updater, 50);
      yield* srcu.synchronize(updater);
    };
    machine.start(reader, first());
    machine.start(later, second());
    machine.start(updater, update());
    machine.runTimed();
    expect([later.clock, updater.clock]).toEqual([400, 100]);
  });
});

describe('SRCU in the explored world', () => {
  it('lets an updater go on when the sections from before are left', () => {
    const machine = machineOf(2, {}, true);
    const [reader, updater] = [taskOn(machine, 0, 'reader'), taskOn(machine, 1, 'updater')];
    const srcu = machine.srcu('encl');
    const log: string[] = [];
    const read = function* () {
      const index = srcu.enter(reader);
      yield* compute(reader, 1);
      log.push('leaves');
      srcu.leave(reader, index);
      const next = srcu.enter(reader);
      yield* compute(reader, 1);
      log.push('leaves again');
      srcu.leave(reader, next);
    };
    const update = function* () {
      yield* srcu.synchronize(updater);
      log.push('goes on');
    };
    machine.start(reader, read());
    machine.start(updater, update());
    const order = ['reader', 'updater', 'updater', 'reader', 'updater', 'updater'];
    expect(machine.runExplored(scheduleInOrder(order), { maxSteps: 100 }).status).toBe('done');
    expect(log).toEqual(['leaves', 'goes on', 'leaves again']);
  });
});
