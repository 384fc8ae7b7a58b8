import type { LockFactory, Thread } from '@epckit/interface';

/** What the kits of locks work on. */
export interface LockSubject {
  /** Makes the locks under test. */
  readonly locks: LockFactory;
  /** A further thread that can take them. */
  createThread(name: string): Thread;
}

/**
 * Asks for a lock like a routine that nobody else interrupts: the first refusal may be the point before the
 * acquisition, the second is a wait.
 *
 * @returns true if the thread has got the lock
 */
export function tryTake(mustWait: () => boolean): boolean {
  return !mustWait() || !mustWait();
}
