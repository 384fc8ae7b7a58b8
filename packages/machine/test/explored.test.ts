import type { Schedule } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { ABANDON } from '../src/index.js';
import { compute, hold, kernelThreadOn, machineOf, scheduleInOrder, take, taskOn } from './set-up.js';

const choosing = (choose: Schedule['choose']): Schedule => ({ begin: () => true, choose });

describe('explored world', () => {
  it('needs the checking mode', () => {
    const machine = machineOf(1);
    expect(() => machine.runExplored(scheduleInOrder([]), { maxSteps: 1 })).toThrow(
      'needs the checking mode',
    );
  });

  it('stops at every point and asks the schedule, which sees who can run and what each is about to do', () => {
    const machine = machineOf(2, {}, true);
    const [first, second] = [taskOn(machine, 0), taskOn(machine, 1)];
    const lock = machine.mutex('encl');
    machine.start(first, hold(first, lock, 1));
    machine.start(second, hold(second, lock, 1));
    const seen: unknown[] = [];
    const schedule = choosing((enabled, pending) => {
      seen.push(enabled.map(({ id }, i) => [id, pending[i]]));
      return 0;
    });
    expect(machine.runExplored(schedule, { maxSteps: 100 })).toMatchObject({ status: 'done', steps: 6 });
    const [take1, signal1, signal2] = [lock.acquire, first.signalReading, second.signalReading];
    expect(seen).toEqual([
      [
        [1, 0],
        [2, 0],
      ],
      [
        [1, take1],
        [2, 0],
      ],
      [
        [1, signal1],
        [2, 0],
      ],
      [[2, 0]],
      [[2, take1]],
      [[2, signal2]],
    ]);
  });

  it('does the same for the same choices', () => {
    const run = (order: readonly string[]) => {
      const machine = machineOf(2, {}, true);
      const steps: unknown[] = [];
      for (const [cpu, name] of ['a', 'b'].entries()) {
        const thread = taskOn(machine, cpu, name);
        machine.start(thread, hold(thread, machine.mutex('encl'), 1));
      }
      machine.runExplored(scheduleInOrder(order), {
        maxSteps: 100,
        onStep: ({ thread, op, enabled }) => steps.push([thread, op, enabled]),
      });
      return steps;
    };
    expect(run(['b', 'a', 'b'])).toEqual(run(['b', 'a', 'b']));
    expect(run(['b', 'a', 'b'])).not.toEqual(run(['a', 'b', 'a']));
  });

  it('gives up after the given number of steps, or when the schedule abandons it', () => {
    const machine = machineOf(1, {}, true);
    const thread = taskOn(machine, 0);
    const forever = function* () {
      for (;;) yield* compute(thread, 1);
    };
    machine.start(thread, forever());
    expect(machine.runExplored(scheduleInOrder([]), { maxSteps: 7 })).toEqual({ status: 'bound', steps: 7 });
    expect(
      machine.runExplored(
        choosing(() => ABANDON),
        { maxSteps: 7 },
      ),
    ).toEqual({
      status: 'abandoned',
      steps: 0,
    });
  });

  it('reports threads that wait for each other', () => {
    const machine = machineOf(2, {}, true);
    const [a, b] = [machine.mutex('a'), machine.mutex('b')];
    for (const [cpu, locks] of [
      [a, b],
      [b, a],
    ].entries()) {
      const thread = taskOn(machine, cpu);
      const crossing = function* () {
        for (const lock of locks) yield* take(thread, lock);
      };
      machine.start(thread, crossing());
    }
    const order = ['task 0', 'task 1', 'task 0', 'task 1', 'task 0', 'task 1'];
    const result = machine.runExplored(scheduleInOrder(order), { maxSteps: 100 });
    expect([result.status, result.error?.message]).toEqual(['stuck', 'task 0, task 1 wait for each other.']);
  });

  it('is done when only daemons sleep', () => {
    const machine = machineOf(1, {}, true);
    const daemon = kernelThreadOn(machine, 0);
    const queue = machine.waitQueue('queue');
    const sleeping = function* () {
      queue.prepare(daemon);
      yield* queue.sleep(daemon);
    };
    machine.start(daemon, sleeping());
    expect(machine.runExplored(scheduleInOrder([]), { maxSteps: 10 })).toEqual({ status: 'done', steps: 1 });
  });

  it('makes who repeats a turn in vain wait for a change, and finds that none can come', () => {
    const outcome = (hasWriter: boolean) => {
      const machine = machineOf(2, {}, true);
      const [looper, writer] = [taskOn(machine, 0, 'looper'), taskOn(machine, 1, 'writer')];
      const free = machine.sharedNumber('free', 0);
      const looping = function* () {
        for (;;) {
          if (looper.clock > looper.limit) yield free.reading;
          if (free.read(looper) > 0) return;
          if (looper.turn('loop', 0)) yield looper.changeWaiting;
        }
      };
      const writing = function* () {
        if (writer.clock > writer.limit) yield free.writing;
        free.write(writer, 1);
      };
      machine.start(looper, looping());
      if (hasWriter) machine.start(writer, writing());
      return machine.runExplored(scheduleInOrder([]), { maxSteps: 100 });
    };
    expect(outcome(true).status).toBe('done');
    const { status, error } = outcome(false);
    expect([status, error?.message]).toEqual([
      'stuck',
      'looper can never go on: every thread waits for a change and none can come.',
    ]);
  });
});

describe('checking mode', () => {
  const race = (isLocked: boolean) => {
    const machine = machineOf(2, {}, true);
    const column = machine.objects.range('column', 1);
    const lock = machine.mutex('lock');
    for (const cpu of [0, 1]) {
      const thread = taskOn(machine, cpu);
      const writing = function* () {
        if (isLocked) yield* take(thread, lock);
        else yield* compute(thread, 1);
        machine.checking?.write(column);
        if (isLocked) lock.release(thread);
      };
      machine.start(thread, writing());
    }
    return machine.runExplored(scheduleInOrder([]), { maxSteps: 100 });
  };

  it('finds two writes that no lock orders, although they came one after the other', () => {
    const { status, error } = race(false);
    expect([status, error?.message]).toEqual(['failed', 'Unordered access to column.']);
  });

  it('is content when a lock orders them', () => {
    expect(race(true).status).toBe('done');
  });

  it('sleeps outside of the explored world', () => {
    const machine = machineOf(1, {}, true);
    const thread = taskOn(machine, 0);
    const free = machine.sharedNumber('free', 3);
    const careless = function* () {
      yield* compute(thread, 1);
      return free.read(thread);
    };
    expect(machine.run(thread, careless())).toBe(3);
  });
});
