import type { Routine, Thread } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Work } from '../src/index.js';
import { createMachine } from '../src/index.js';

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
