import assert from 'node:assert/strict';
import type { Routine, Thread, WaitQueue } from '@epckit/interface';
import type { ConformanceCase } from './case.js';
import { casesOf } from './case.js';
import type { LockSubject } from './lock-subject.js';

/** Lets a thread fall asleep. @returns the sleep; resume it to see whether it has ended */
function fallAsleep(queue: WaitQueue, thread: Thread): Routine<void> {
  queue.prepare(thread);
  const sleep = queue.sleep(thread);
  assert.equal(isOver(sleep), false);
  return sleep;
}

function isOver(sleep: Routine<void>): boolean {
  return sleep.next().done === true;
}

/** Kit for `WaitQueue`. */
export function waitQueueCases(make: () => LockSubject): ConformanceCase[] {
  const setUp = () => {
    const { locks, createThread } = make();
    const [a, b, waker] = [createThread('a'), createThread('b'), createThread('waker')];
    return { queue: locks.waitQueue('queue'), a, b, waker };
  };
  return casesOf('WaitQueue', setUp, {
    'lets a thread sleep until it is woken': ({ queue, a, waker }) => {
      const sleep = fallAsleep(queue, a);
      assert.equal(isOver(sleep), false);
      assert.equal(queue.wake(waker), true);
      assert.equal(isOver(sleep), true);
    },
    'does not lose a wake-up between prepare and sleep': ({ queue, a, waker }) => {
      queue.prepare(a);
      queue.wake(waker);
      assert.equal(isOver(queue.sleep(a)), true);
    },
    'forgets a wake-up that came before prepare': ({ queue, a, waker }) => {
      queue.prepare(a);
      queue.wake(waker);
      fallAsleep(queue, a);
      queue.finish(a);
      queue.wake(waker);
      fallAsleep(queue, a);
    },
    'wakes all sleepers': ({ queue, a, b, waker }) => {
      const sleeps = [fallAsleep(queue, a), fallAsleep(queue, b)];
      assert.equal(queue.wake(waker), true);
      assert.deepEqual(sleeps.map(isOver), [true, true]);
    },
    'says that nobody slept when nobody did': ({ queue, a, waker }) => {
      assert.equal(queue.wake(waker), false);
      queue.prepare(a);
      queue.finish(a);
      assert.equal(queue.wake(waker), false);
    },
    'can be slept on again after a wake-up that brought nothing': ({ queue, a, waker }) => {
      const first = fallAsleep(queue, a);
      queue.wake(waker);
      assert.equal(isOver(first), true);
      const second = fallAsleep(queue, a);
      assert.equal(queue.wake(waker), true);
      assert.equal(isOver(second), true);
    },
    'keeps sleepers of different queues apart': ({ queue, a, waker }) => {
      const other = make();
      const sleep = fallAsleep(queue, a);
      other.locks.waitQueue('queue').wake(other.createThread('waker'));
      assert.equal(isOver(sleep), false);
      assert.equal(queue.wake(waker), true);
    },
  });
}
