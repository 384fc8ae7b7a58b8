import type { Routine, Thread } from '@epckit/interface';
import { FrameFlag, Mode } from '@epckit/interface';
import { GuestClass, GuestState } from './guest-records.js';
import type { GuestPage } from './instances.js';
import type { OversubParts } from './parts.js';

/** Has the EPC page a memory error? EWB would read it, so nobody writes such a page. */
export function* isPoisoned(thread: Thread, { components }: OversubParts, page: number): Routine<boolean> {
  const { frames } = components;
  if (thread.clock > thread.limit) yield frames.poisonAt(page, Mode.READ);
  return frames.isPoisoned(page);
}

/**
 * Gives up the contents of a page that has a memory error and was unmapped: it is not mapped any more, and whoever
 * touches it ends in SIGBUS. The instance's lock is held.
 */
export function lose({ instance, index }: Pick<GuestPage, 'instance' | 'index'>): void {
  const { records } = instance;
  records.setReserved(index, false);
  records.setLeft(index, false);
  records.setState(index, GuestState.LOST);
}

/**
 * Gives a lost page back that REMOVE_ALL has made unused: the next touch gets another one. Whoever is about to evict
 * it would keep it; then the record remembers that it is unused. The instance's lock is held.
 *
 * @returns false: a batch has the page, or whoever evicts this page alone
 */
export function* replace(
  thread: Thread,
  { components, oversub, pages }: OversubParts,
  { instance, index, page }: GuestPage,
): Routine<boolean> {
  const { records, vepc } = instance;
  records.setClass(index, GuestClass.INVALID);
  if (records.isInFlight(index)) return false;
  if (records.isListed(index)) {
    if ((yield* oversub.lists.unmark(thread, page)) !== 0) return false;
  } else {
    // A batch was told to let go of the page; it clears TRACKED without a lock.
    if (thread.clock > thread.limit) yield components.frames.flagsAt(page, Mode.READ);
    if ((components.frames.peekFlags(page) & FrameFlag.TRACKED) !== 0) return false;
  }
  vepc.pages.erase(index);
  records.clear(index);
  yield* pages.free(thread, page);
  return true;
}
