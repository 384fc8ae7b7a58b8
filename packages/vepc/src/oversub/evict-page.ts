import type { PageIndex, PageOwner, Routine, Thread } from '@epckit/interface';
import { Blocked, Cost, Errno, FrameFlag, Mode, Pin, Prepared, Written } from '@epckit/interface';
import type { VepcComponents } from '../components.js';
import type { OversubComponents } from './components.js';

/** What became of a page that was to be evicted. */
export const Eviction = {
  /** it is free */
  EVICTED: 0,
  /** not now: a SECS with children, a pinned page, a conflict, a batch; the page is as before */
  BUSY: 1,
  /** its owner is dead or gone; it is not reclaimable any more */
  KEPT: 2,
} as const;
/** Value of {@link Eviction}. */
export type EvictionId = (typeof Eviction)[keyof typeof Eviction];

/**
 * A batch of one given page, whatever its age: the same steps of its owner in the same order. For tests that force
 * evictions, and for tools.
 */
export class PageEviction {
  /** What the driver is made of. */
  protected readonly components: VepcComponents;
  /** Lists of the reclaimer. */
  protected readonly oversub: OversubComponents;

  constructor(components: VepcComponents, oversub: OversubComponents) {
    this.components = components;
    this.oversub = oversub;
  }

  /** Evicts `page`, which `owner` serves. No locks are held; the page must not change hands before the first point. */
  *evict(thread: Thread, owner: PageOwner, page: PageIndex): Routine<EvictionId> {
    const { frames } = this.components;
    if (thread.clock > thread.limit) yield frames.flagsAt(page, Mode.READ);
    if ((frames.peekFlags(page) & FrameFlag.TRACKED) === 0) return Eviction.KEPT;
    const instance = frames.owner(page);
    if (thread.clock > thread.limit) yield owner.pinAt(page);
    if (owner.get(thread, page) === Pin.GONE) return Eviction.KEPT;
    const isTaken = (yield* this.oversub.lists.unmark(thread, page)) !== -Errno.EBUSY;
    const result = isTaken ? yield* this.take(thread, owner, page) : Eviction.BUSY;
    if (isTaken && result === Eviction.BUSY) yield* this.oversub.lists.mark(thread, page);
    if (thread.spend(Cost.STEP) > thread.limit) yield owner.putAt(instance);
    if (owner.put(thread, instance)) yield* owner.release(thread, instance);
    if (result === Eviction.EVICTED) yield* this.components.allocator.free(thread, page);
    return result;
  }

  /** Reserve, block, write. */
  protected *take(thread: Thread, owner: PageOwner, page: PageIndex): Routine<EvictionId> {
    const prepared = yield* owner.prepare(thread, page);
    if (prepared !== Prepared.READY) return prepared === Prepared.BUSY ? Eviction.BUSY : Eviction.KEPT;
    const blocked = yield* owner.block(thread, page);
    if (blocked !== Blocked.OK) return blocked === Blocked.BUSY ? Eviction.BUSY : Eviction.KEPT;
    const written = yield* owner.write(thread, page);
    if (written === Written.FREED) return Eviction.EVICTED;
    return written === Written.BUSY ? Eviction.BUSY : Eviction.KEPT;
  }
}
