import { Cost, Mode, opMode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { machineOf, scheduleInOrder, taskOn } from './set-up.js';

describe('shared number', () => {
  it('is read, replaced and added to; each use takes a step', () => {
    const machine = machineOf(1, { STEP: 1 });
    const thread = taskOn(machine, 0);
    const free = machine.sharedNumber('free pages', 5);
    free.add(thread, -2);
    expect(free.read(thread)).toBe(3);
    free.write(thread, 10);
    expect([free.value, thread.clock, thread.counts[Cost.STEP]]).toEqual([10, 3, 3]);
  });

  it('has one object, announced with the mode of its use', () => {
    const machine = machineOf(1);
    const free = machine.sharedNumber('free pages', 0);
    expect([free.reading, free.writing, free.adding].map(opMode)).toEqual([Mode.READ, Mode.WRITE, Mode.ADD]);
    expect(new Set([free.reading, free.writing, free.adding].map((op) => Math.floor(op / 8))).size).toBe(1);
  });

  it('cannot be used unannounced in the explored world', () => {
    const machine = machineOf(1, {}, true);
    const thread = taskOn(machine, 0);
    const free = machine.sharedNumber('free pages', 0);
    const careless = function* () {
      yield free.reading;
      free.read(thread);
      free.add(thread, 1);
    };
    machine.start(thread, careless());
    const result = machine.runExplored(scheduleInOrder([]), { maxSteps: 10 });
    expect(result.status).toBe('failed');
    expect(result.error?.message).toBe('task 0 uses free pages unannounced.');
  });

  it('loses an update of two threads that read before they write, if the schedule wants it', () => {
    const outcome = (order: readonly string[]): number => {
      const machine = machineOf(2, {}, true);
      const free = machine.sharedNumber('free pages', 0);
      for (const [cpu, name] of ['a', 'b'].entries()) {
        const thread = taskOn(machine, cpu, name);
        const increment = function* () {
          if (thread.clock > thread.limit) yield free.reading;
          const seen = free.read(thread);
          if (thread.clock > thread.limit) yield free.writing;
          free.write(thread, seen + 1);
        };
        machine.start(thread, increment());
      }
      expect(machine.runExplored(scheduleInOrder(order), { maxSteps: 10 }).status).toBe('done');
      return free.value;
    };
    expect(outcome(['a', 'a', 'a', 'b', 'b', 'b'])).toBe(2);
    expect(outcome(['a', 'b', 'a', 'b', 'a', 'b'])).toBe(1);
  });
});

describe('reference count', () => {
  it('says which reference was the last', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const count = machine.refCount('encl', 1);
    count.get(thread);
    expect([count.put(thread), count.put(thread), count.value]).toEqual([false, true, 0]);
  });

  it('cannot be taken from a dead object, except by who asks first', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const count = machine.refCount('encl', 1);
    expect([count.getUnlessZero(thread), count.value]).toEqual([true, 2]);
    count.put(thread);
    count.put(thread);
    expect(count.getUnlessZero(thread)).toBe(false);
    expect(() => count.get(thread)).toThrow('task 0 takes a reference of a dead object: encl.');
    expect(() => count.put(thread)).toThrow('task 0 drops a reference of a dead object: encl.');
    expect(count.value).toBe(0);
  });

  it('is announced as an addition where nobody looks at the result', () => {
    const count = machineOf(1).refCount('encl', 1);
    expect([opMode(count.adding), opMode(count.writing)]).toEqual([Mode.ADD, Mode.WRITE]);
  });
});
