import type { Routine, Thread } from '@epckit/interface';
import { Mode } from '@epckit/interface';
import { GuestState } from './guest-records.js';
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
