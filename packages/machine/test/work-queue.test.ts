import type { Routine, Thread } from '@epckit/interface';
import { Mode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Machine, Work, WorkQueue } from '../src/index.js';
import { createMachine } from '../src/index.js';
import { kernelThreadOn, machineOf, scheduleInOrder, taskOn } from './set-up.js';

function setUp() {
  const machine = createMachine({ cpus: [{ node: 0 }, { node: 0 }] });
  const user = machine.createThread({ name: 'user', cpu: 0 });
  const worker = machine.createThread({ name: 'worker', cpu: 1, isKernel: true });
  const queue = machine.workQueue('works');
  const log: string[] = [];
  const work = (name: string): Work => {
    return function* perform(thread: Thread): Routine<void> {
      log.push(`${name} on ${thread.name}`);
    };
  };
  machine.start(worker, queue.main(worker));
  machine.runKernelThreads();
  return { machine, user, worker, queue, log, work };
}

describe('a work queue', () => {
  it('performs work in order of queueing on its worker', () => {
    const { machine, user, queue, log, work } = setUp();
    queue.queue(user, work('first'));
    queue.queue(user, work('second'));
    expect([queue.length, log]).toEqual([2, []]);
    machine.runKernelThreads();
    expect([queue.length, log]).toEqual([0, ['first on worker', 'second on worker']]);
  });

  it('queues work once until it has begun, and again afterwards', () => {
    const { machine, user, queue, log, work } = setUp();
    const again = work('again');
    expect([queue.queue(user, again), queue.queue(user, again)]).toEqual([true, false]);
    machine.runKernelThreads();
    expect(queue.queue(user, again)).toBe(true);
    machine.runKernelThreads();
    expect(log).toEqual(['again on worker', 'again on worker']);
  });

  it('performs work that other work queues', () => {
    const { machine, user, queue, log, work } = setUp();
    const next = work('next');
    queue.queue(user, function* chain(thread: Thread): Routine<void> {
      queue.queue(thread, next);
    });
    machine.runKernelThreads();
    expect(log).toEqual(['next on worker']);
  });

  it('lets the worker sleep when nothing is left', () => {
    const { machine, worker, queue, user, work } = setUp();
    queue.queue(user, work('only'));
    machine.runKernelThreads();
    expect(worker.isEnabled).toBe(false);
  });
});

describe('a work queue in the checking mode', () => {
  /** Runs `user` and the worker in the order of `names`. @returns per step: its thread, what it touched of the list */
  function steps(names: readonly string[], user: (queue: WorkQueue, thread: Thread) => Routine<void>) {
    const machine = machineOf(2, {}, true);
    const queue = machine.workQueue('works');
    const [thread, worker] = [taskOn(machine, 0, 'user'), kernelThreadOn(machine, 1, 'worker')];
    machine.start(worker, queue.main(worker));
    machine.start(thread, user(queue, thread));
    const touched: [number, number | undefined][] = [];
    const result = machine.runExplored(scheduleInOrder(names), {
      maxSteps: 100,
      onStep: ({ thread: id, footprint }) => {
        const [, mode] = [...footprint].find(([object]) => isList(machine, object)) ?? [];
        touched.push([id, mode]);
      },
    });
    expect([result.status, result.error]).toEqual(['done', undefined]);
    return { touched, user: thread.id, worker: worker.id };
  }

  const isList = (machine: Machine, object: number) => machine.objects.nameOf(object) === 'list of works';

  const nothing = function* (): Routine<void> {};

  it('reports a look at the empty list, queueing, and taking work', () => {
    const run = steps(['worker', 'user', 'worker'], function* (queue, thread) {
      queue.queue(thread, nothing);
    });
    expect(run.touched).toEqual([
      [run.worker, Mode.READ],
      [run.user, Mode.WRITE],
      [run.worker, Mode.WRITE],
    ]);
  });

  it('reports that work was found queued, though nobody is woken', () => {
    const run = steps(['user', 'user', 'worker'], function* (queue, thread) {
      queue.queue(thread, nothing);
      yield thread.signalReading;
      expect(queue.queue(thread, nothing)).toBe(false);
    });
    expect(run.touched.slice(0, 2)).toEqual([
      [run.user, Mode.WRITE],
      [run.user, Mode.READ],
    ]);
  });

  it('lets whoever waits for a change go on when work is queued', () => {
    const machine = machineOf(2, {}, true);
    const queue = machine.workQueue('works');
    const [waiter, user] = [taskOn(machine, 0, 'waiter'), taskOn(machine, 1, 'user')];
    machine.start(
      waiter,
      (function* () {
        while (queue.length === 0) if (waiter.turn('works', 0)) yield waiter.changeWaiting;
      })(),
    );
    machine.start(
      user,
      (function* () {
        queue.queue(user, nothing);
      })(),
    );
    const result = machine.runExplored(scheduleInOrder(['waiter', 'user', 'waiter']), { maxSteps: 100 });
    expect([result.status, result.error]).toEqual(['done', undefined]);
  });
});
