import type { ErrnoResult, PageIndex, Routine, Thread } from '@epckit/interface';
import { Errno, NONE, SgxCode } from '@epckit/interface';
import { GuestClass } from './guest-records.js';
import { CONFLICT_TRIES, isTransient } from './host-leaves.js';
import { HostMark } from './host-marks.js';
import { expel, insist } from './insist.js';
import type { GuestPage, SecsPlace } from './instances.js';
import { hostCookie, hostPageOf } from './instances.js';
import type { OversubParts } from './parts.js';

/** Brings an evicted page back into an EPC page of the instance. The instance's lock is held. */
export class GuestLoader {
  /** What the loader works with. */
  protected readonly parts: OversubParts;

  constructor(parts: OversubParts) {
    this.parts = parts;
  }

  /**
   * Loads the page; `place` and `secs`: where its SECS is, pinned, or null and `-1`.
   *
   * @returns 0; `-EBUSY`: leaves of the guest are in the way, or EPC for a version array page is wanting; `-ENOMEM`: no backing page; `-EFAULT`: the instance is
   * dead. After an error the EPC page is the caller's to free.
   */
  *load(thread: Thread, subject: GuestPage, place: SecsPlace | null, secs: PageIndex): Routine<ErrnoResult> {
    const { instance, index } = subject;
    const isSecs = instance.records.classOf(index) === GuestClass.SECS;
    const error = yield* this.parts.versions.bring(thread, instance, instance.records.slot(index));
    if (error !== 0) return error;
    yield* this.excuse(thread, subject, isSecs ? { instance, page: index } : place);
    let result = yield* this.arrive(thread, subject, secs);
    if (result === SgxCode.SUCCESS && isSecs) result = yield* this.settleSecs(thread, subject);
    if (result === SgxCode.SUCCESS) return 0;
    if (result < 0) return result;
    // Once it was loaded the version is used up: there is no second try.
    const isStillSaved = instance.records.slot(index) !== NONE;
    return isTransient(result) && isStillSaved ? -Errno.EBUSY : this.doom(subject);
  }

  /** Only SECS pages can be met by leaves of the guest: other pages are unmapped while the host works on them. */
  protected *excuse(thread: Thread, _subject: GuestPage, place: SecsPlace | null): Routine<void> {
    if (place === null) return;
    const { instance, page } = place;
    if (thread.clock > thread.limit) yield instance.marks.at(page);
    instance.marks.set(page, HostMark.LOCKED);
  }

  /** The child counts as evicted until it is there: else the guest could remove its SECS in between (V-30). */
  protected *arrive(thread: Thread, subject: GuestPage, secs: PageIndex): Routine<number> {
    const loaded = yield* this.eld(thread, subject, secs);
    if (loaded !== SgxCode.SUCCESS || secs === NONE) return loaded;
    const leaf = () => this.parts.leaves.edec(thread, subject.page, secs);
    return yield* insist(thread, this.parts, subject.instance, leaf);
  }

  /**
   * ELDUC, or ELDBC for a page that the guest had blocked. A guest that hammers the SECS cannot hold the host up: after
   * some tries its processors are thrown out, after some more the fault starts again (V-27).
   */
  protected *eld(thread: Thread, subject: GuestPage, secs: PageIndex): Routine<number> {
    const { instance } = subject;
    for (let tries = 1; ; tries++) {
      const result = yield* this.tryOnce(thread, subject, secs);
      if (result !== SgxCode.EPC_PAGE_CONFLICT || tries === 2 * CONFLICT_TRIES) return result;
      if (tries === CONFLICT_TRIES) yield* expel(thread, this.parts, instance);
    }
  }

  /** One load. */
  protected *tryOnce(thread: Thread, { instance, index, page }: GuestPage, secs: PageIndex): Routine<number> {
    const { records, paging, loadLeaf } = instance;
    loadLeaf.isBlocked = records.isGuestBlocked(index);
    const result = yield* paging.loadBack.load(thread, page, secs, index, records.slot(index));
    if (result === SgxCode.SUCCESS) records.setSlot(index, NONE);
    return result;
  }

  /** A SECS is back: its cookie, and the children that were dropped meanwhile. */
  protected *settleSecs(thread: Thread, subject: GuestPage): Routine<number> {
    const { instance, index } = subject;
    const result = yield* insist(thread, this.parts, instance, () => this.setCookie(thread, subject));
    if (result === SgxCode.SUCCESS)
      yield* this.parts.pins.settle(thread, { instance, page: index }, subject.page);
    return result;
  }

  /** The load by the host has left an address of the host's memory in ENCLAVECONTEXT, which names nothing (V-32). */
  protected setCookie(thread: Thread, { instance, index, page }: GuestPage): Routine<number> {
    return this.parts.leaves.setContext(thread, page, hostCookie(hostPageOf({ instance, page: index })));
  }

  /** Nothing is tried to save the VM. */
  protected doom({ instance }: GuestPage): ErrnoResult {
    instance.isDead = true;
    return -Errno.EFAULT;
  }
}
