import type { PageIndex, Routine, Thread, WrittenResult } from '@epckit/interface';
import { Errno, NONE, SgxCode, Written } from '@epckit/interface';
import { GuestClass, GuestState } from './guest-records.js';
import { isTransientWrite } from './host-leaves.js';
import { HostMark } from './host-marks.js';
import { insist } from './insist.js';
import type { GuestPage, SecsPlace } from './instances.js';
import type { OversubParts } from './parts.js';
import { isPoisoned, lose } from './poison.js';

/** Writes a blocked page out of the EPC. The instance's lock and the mmap lock are held. */
export class GuestWriter {
  /** What the writer works with. */
  protected readonly parts: OversubParts;

  constructor(parts: OversubParts) {
    this.parts = parts;
  }

  /** `BUSY`: a leaf of the guest is in the way, or the instance is dead; a later batch looks again. */
  *write(thread: Thread, subject: GuestPage): Routine<WrittenResult> {
    const { instance, index } = subject;
    const { records } = instance;
    if (instance.isDead || records.pins(index) > 0) return Written.BUSY;
    const kind = records.classOf(index);
    if (kind === GuestClass.CHILD) return yield* this.writeChild(thread, subject);
    if (kind !== GuestClass.INVALID) return yield* this.writeAlone(thread, subject);
    return this.drop(subject);
  }

  /** A child: its SECS stays in the EPC meanwhile. */
  protected *writeChild(thread: Thread, subject: GuestPage): Routine<WrittenResult> {
    const { instance, index } = subject;
    const place = this.parts.instances.at(instance.vm, instance.records.secsPage(index));
    if (place === null) return this.doom(subject);
    const secs = yield* this.parts.pins.pin(thread, instance, place);
    if (secs < 0) return secs === -Errno.EFAULT ? this.doom(subject) : Written.BUSY;
    const written = yield* this.writePinned(thread, subject, place, secs);
    yield* this.unpin(thread, subject, place, written);
    return written;
  }

  /** The lock may have been dropped: looks again at what can have changed. */
  protected *writePinned(
    thread: Thread,
    subject: GuestPage,
    place: SecsPlace,
    secs: PageIndex,
  ): Routine<WrittenResult> {
    const { instance, index } = subject;
    if (instance.isDead) return Written.BUSY;
    // REMOVE_ALL has made it unused.
    if (instance.records.classOf(index) === GuestClass.INVALID) return this.drop(subject);
    // No room: the page waits. Or the instance is dead.
    if ((yield* this.parts.versions.makeRoom(thread, instance)) !== 0) return Written.BUSY;
    if (yield* this.isPoisoned(thread, subject)) return this.lost(subject);
    yield* this.excuse(thread, place);
    instance.secs = secs;
    const slot = yield* this.depart(thread, subject, secs, place);
    instance.secs = NONE;
    return slot < 0 ? this.failed(subject, -slot) : this.evicted(subject, slot);
  }

  /** Pins are balanced, whatever became of the page (V-25). */
  protected unpin(
    thread: Thread,
    { instance, index }: GuestPage,
    place: SecsPlace,
    _written: WrittenResult,
  ): Routine<void> {
    const isEvicted = instance.records.state(index) === GuestState.EVICTED;
    return this.parts.pins.unpin(thread, instance, place, isEvicted ? 1 : 0);
  }

  /**
   * Counts the child as evicted before it leaves: else the guest could remove or write its SECS in between, and the
   * child could never come back (V-29).
   *
   * @returns slot, or the negated result of the leaf that failed
   */
  protected *depart(thread: Thread, subject: GuestPage, secs: PageIndex, place: SecsPlace): Routine<number> {
    const counted = yield* this.parts.leaves.einc(thread, subject.page, secs);
    if (counted !== SgxCode.SUCCESS) return -counted;
    const slot = yield* this.ewb(thread, subject);
    if (slot < 0) yield* this.stay(thread, subject, secs, place);
    return slot;
  }

  /** The child has not left: counts it down, or the SECS owes it. */
  protected *stay(
    thread: Thread,
    { instance, page }: GuestPage,
    secs: PageIndex,
    place: SecsPlace,
  ): Routine<void> {
    const leaf = () => this.parts.leaves.edec(thread, page, secs);
    const result = yield* insist(thread, this.parts, instance, leaf);
    if (result !== SgxCode.SUCCESS) yield* this.parts.pins.owe(thread, instance, place);
  }

  /** The ladder: EWB, after NOT_TRACKED a tracking cycle and EWB, after another one interrupts and EWB. */
  protected ewb(thread: Thread, { instance, page, index }: GuestPage): Routine<number> {
    return instance.paging.writeBack.write(thread, instance, page, index);
  }

  /** EWB holds the tracking resource of the SECS: a guest's ETRACK that meets it is the host's doing. */
  protected *excuse(thread: Thread, { instance, page }: SecsPlace): Routine<void> {
    if (thread.clock > thread.limit) yield instance.marks.at(page);
    instance.marks.set(page, HostMark.LOCKED);
  }

  /** A SECS or a VA page: neither blocked nor tracked. */
  protected *writeAlone(thread: Thread, subject: GuestPage): Routine<WrittenResult> {
    if ((yield* this.parts.versions.makeRoom(thread, subject.instance)) !== 0) return Written.BUSY;
    if (yield* this.isPoisoned(thread, subject)) return this.lost(subject);
    const slot = yield* this.ewb(thread, subject);
    return slot < 0 ? this.failed(subject, -slot) : this.evicted(subject, slot);
  }

  /** Has the page got a memory error since it was prepared? No software can look later than directly before the leaf. */
  protected isPoisoned(thread: Thread, { page }: GuestPage): Routine<boolean> {
    return isPoisoned(thread, this.parts, page);
  }

  /** The page goes back onto its list, and the next look at it takes it off. */
  protected lost(subject: GuestPage): WrittenResult {
    lose(subject);
    return Written.BUSY;
  }

  /** The contents are in the backing store. */
  protected evicted({ instance, index }: GuestPage, slot: number): WrittenResult {
    instance.vepc.pages.erase(index);
    instance.records.setSlot(index, slot);
    instance.records.setListed(index, false);
    instance.records.setReserved(index, false);
    instance.records.setState(index, GuestState.EVICTED);
    return Written.FREED;
  }

  /** Nothing to save: the next touch gives the guest another unused page, and it cannot tell them apart. */
  protected drop({ instance, index }: GuestPage): WrittenResult {
    instance.vepc.pages.erase(index);
    instance.records.clear(index);
    return Written.FREED;
  }

  /** A conflict leaves the page where it is, for a later batch; everything else is unexpected. */
  protected failed(subject: GuestPage, code: number): WrittenResult {
    return isTransientWrite(code) ? Written.BUSY : this.doom(subject);
  }

  /**
   * Nothing is tried to save the VM. The page goes back onto its list, and the next look at it finds the instance dead:
   * a last reference may then be dropped while no reclaimer holds the page.
   */
  protected doom({ instance }: GuestPage): WrittenResult {
    instance.isDead = true;
    return Written.BUSY;
  }
}
