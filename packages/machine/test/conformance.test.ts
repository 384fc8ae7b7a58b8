import type { LockSubject } from '@epckit/conformance';
import { mutexCases, rwLockCases, spinLockCases, waitQueueCases } from '@epckit/conformance';
import { describe, it } from 'vitest';
import { machineOf, taskOn } from './set-up.js';

function make(): LockSubject {
  const locks = machineOf(1);
  return { locks, createThread: (name) => taskOn(locks, 0, name) };
}

describe('conformance', () => {
  for (const kit of [spinLockCases, mutexCases, rwLockCases, waitQueueCases]) {
    for (const { name, run } of kit(make)) it(name, run);
  }
});
