import type { Routine, WaitQueue } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { MachineThread } from '../src/index.js';
import { compute, kernelThreadOn, machineOf, scheduleInOrder, taskOn } from './set-up.js';

/** Sleeps until `condition`; returns how often it looked. */
function* waitFor(thread: MachineThread, queue: WaitQueue, condition: () => boolean): Routine<number> {
  for (let looks = 1; ; looks++) {
    queue.prepare(thread);
    if (condition()) {
      queue.finish(thread);
      return looks;
    }
    yield* queue.sleep(thread);
  }
}

describe('wait queue', () => {
  it('does not lose a wake-up between prepare and sleep', () => {
    const machine = machineOf(2);
    const [sleeper, waker] = [taskOn(machine, 0), taskOn(machine, 1)];
    const queue = machine.waitQueue('queue');
    const routine = function* () {
      queue.prepare(sleeper);
      queue.wake(waker);
      yield* queue.sleep(sleeper);
      queue.finish(sleeper);
      return 'awake';
    };
    expect(machine.run(sleeper, routine())).toBe('awake');
  });

  it('forgets a wake-up that came before prepare', () => {
    const machine = machineOf(1);
    const sleeper = taskOn(machine, 0);
    const queue = machine.waitQueue('queue');
    const routine = function* () {
      queue.prepare(sleeper);
      queue.wake(sleeper);
      queue.prepare(sleeper);
      yield* queue.sleep(sleeper);
    };
    expect(() => machine.run(sleeper, routine())).toThrow(
      expect.objectContaining({ details: ['task 0 waits for queue, holds nothing'] }),
    );
  });

  it('wakes nobody who has finished or never came', () => {
    const machine = machineOf(2);
    const [thread, waker] = [taskOn(machine, 0), taskOn(machine, 1)];
    const queue = machine.waitQueue('queue');
    expect(queue.wake(waker)).toBe(false);
    queue.prepare(thread);
    queue.finish(thread);
    expect(queue.wake(waker)).toBe(false);
  });

  it('says that it woke somebody only if somebody slept', () => {
    const machine = machineOf(2);
    const [daemon, waker] = [kernelThreadOn(machine, 0), taskOn(machine, 1)];
    const queue = machine.waitQueue('queue');
    let isReady = false;
    machine.start(
      daemon,
      waitFor(daemon, queue, () => isReady),
    );
    expect(queue.wake(waker)).toBe(false);
    machine.runKernelThreads();
    isReady = true;
    expect([queue.wake(waker), queue.wake(waker)]).toEqual([true, false]);
    machine.runKernelThreads();
    expect(daemon.routine).toBe(null);
  });
});

describe('wait queue in the timed world', () => {
  it('looks at its condition again after every wake-up', () => {
    const machine = machineOf(2, { WAKEUP: 10 });
    const [sleeper, waker] = [taskOn(machine, 0), taskOn(machine, 1)];
    const queue = machine.waitQueue('queue');
    let isReady = false;
    let looks = 0;
    const sleeping = function* () {
      looks = yield* waitFor(sleeper, queue, () => isReady);
    };
    const waking = function* () {
      yield* compute(waker, 100);
      queue.wake(waker);
      yield* compute(waker, 100);
      isReady = true;
      queue.wake(waker);
    };
    machine.start(sleeper, sleeping());
    machine.start(waker, waking());
    machine.runTimed();
    expect([looks, sleeper.clock]).toEqual([3, 210]);
    // Asleep from 0 to 100 and, after 10 cycles of waking up, from 110 to 200.
    expect([sleeper.cycles[Cost.EVENT_WAIT], sleeper.cycles[Cost.WAKEUP]]).toEqual([190, 20]);
  });

  it('wakes all sleepers', () => {
    const machine = machineOf(4, { WAKEUP: 10 });
    const queue = machine.waitQueue('queue');
    let isReady = false;
    const sleepers = [0, 1, 2].map((cpu) => taskOn(machine, cpu));
    for (const thread of sleepers) {
      machine.start(
        thread,
        waitFor(thread, queue, () => isReady),
      );
    }
    const waker = taskOn(machine, 3);
    const waking = function* () {
      yield* compute(waker, 100);
      isReady = true;
      expect(queue.wake(waker)).toBe(true);
    };
    machine.start(waker, waking());
    machine.runTimed();
    expect(sleepers.map(({ clock }) => clock)).toEqual([110, 110, 110]);
  });

  it('lets the woken thread run before the waker passes its time', () => {
    const machine = machineOf(2, { WAKEUP: 10 });
    const [sleeper, waker] = [taskOn(machine, 0), taskOn(machine, 1)];
    const queue = machine.waitQueue('queue');
    let isReady = false;
    const log: [string, number][] = [];
    const sleeping = function* () {
      yield* waitFor(sleeper, queue, () => isReady);
      log.push(['woken', sleeper.clock]);
    };
    const waking = function* () {
      yield* compute(waker, 100);
      isReady = true;
      queue.wake(waker);
      for (let i = 0; i < 3; i++) {
        yield* compute(waker, 5);
        log.push(['waker', waker.clock]);
      }
    };
    machine.start(sleeper, sleeping());
    machine.start(waker, waking());
    machine.runTimed();
    // At 110 the lower CPU comes first.
    expect(log).toEqual([
      ['waker', 105],
      ['woken', 110],
      ['waker', 110],
      ['waker', 115],
    ]);
  });
});

describe('wait queue in the explored world', () => {
  it('makes every order of prepare, look, sleep and wake end awake', () => {
    const orders = [
      ['sleeper', 'sleeper', 'waker', 'waker'],
      ['sleeper', 'waker', 'waker', 'sleeper'],
      ['waker', 'sleeper', 'waker', 'sleeper'],
      ['waker', 'waker', 'sleeper', 'sleeper'],
    ];
    for (const order of orders) {
      const machine = machineOf(2, {}, true);
      const [sleeper, waker] = [taskOn(machine, 0, 'sleeper'), taskOn(machine, 1, 'waker')];
      const queue = machine.waitQueue('queue');
      const ready = machine.sharedNumber('ready', 0);
      const sleeping = function* () {
        for (;;) {
          queue.prepare(sleeper);
          if (sleeper.clock > sleeper.limit) yield ready.reading;
          if (ready.read(sleeper) === 1) break;
          yield* queue.sleep(sleeper);
        }
        queue.finish(sleeper);
      };
      const waking = function* () {
        if (waker.clock > waker.limit) yield ready.writing;
        ready.write(waker, 1);
        queue.wake(waker);
      };
      machine.start(sleeper, sleeping());
      machine.start(waker, waking());
      const result = machine.runExplored(scheduleInOrder(order), { maxSteps: 100 });
      expect([result.status, result.error, sleeper.routine]).toEqual(['done', undefined, null]);
    }
  });
});
