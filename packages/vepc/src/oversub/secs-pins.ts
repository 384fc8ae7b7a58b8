import type { PageIndex, Routine, Thread } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import { isTransient } from './host-leaves.js';
import { HostMark } from './host-marks.js';
import { insist } from './insist.js';
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
    const page = place.instance.vepc.pages.get(place.page);
    if (result === 0) this.count(place, 1);
    if (result === 0) yield* this.settle(thread, place, page);
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
   * An evicted child was dropped without being loaded. VIRTCHILDCNT falls at once through the SECS itself; or, if that is
   * evicted, when it comes back; or, if leaves of the guest are in the way, when the SECS is needed next.
   */
  *forgetChild(thread: Thread, holder: OversubInstance, place: SecsPlace): Routine<void> {
    const { instance, page } = place;
    const { records, vepc } = instance;
    yield* swapLocks(thread, holder, instance);
    records.addEvictedChildren(page, -1);
    records.addOwed(page, 1);
    const secs = vepc.pages.get(page);
    if (secs !== NONE) yield* this.settle(thread, place, secs);
    yield* swapLocks(thread, instance, holder);
  }

  /** A child was counted that has not left, and could not be counted down: when the SECS is needed next it will be. */
  *owe(thread: Thread, holder: OversubInstance, { instance, page }: SecsPlace): Routine<void> {
    yield* swapLocks(thread, holder, instance);
    instance.records.addOwed(page, 1);
    yield* swapLocks(thread, instance, holder);
  }

  /** Counts VIRTCHILDCNT of a SECS in the EPC down by the children it has owed. The lock of its instance is held. */
  *settle(thread: Thread, { instance, page }: SecsPlace, secs: PageIndex): Routine<void> {
    const { records, marks } = instance;
    while (records.owed(page) > 0) {
      // A guest's EREMOVE of the SECS that meets the leaf is the host's doing.
      if (thread.clock > thread.limit) yield marks.at(page);
      marks.set(page, HostMark.LOCKED);
      const leaf = () => this.parts.leaves.edec(thread, secs, secs);
      const result = yield* insist(thread, this.parts, instance, leaf);
      if (isTransient(result)) return;
      // Any other failure means that this page counts no children, or none any more.
      records.addOwed(page, -1);
    }
  }

  /** Pins are counted: two children may need the same SECS at a time (V-24). */
  protected count({ instance, page }: SecsPlace, pins: number): void {
    instance.records.addPins(page, pins);
  }
}
