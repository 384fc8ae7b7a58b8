import assert from 'node:assert/strict';
import type { ConformanceCase } from './case.js';
import { casesOf } from './case.js';
import { exclusiveLockCases } from './exclusive-lock.js';
import type { LockSubject } from './lock-subject.js';
import { tryTake } from './lock-subject.js';

/** Kit for `Mutex`. */
export function mutexCases(make: () => LockSubject): ConformanceCase[] {
  return [
    ...exclusiveLockCases('Mutex', make, ({ locks }, name) => locks.mutex(name)),
    ...casesOf('Mutex', make, {
      'may be held while its holder takes other locks': ({ locks, createThread }) => {
        const thread = createThread('holder');
        const [outer, inner] = [locks.mutex('outer'), locks.mutex('inner')];
        const spin = locks.spinLock('spin');
        for (const lock of [outer, inner, spin]) assert.ok(tryTake(() => lock.mustWait(thread)));
        for (const lock of [spin, inner, outer]) lock.release(thread);
        assert.equal(outer.isHeldBy(thread), false);
      },
    }),
  ];
}
