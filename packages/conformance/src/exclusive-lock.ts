import assert from 'node:assert/strict';
import type { Lock } from '@epckit/interface';
import { Mode, opMode, opObject } from '@epckit/interface';
import type { ConformanceCase } from './case.js';
import { casesOf, violation } from './case.js';
import type { LockSubject } from './lock-subject.js';
import { tryTake } from './lock-subject.js';

/** Requirements that spinlock and mutex share: everything in the contract of `Lock`. */
export function exclusiveLockCases(
  contract: string,
  make: () => LockSubject,
  create: (subject: LockSubject, name: string) => Lock,
): ConformanceCase[] {
  const setUp = () => {
    const subject = make();
    const lock = create(subject, 'lock');
    const [first, second] = [subject.createThread('first'), subject.createThread('second')];
    return { subject, lock, first, second };
  };
  return casesOf(contract, setUp, {
    'is held by the thread that took it and by no other': ({ lock, first, second }) => {
      assert.equal(lock.isHeldBy(first), false);
      assert.ok(tryTake(() => lock.mustWait(first)));
      assert.equal(lock.isHeldBy(first), true);
      assert.equal(lock.isHeldBy(second), false);
    },
    'is refused while another thread holds it, however often that is asked': ({ lock, first, second }) => {
      tryTake(() => lock.mustWait(first));
      for (let i = 0; i < 5; i++) assert.equal(lock.mustWait(second), true);
      assert.equal(lock.isHeldBy(second), false);
      assert.equal(lock.isHeldBy(first), true);
    },
    'can be taken by a waiter after it was given back': ({ lock, first, second }) => {
      tryTake(() => lock.mustWait(first));
      tryTake(() => lock.mustWait(second));
      lock.release(first);
      assert.equal(lock.isHeldBy(first), false);
      assert.ok(tryTake(() => lock.mustWait(second)));
      assert.equal(lock.isHeldBy(second), true);
    },
    'can be taken again and again by one thread': ({ lock, first }) => {
      for (let i = 0; i < 3; i++) {
        assert.ok(tryTake(() => lock.mustWait(first)));
        lock.release(first);
      }
    },
    'is never granted twice to its holder': ({ lock, first }) => {
      tryTake(() => lock.mustWait(first));
      let isGranted = false;
      try {
        isGranted = tryTake(() => lock.mustWait(first));
      } catch (error) {
        assert.equal((error as { code?: unknown }).code, violation['code']);
      }
      assert.equal(isGranted, false);
    },
    'throws when a thread that does not hold it gives it back': ({ lock, first, second }) => {
      assert.throws(() => lock.release(first), violation);
      tryTake(() => lock.mustWait(first));
      assert.throws(() => lock.release(second), violation);
      assert.equal(lock.isHeldBy(first), true);
      lock.release(first);
      assert.throws(() => lock.release(first), violation);
    },
    'announces its acquisition, with an object of its own': ({ subject, lock }) => {
      const twin = create(subject, 'lock');
      assert.equal(opMode(lock.acquire), Mode.ACQUIRE);
      assert.notEqual(opObject(lock.acquire), opObject(twin.acquire));
      assert.equal(lock.name, 'lock');
    },
    'has nothing to do with another lock of its class': ({ subject, lock, first, second }) => {
      const twin = create(subject, 'lock');
      tryTake(() => lock.mustWait(first));
      assert.ok(tryTake(() => twin.mustWait(second)));
      assert.equal(twin.isHeldBy(first), false);
    },
  });
}
