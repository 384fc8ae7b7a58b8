import type { ConformanceCase } from './case.js';
import { exclusiveLockCases } from './exclusive-lock.js';
import type { LockSubject } from './lock-subject.js';

/** Kit for `SpinLock`. */
export function spinLockCases(make: () => LockSubject): ConformanceCase[] {
  return exclusiveLockCases('SpinLock', make, ({ locks }, name) => locks.spinLock(name));
}
