import { Cost } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { compute, hold, kernelThreadOn, machineOf, take, taskOn } from './set-up.js';

describe('timed world', () => {
  it('is entered by a run and left by its end, also by a bad one', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const worlds = [machine.world];
    const fails = function* () {
      worlds.push(machine.world);
      yield* compute(thread, 1);
      throw new Error('broken');
    };
    machine.start(thread, fails());
    expect(() => machine.runTimed()).toThrow('broken');
    expect([...worlds, machine.world]).toEqual(['direct', 'timed', 'direct']);
  });

  it('lets the lower CPU go first at the same time', () => {
    const machine = machineOf(3);
    const log: string[] = [];
    for (const cpu of [2, 0, 1]) {
      const thread = taskOn(machine, cpu);
      const routine = function* () {
        for (const cycles of [10, 10]) {
          yield* compute(thread, cycles);
          log.push(`${thread.clock} ${thread.name}`);
        }
      };
      machine.start(thread, routine());
    }
    machine.runTimed();
    expect(log).toEqual(['10 task 0', '10 task 1', '10 task 2', '20 task 0', '20 task 1', '20 task 2']);
  });

  it('lets a wake-up out of a spinlock section come before the rest of what follows the section', () => {
    const machine = machineOf(2, { WAKEUP: 10 });
    const [sleeper, waker] = [taskOn(machine, 0), taskOn(machine, 1)];
    const queue = machine.waitQueue('queue');
    const lock = machine.spinLock('lock');
    const log: [string, number][] = [];
    const sleeping = function* () {
      queue.prepare(sleeper);
      yield* queue.sleep(sleeper);
      queue.finish(sleeper);
      log.push(['woken', sleeper.clock]);
    };
    const waking = function* () {
      yield* compute(waker, 100);
      yield* take(waker, lock);
      queue.wake(waker);
      yield* compute(waker, 5);
      lock.release(waker);
      yield* compute(waker, 100);
      log.push(['waker', waker.clock]);
    };
    machine.start(sleeper, sleeping());
    machine.start(waker, waking());
    machine.runTimed();
    expect(log).toEqual([
      ['woken', 110],
      ['waker', 205],
    ]);
  });

  it('runs the threads of one CPU one after another and charges the switch', () => {
    const machine = machineOf(1, { CONTEXT_SWITCH: 7 });
    const [first, second] = [taskOn(machine, 0, 'first'), taskOn(machine, 0, 'second')];
    const log: string[] = [];
    for (const thread of [first, second]) {
      const routine = function* () {
        for (let i = 0; i < 2; i++) {
          yield* compute(thread, 10);
          log.push(`${thread.clock} ${thread.name}`);
        }
      };
      machine.start(thread, routine());
    }
    machine.runTimed();
    expect(log).toEqual(['10 first', '20 first', '37 second', '47 second']);
    expect([first.counts[Cost.CONTEXT_SWITCH], second.counts[Cost.CONTEXT_SWITCH]]).toEqual([0, 1]);
    expect(second.cycles[Cost.CPU_WAIT]).toBe(20);
  });

  it('lets other CPUs do what comes during a switch', () => {
    const machine = machineOf(2, { CONTEXT_SWITCH: 1000 });
    const [first, second, other] = [
      taskOn(machine, 0, 'a'),
      taskOn(machine, 0, 'b'),
      taskOn(machine, 1, 'c'),
    ];
    const log: string[] = [];
    const logs = function* (thread: typeof first, cycles: number) {
      yield* compute(thread, cycles);
      log.push(`${thread.clock} ${thread.name}`);
    };
    // b begins with something that is no point: it is due when the switch is over.
    const begins = function* () {
      log.push(`${second.clock} b`);
      yield* compute(second, 1);
    };
    machine.start(first, logs(first, 10));
    machine.start(second, begins());
    machine.start(other, logs(other, 500));
    machine.runTimed();
    expect(log).toEqual(['10 a', '500 c', '1010 b']);
  });

  it('does not keep a CPU idle for a thread that wakes up later', () => {
    const machine = machineOf(2, { WAKEUP: 1000 });
    const daemon = kernelThreadOn(machine, 0);
    const [waker, user] = [taskOn(machine, 1), taskOn(machine, 0)];
    const queue = machine.waitQueue('queue');
    const log: string[] = [];
    const sleeping = function* () {
      queue.prepare(daemon);
      yield* queue.sleep(daemon);
      log.push(`${daemon.clock} daemon`);
    };
    const waking = function* () {
      yield* compute(waker, 100);
      queue.wake(waker);
    };
    const works = function* () {
      yield* compute(user, 300);
      log.push(`${user.clock} user`);
    };
    machine.start(daemon, sleeping());
    machine.start(waker, waking());
    machine.start(user, works());
    machine.runTimed();
    // The daemon is awake from 1100 on.
    expect(log).toEqual(['300 user', '1100 daemon']);
    const { idle, clock } = machine.timeOf(0);
    expect([idle, clock]).toEqual([800, 1100]);
  });

  it('goes on after an earlier run where that one ended', () => {
    const machine = machineOf(2);
    const lock = machine.spinLock('lock');
    const [first, second] = [taskOn(machine, 0), taskOn(machine, 1)];
    machine.start(first, hold(first, lock, 500));
    machine.runTimed();
    machine.start(second, hold(second, lock, 10));
    machine.runTimed();
    expect(second.clock).toBe(510);
    expect([second.cycles[Cost.LOCK_WAIT], second.cycles[Cost.EVENT_WAIT]]).toEqual([0, 500]);
  });

  it('ends when the user threads have ended and the kernel threads sleep', () => {
    const machine = machineOf(2, { WAKEUP: 1 });
    const daemon = kernelThreadOn(machine, 0);
    const user = taskOn(machine, 1);
    const queue = machine.waitQueue('queue');
    let rounds = 0;
    const serving = function* () {
      for (;;) {
        queue.prepare(daemon);
        yield* queue.sleep(daemon);
        yield* compute(daemon, 100);
        rounds++;
      }
    };
    const asking = function* () {
      yield* compute(user, 10);
      queue.wake(user);
    };
    machine.start(daemon, serving());
    machine.start(user, asking());
    machine.runTimed();
    expect([rounds, daemon.routine === null, daemon.clock]).toEqual([1, false, 111]);
  });

  it('reports user threads that sleep for ever', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    const queue = machine.waitQueue('queue');
    queue.prepare(thread);
    machine.start(thread, queue.sleep(thread));
    expect(() => machine.runTimed()).toThrow(
      expect.objectContaining({
        code: 'EPCKIT_INVARIANT',
        details: ['task 0 waits for queue, holds nothing'],
      }),
    );
  });

  it('refuses a second routine for a thread that has one', () => {
    const machine = machineOf(1);
    const thread = taskOn(machine, 0);
    machine.start(thread, compute(thread, 1));
    expect(() => machine.start(thread, compute(thread, 1))).toThrow('task 0 has a routine already.');
  });
});
