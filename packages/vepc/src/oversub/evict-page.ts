import type { PageIndex, PageOwner, Routine, Thread } from '@epckit/interface';
import { Blocked, Cost, Errno, FrameFlag, Mode, NONE, Prepared, Written } from '@epckit/interface';
import type { OversubInstance } from './instance.js';
import type { GuestPage } from './instances.js';
import type { OversubParts } from './parts.js';
import { lockInstance } from './section.js';
import type { VmPage } from './vm.js';

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
 * evictions, and for tools. Everybody else may go on meanwhile: batches, faults, the killer and the end of the VM.
 */
export class PageEviction {
  /** What the eviction works with. */
  protected readonly parts: OversubParts;

  constructor(parts: OversubParts) {
    this.parts = parts;
  }

  /** Evicts the page behind `place`, which `owner` serves. No locks are held. */
  *evict(thread: Thread, owner: PageOwner, { vepc, page: index }: VmPage): Routine<EvictionId> {
    const instance = this.parts.instances.of(vepc.id);
    if (instance === undefined) return Eviction.KEPT;
    if (thread.clock > thread.limit) yield instance.refs.writing;
    // With a reference of its own nobody gives the instance back meanwhile.
    if (!instance.refs.getUnlessZero(thread)) return Eviction.KEPT;
    const page = yield* this.isolate(thread, instance, index);
    const isTaken = page >= 0;
    let result: EvictionId = page === -Errno.EBUSY ? Eviction.BUSY : Eviction.KEPT;
    if (isTaken) result = yield* this.take(thread, owner, page);
    if (isTaken && result !== Eviction.EVICTED)
      yield* this.putBack(thread, { instance, index, page }, result);
    if (thread.spend(Cost.STEP) > thread.limit) yield instance.refs.writing;
    if (instance.refs.put(thread)) yield* owner.release(thread, instance.id);
    if (result === Eviction.EVICTED) yield* this.parts.components.allocator.free(thread, page);
    return result;
  }

  /**
   * Takes the page off its list. Its record says that it is in a reclaimer's hands, so the killer leaves it alone.
   *
   * @returns EPC page; `-EBUSY`: a batch has it; `-ENOENT`: it is not reclaimable
   */
  protected *isolate(thread: Thread, instance: OversubInstance, index: number): Routine<number> {
    const { frames } = this.parts.components;
    yield* lockInstance(thread, instance);
    const page = instance.vepc.pages.get(index);
    if (page !== NONE && thread.clock > thread.limit) yield frames.flagsAt(page, Mode.READ);
    const isTracked = page !== NONE && (frames.peekFlags(page) & FrameFlag.TRACKED) !== 0;
    let result = isTracked ? page : -Errno.ENOENT;
    if (isTracked) {
      const error = yield* this.parts.oversub.lists.unmark(thread, page);
      if (error === 0) instance.records.setReserved(index, true);
      else result = error;
    }
    instance.vepc.lock.release(thread);
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

  /** The page stays, if the killer has not freed it since it was mapped again. */
  protected *putBack(thread: Thread, subject: GuestPage, result: EvictionId): Routine<void> {
    const { instance, index, page } = subject;
    yield* lockInstance(thread, instance);
    if (instance.vepc.pages.get(index) === page) {
      instance.records.setReserved(index, false);
      if (result === Eviction.BUSY) yield* this.parts.oversub.lists.mark(thread, page);
    }
    instance.vepc.lock.release(thread);
  }
}
