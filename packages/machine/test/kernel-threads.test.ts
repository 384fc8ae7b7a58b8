import type { Op } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../src/index.js';
import { compute, kernelThreadOn, machineOf, taskOn } from './set-up.js';

/** A daemon that counts its rounds and sleeps in between. */
function createDaemon(machine: Machine) {
  const queue = machine.waitQueue('daemon queue');
  const thread = kernelThreadOn(machine, 0);
  const daemon = { queue, thread, rounds: 0, isWanted: false };
  const serve = function* (): Generator<Op, never, void> {
    for (;;) {
      queue.prepare(thread);
      if (!daemon.isWanted) {
        yield* queue.sleep(thread);
        continue;
      }
      queue.finish(thread);
      daemon.isWanted = false;
      yield* compute(thread, 10);
      daemon.rounds++;
    }
  };
  machine.start(thread, serve());
  machine.runKernelThreads();
  return daemon;
}

function wake(machine: Machine, daemon: ReturnType<typeof createDaemon>): void {
  daemon.isWanted = true;
  daemon.queue.wake(machine.threads[1] as never);
}

describe('kernel threads of the direct world', () => {
  it('run at the return to user mode after they were woken', () => {
    const machine = machineOf(2);
    const daemon = createDaemon(machine);
    taskOn(machine, 1);
    machine.returnToUser();
    expect(daemon.rounds).toBe(0);
    wake(machine, daemon);
    expect(daemon.rounds).toBe(0);
    machine.returnToUser();
    expect(daemon.rounds).toBe(1);
  });

  it('run only when told, if that is the policy', () => {
    const machine = machineOf(2);
    const daemon = createDaemon(machine);
    taskOn(machine, 1);
    machine.kernelThreadPolicy = 'whenTold';
    wake(machine, daemon);
    machine.returnToUser();
    expect(daemon.rounds).toBe(0);
    machine.runKernelThreads();
    expect(daemon.rounds).toBe(1);
  });

  it('that wake each other all run', () => {
    const machine = machineOf(2);
    const [first, second] = [kernelThreadOn(machine, 0, 'first'), kernelThreadOn(machine, 1, 'second')];
    const [toFirst, toSecond] = [machine.waitQueue('to first'), machine.waitQueue('to second')];
    const log: string[] = [];
    const ping = function* () {
      toFirst.prepare(first);
      yield* toFirst.sleep(first);
      log.push('first');
    };
    const pong = function* () {
      log.push('second');
      toFirst.wake(second);
      toSecond.prepare(second);
      yield* toSecond.sleep(second);
    };
    machine.start(first, ping());
    machine.start(second, pong());
    machine.runKernelThreads();
    expect(log).toEqual(['second', 'first']);
  });

  it('have their own cycles: what they do costs the user nothing', () => {
    const machine = machineOf(2, { WAKEUP: 5 });
    const daemon = createDaemon(machine);
    const user = taskOn(machine, 1);
    wake(machine, daemon);
    machine.returnToUser();
    expect([user.clock, daemon.thread.clock]).toEqual([0, 15]);
  });
});

describe('the return to user mode inside of the timed world', () => {
  it('runs nobody: kernel threads have a CPU and a time of their own', () => {
    const machine = machineOf(2, { WAKEUP: 5 });
    const daemon = createDaemon(machine);
    const user = taskOn(machine, 1);
    const seen: number[] = [];
    const routine = function* () {
      yield* compute(user, 1);
      wake(machine, daemon);
      machine.returnToUser();
      seen.push(daemon.rounds);
      yield* compute(user, 100);
      seen.push(daemon.rounds);
    };
    machine.start(user, routine());
    machine.runTimed();
    expect(seen).toEqual([0, 1]);
  });
});
