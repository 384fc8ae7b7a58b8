import type { Routine, RwLock } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Machine, MachineThread } from '../src/index.js';
import { compute, machineOf, scheduleInOrder, taskOn } from './set-up.js';

function* takeRead(thread: MachineThread, lock: RwLock): Routine<void> {
  while (lock.mustWaitRead(thread)) yield lock.acquireRead;
}

function* takeWrite(thread: MachineThread, lock: RwLock): Routine<void> {
  while (lock.mustWaitWrite(thread)) yield lock.acquireWrite;
}

/** Threads on CPUs of their own that arrive at `at` and hold the lock for 100 cycles; when each got it. */
function acquisitions(machine: Machine, arrivals: readonly ['read' | 'write', number][]): number[] {
  const lock = machine.rwLock('mm');
  const times: number[] = [];
  for (const [i, [kind, at]] of arrivals.entries()) {
    const thread = taskOn(machine, i);
    const routine = function* () {
      yield* compute(thread, at);
      yield* kind === 'read' ? takeRead(thread, lock) : takeWrite(thread, lock);
      times[i] = thread.clock;
      yield* compute(thread, 100);
      if (kind === 'read') lock.releaseRead(thread);
      else lock.releaseWrite(thread);
    };
    machine.start(thread, routine());
  }
  machine.runTimed();
  return times;
}

describe('reader-writer lock', () => {
  it('is shared by readers and refused to a writer meanwhile', () => {
    const machine = machineOf(3);
    const [first, second, writer] = [0, 1, 2].map((cpu) => taskOn(machine, cpu)) as MachineThread[];
    const lock = machine.rwLock('mm');
    machine.run(first as MachineThread, takeRead(first as MachineThread, lock));
    machine.run(second as MachineThread, takeRead(second as MachineThread, lock));
    expect(lock.isHeldBy(first as MachineThread) && lock.isHeldBy(second as MachineThread)).toBe(true);
    expect(() => machine.run(writer as MachineThread, takeWrite(writer as MachineThread, lock))).toThrow(
      expect.objectContaining({ details: ['task 2 waits for mm held by task 0, task 1, holds nothing'] }),
    );
  });

  it('is held alone by a writer', () => {
    const machine = machineOf(2);
    const [writer, reader] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.rwLock('mm');
    machine.run(writer, takeWrite(writer, lock));
    expect(() => machine.run(reader, takeRead(reader, lock))).toThrow(
      expect.objectContaining({ details: ['task 1 waits for mm held by task 0, holds nothing'] }),
    );
  });

  it('is not recursive in any combination', () => {
    for (const outer of [takeRead, takeWrite]) {
      for (const inner of [takeRead, takeWrite]) {
        const machine = machineOf(1);
        const thread = taskOn(machine, 0);
        const lock = machine.rwLock('mm');
        machine.run(thread, outer(thread, lock));
        expect(() => machine.run(thread, inner(thread, lock))).toThrow('holds already: mm.');
      }
    }
  });

  it('has to be given back the way it was taken, by who took it', () => {
    const machine = machineOf(2);
    const [reader, stranger] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.rwLock('mm');
    machine.run(reader, takeRead(reader, lock));
    expect(() => lock.releaseWrite(reader)).toThrow(
      'task 0 releases a write lock that it does not hold: mm.',
    );
    expect(() => lock.releaseRead(stranger)).toThrow(
      'task 1 releases a read lock that it does not hold: mm.',
    );
    lock.releaseRead(reader);
    expect(lock.isHeldBy(reader)).toBe(false);
  });
});

describe('reader-writer lock in the timed world', () => {
  it('lets readers in together and the writer after the last of them', () => {
    const times = acquisitions(machineOf(3), [
      ['read', 0],
      ['read', 30],
      ['write', 40],
    ]);
    expect(times).toEqual([0, 30, 130]);
  });

  it('does not let a later reader overtake a waiting writer', () => {
    const times = acquisitions(machineOf(3), [
      ['read', 0],
      ['write', 10],
      ['read', 20],
    ]);
    expect(times).toEqual([0, 100, 200]);
  });

  it('serves those who wait for a writer in order, neighbouring readers together', () => {
    const times = acquisitions(machineOf(5), [
      ['write', 0],
      ['read', 10],
      ['read', 20],
      ['write', 30],
      ['read', 40],
    ]);
    expect(times).toEqual([0, 100, 100, 200, 300]);
  });

  it('charges the wait until the lock was free, not until it was given back once more', () => {
    const machine = machineOf(3);
    const [writer, early, late] = [taskOn(machine, 0), taskOn(machine, 1), taskOn(machine, 2)];
    const busy = taskOn(machine, 2, 'busy');
    const lock = machine.rwLock('mm');
    const read = function* (thread: MachineThread, cycles: number) {
      yield* takeRead(thread, lock);
      yield* compute(thread, cycles);
      lock.releaseRead(thread);
    };
    const write = function* () {
      yield* takeWrite(writer, lock);
      yield* compute(writer, 100);
      lock.releaseWrite(writer);
    };
    machine.start(writer, write());
    machine.start(early, read(early, 50));
    machine.start(late, read(late, 50));
    // While late waits for the lock, its CPU is taken until 1000.
    machine.start(busy, compute(busy, 1000));
    machine.runTimed();
    expect([late.cycles[Cost.LOCK_WAIT], late.cycles[Cost.CPU_WAIT], late.clock]).toEqual([100, 900, 1050]);
  });

  it('is not taken in the past by a thread that stopped before it when it was still free', () => {
    const machine = machineOf(2, { LOCK_FAST: 100 });
    const times = acquisitions(machine, [
      ['write', 0],
      ['read', 1],
    ]);
    expect(times).toEqual([100, 200]);
  });
});

describe('reader-writer lock in the explored world', () => {
  it('leaves the order of waiters to the schedule', () => {
    const machine = machineOf(3, {}, true);
    const lock = machine.rwLock('mm');
    const log: string[] = [];
    const threads = ['r1', 'w', 'r2'].map((name, cpu) => taskOn(machine, cpu, name));
    for (const thread of threads) {
      const isWriter = thread.name === 'w';
      const routine = function* () {
        yield* isWriter ? takeWrite(thread, lock) : takeRead(thread, lock);
        log.push(thread.name);
        yield* compute(thread, 1);
        if (isWriter) lock.releaseWrite(thread);
        else lock.releaseRead(thread);
      };
      machine.start(thread, routine());
    }
    const order = ['r1', 'r1', 'w', 'r2', 'r2', 'r2', 'r1', 'w'];
    expect(machine.runExplored(scheduleInOrder(order), { maxSteps: 100 }).status).toBe('done');
    expect(log).toEqual(['r1', 'r2', 'w']);
  });
});
