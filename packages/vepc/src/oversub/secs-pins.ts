import type { Routine, Thread } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import { GuestState } from './guest-records.js';
import type { OversubInstance } from './instance.js';
import type { SecsPlace } from './instances.js';
import type { OversubParts } from './parts.js';
import { swapLocks } from './section.js';

/**
 * Keeps a SECS in the EPC while a child of it is written or loaded: SECS out last, in first. The SECS may lie in
 * another instance of the VM; then the child's lock is dropped meanwhile, and its caller looks again.
 */
export class SecsPins {
  /** What the pins work with. */
  protected readonly parts: OversubParts;

  constructor(parts: OversubParts) {
    this.parts = parts;
  }

  /**
   * Makes the SECS resident and pins it. The lock of `holder` and the mmap lock are held; the former is dropped and
   * taken again if the SECS is elsewhere.
   *
   * @returns EPC page of the SECS, or the error of the fault that was to bring it
   */
  *pin(thread: Thread, holder: OversubInstance, place: SecsPlace): Routine<number> {
    yield* swapLocks(thread, holder, place.instance);
    const result = yield* this.parts.faults.bringSecs(thread, place.instance, place.page);
    if (result === 0) this.count(place, 1);
    const page = place.instance.vepc.pages.get(place.page);
    yield* swapLocks(thread, place.instance, holder);
    return result === 0 ? page : result;
  }

  /** Drops a pin. `evicted`: how many more children of the SECS are evicted now, -1 to 1. */
  *unpin(thread: Thread, holder: OversubInstance, place: SecsPlace, evicted: number): Routine<void> {
    yield* swapLocks(thread, holder, place.instance);
    this.count(place, -1);
    place.instance.records.addEvictedChildren(place.page, evicted);
    yield* swapLocks(thread, place.instance, holder);
  }

  /**
   * An evicted child was dropped without being loaded. VIRTCHILDCNT falls at once through the SECS itself, or, if that
   * is evicted, when it comes back.
   */
  *forgetChild(thread: Thread, holder: OversubInstance, place: SecsPlace): Routine<void> {
    const { instance, page } = place;
    yield* swapLocks(thread, holder, instance);
    instance.records.addEvictedChildren(page, -1);
    const secs = instance.vepc.pages.get(page);
    if (instance.records.state(page) === GuestState.EVICTED || secs === NONE)
      instance.records.addOwed(page, 1);
    else yield* this.parts.leaves.edec(thread, secs, secs);
    yield* swapLocks(thread, instance, holder);
  }

  /** Pins are counted: two children may need the same SECS at a time (V-24). */
  protected count({ instance, page }: SecsPlace, pins: number): void {
    instance.records.addPins(page, pins);
  }
}
