import type { Routine, Thread } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import { GuestClass, GuestState } from './guest-records.js';
import type { OversubInstance } from './instance.js';
import type { OversubParts } from './parts.js';

/** Forgets evicted pages without loading them. */
export class Dropper {
  /** What the dropper works with. */
  protected readonly parts: OversubParts;

  constructor(parts: OversubParts) {
    this.parts = parts;
  }

  /**
   * Drops the contents of an evicted page: slot, backing, and the place that a child has in the count of its SECS. The
   * lock is held; it is dropped and taken again if the SECS lies in another instance.
   */
  *drop(thread: Thread, instance: OversubInstance, index: number): Routine<void> {
    const { records } = instance;
    const isChild = records.classOf(index) === GuestClass.CHILD;
    const place = isChild ? this.parts.instances.placeOf(records.secsPage(index)) : null;
    this.forget(thread, instance, index);
    if (place !== null) yield* this.parts.pins.forgetChild(thread, instance, place);
  }

  /** The part of {@link drop} that concerns the instance alone. */
  forget(thread: Thread, instance: OversubInstance, index: number): void {
    const { records, paging } = instance;
    if (records.slot(index) !== NONE) paging.slots.release(records.slot(index));
    records.setState(index, GuestState.EMPTY);
    paging.backing.truncate(thread, index, (sibling) => records.isInFlight(sibling));
    records.clear(index);
  }
}
