import type { Routine, Thread } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import type { OversubInstance } from './instance.js';

/**
 * Begins the reclaimer's work on a page: a live reference to the VMM's address space, its lock for reading, the
 * instance's lock, in this order.
 *
 * @returns false, with nothing held: the address space is being torn down
 */
export function* enterSection(thread: Thread, instance: OversubInstance): Routine<boolean> {
  const { mm } = instance.vm;
  if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
  if (!mm.users.getUnlessZero(thread)) return false;
  while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
  yield* lockInstance(thread, instance);
  return true;
}

/** Ends what {@link enterSection} began. */
export function* leaveSection(thread: Thread, instance: OversubInstance): Routine<void> {
  const { mm } = instance.vm;
  instance.vepc.lock.release(thread);
  mm.lock.releaseRead(thread);
  if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
  mm.users.put(thread);
}

/** Takes the instance's lock. No other instance's lock is held: nobody ever holds two (V-34). */
export function* lockInstance(thread: Thread, { vepc }: OversubInstance): Routine<void> {
  while (vepc.lock.mustWait(thread)) yield vepc.lock.acquire;
}

/** Gives the lock of one instance back and takes that of another; does nothing for the same one. */
export function* swapLocks(thread: Thread, from: OversubInstance, to: OversubInstance): Routine<void> {
  if (from === to) return;
  from.vepc.lock.release(thread);
  yield* lockInstance(thread, to);
}
