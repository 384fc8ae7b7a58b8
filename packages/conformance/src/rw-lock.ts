import assert from 'node:assert/strict';
import type { RwLock, Thread } from '@epckit/interface';
import { Mode, opMode, opObject } from '@epckit/interface';
import type { ConformanceCase } from './case.js';
import { casesOf, violation } from './case.js';
import type { LockSubject } from './lock-subject.js';
import { tryTake } from './lock-subject.js';

const read = (lock: RwLock, thread: Thread): boolean => tryTake(() => lock.mustWaitRead(thread));
const write = (lock: RwLock, thread: Thread): boolean => tryTake(() => lock.mustWaitWrite(thread));

/** Kit for `RwLock`. */
export function rwLockCases(make: () => LockSubject): ConformanceCase[] {
  const setUp = () => {
    const { locks, createThread } = make();
    const lock = locks.rwLock('lock');
    const [a, b, c] = [createThread('a'), createThread('b'), createThread('c')];
    return { locks, lock, a, b, c };
  };
  return casesOf('RwLock', setUp, {
    'is shared by readers': ({ lock, a, b, c }) => {
      assert.ok(read(lock, a));
      assert.ok(read(lock, b));
      assert.deepEqual([lock.isHeldBy(a), lock.isHeldBy(b), lock.isHeldBy(c)], [true, true, false]);
    },
    'makes a writer wait for the last reader': ({ lock, a, b, c }) => {
      read(lock, a);
      read(lock, b);
      assert.equal(write(lock, c), false);
      lock.releaseRead(a);
      assert.equal(write(lock, c), false);
      lock.releaseRead(b);
      assert.ok(write(lock, c));
      assert.equal(lock.isHeldBy(c), true);
    },
    'makes readers and writers wait for a writer': ({ lock, a, b, c }) => {
      assert.ok(write(lock, a));
      assert.equal(read(lock, b), false);
      assert.equal(write(lock, c), false);
      assert.deepEqual([lock.isHeldBy(b), lock.isHeldBy(c)], [false, false]);
      lock.releaseWrite(a);
      assert.ok(read(lock, b));
    },
    'does not let a later reader overtake a waiting writer': ({ lock, a, b, c }) => {
      read(lock, a);
      assert.equal(write(lock, b), false);
      assert.equal(read(lock, c), false);
      lock.releaseRead(a);
      assert.ok(write(lock, b));
      lock.releaseWrite(b);
      assert.ok(read(lock, c));
    },
    'throws when it is given back by who does not hold it shared': ({ lock, a, b }) => {
      assert.throws(() => lock.releaseRead(a), violation);
      read(lock, a);
      assert.throws(() => lock.releaseRead(b), violation);
      assert.throws(() => lock.releaseWrite(a), violation);
      assert.equal(lock.isHeldBy(a), true);
    },
    'throws when it is given back by who does not hold it alone': ({ lock, a, b }) => {
      assert.throws(() => lock.releaseWrite(a), violation);
      write(lock, a);
      assert.throws(() => lock.releaseWrite(b), violation);
      assert.throws(() => lock.releaseRead(a), violation);
      assert.equal(lock.isHeldBy(a), true);
    },
    'announces both acquisitions on one object of its own': ({ locks, lock }) => {
      assert.equal(opMode(lock.acquireRead), Mode.ACQUIRE_SHARED);
      assert.equal(opMode(lock.acquireWrite), Mode.ACQUIRE);
      assert.equal(opObject(lock.acquireRead), opObject(lock.acquireWrite));
      assert.notEqual(opObject(lock.acquireRead), opObject(locks.rwLock('lock').acquireRead));
    },
  });
}
