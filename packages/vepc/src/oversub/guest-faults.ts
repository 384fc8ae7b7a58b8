import type { ErrnoResult, PageIndex, PageTable, Routine, Thread } from '@epckit/interface';
import { Errno, NONE, OwnerKind } from '@epckit/interface';
import { GuestClass, GuestState } from './guest-records.js';
import type { OversubInstance } from './instance.js';
import type { GuestPage, SecsPlace } from './instances.js';
import type { OversubParts } from './parts.js';
import { isPoisoned, lose, replace } from './poison.js';

/**
 * Makes pages of an instance present: a fresh page, or one that comes back from the backing store. The mmap lock is
 * held for reading, and the instance's lock; EPC is not reclaimed here.
 */
export class GuestFaults {
  /** What the faults work with. */
  protected readonly parts: OversubParts;

  constructor(parts: OversubParts) {
    this.parts = parts;
  }

  /**
   * Handles a guest's access.
   *
   * @returns 0: the access is repeated; `-EBUSY`: EPC must be reclaimed first; `-EAGAIN`: a reclaimer has the page;
   * `-EFAULT` and what the allocator returns
   */
  *handle(thread: Thread, instance: OversubInstance, index: number): Routine<ErrnoResult> {
    const { records } = instance;
    const table = instance.tableAt(index);
    if (instance.isDead || table === undefined) return -Errno.EFAULT;
    const state = records.state(index);
    if (state === GuestState.EMPTY) return yield* this.fresh(thread, table, instance, index);
    if (state !== GuestState.EVICTED) return yield* this.resident(thread, table, instance, index);
    if (records.classOf(index) === GuestClass.CHILD)
      return yield* this.reloadChild(thread, table, instance, index);
    return yield* this.reload(thread, table, instance, index, null, NONE);
  }

  /** Makes a SECS present that a child needs. A page that is no SECS any more ends the recursion. */
  *bringSecs(thread: Thread, instance: OversubInstance, index: number): Routine<ErrnoResult> {
    const { records } = instance;
    const isLost =
      records.state(index) === GuestState.EMPTY ||
      records.state(index) === GuestState.LOST ||
      (records.state(index) === GuestState.EVICTED && records.classOf(index) !== GuestClass.SECS);
    return isLost ? -Errno.EFAULT : yield* this.handle(thread, instance, index);
  }

  /** The page is in the EPC: waits for a reclaimer, or inserts an entry that is missing. */
  protected *resident(
    thread: Thread,
    table: PageTable,
    instance: OversubInstance,
    index: number,
  ): Routine<ErrnoResult> {
    const subject = { instance, index, page: instance.vepc.pages.get(index) };
    const state = instance.records.state(index);
    if (state === GuestState.ZAPPED) return yield* this.wait(thread, table, subject);
    return state === GuestState.LOST
      ? yield* this.lost(thread, table, subject)
      : yield* this.map(thread, table, subject);
  }

  /** A reclaimer has the page, or a later batch will; not if a memory error has taken it from the reclaimer. */
  protected *wait(thread: Thread, table: PageTable, subject: GuestPage): Routine<ErrnoResult> {
    const { instance, index, page } = subject;
    if (!instance.records.isLeft(index)) return -Errno.EAGAIN;
    if (!(yield* isPoisoned(thread, this.parts, page))) return -Errno.EBUSY;
    lose(subject);
    return yield* this.lost(thread, table, subject);
  }

  /** SIGBUS, but where nothing was in the page there is another one, as soon as no batch has the old one. */
  protected *lost(thread: Thread, table: PageTable, subject: GuestPage): Routine<ErrnoResult> {
    const { instance, index } = subject;
    if (instance.records.classOf(index) !== GuestClass.INVALID) return -Errno.EFAULT;
    if (!(yield* replace(thread, this.parts, subject))) return -Errno.EAGAIN;
    return yield* this.fresh(thread, table, instance, index);
  }

  /** A page that was never touched, or had nothing to save: invalid in the EPCM as all free pages are. */
  protected *fresh(
    thread: Thread,
    table: PageTable,
    instance: OversubInstance,
    index: number,
  ): Routine<ErrnoResult> {
    const page = yield* this.alloc(thread, instance, index);
    if (page < 0) return page;
    const subject = { instance, index, page };
    yield* this.attach(thread, subject);
    return yield* this.map(thread, table, subject);
  }

  /** The SECS comes first and stays until the child is mapped. */
  protected *reloadChild(
    thread: Thread,
    table: PageTable,
    instance: OversubInstance,
    index: number,
  ): Routine<ErrnoResult> {
    const { records, vm } = instance;
    const place = this.parts.instances.at(vm, records.secsPage(index));
    const secs = place === null ? -Errno.EFAULT : yield* this.parts.pins.pin(thread, instance, place);
    if (place === null || secs < 0) return this.withoutSecs(instance, secs);
    // The lock may have been dropped: what others did meanwhile, the repeated access will find.
    const isUnchanged = !instance.isDead && records.state(index) === GuestState.EVICTED;
    const result = isUnchanged ? yield* this.reload(thread, table, instance, index, place, secs) : 0;
    const isLoaded = isUnchanged && records.state(index) !== GuestState.EVICTED;
    yield* this.parts.pins.unpin(thread, instance, place, isLoaded ? -1 : 0);
    return result;
  }

  /** A SECS that cannot be had now is waited for; one that is gone for good takes the instance with it. */
  protected withoutSecs(instance: OversubInstance, error: ErrnoResult): ErrnoResult {
    if (error === -Errno.EFAULT) instance.isDead = true;
    return error;
  }

  /** Gets an EPC page and brings the contents back. */
  protected *reload(
    thread: Thread,
    table: PageTable,
    instance: OversubInstance,
    index: number,
    place: SecsPlace | null,
    secs: PageIndex,
  ): Routine<ErrnoResult> {
    const page = yield* this.alloc(thread, instance, index);
    if (page < 0) return page;
    return yield* this.install(thread, table, { instance, index, page }, place, secs);
  }

  /** Loads before the entry exists: else the guest would find the page invalid and take its enclave for lost (V-31). */
  protected *install(
    thread: Thread,
    table: PageTable,
    subject: GuestPage,
    place: SecsPlace | null,
    secs: PageIndex,
  ): Routine<ErrnoResult> {
    const result = yield* this.load(thread, subject, place, secs);
    return result === 0 ? yield* this.map(thread, table, subject) : result;
  }

  /** The contents; without them the EPC page is given back. */
  protected *load(
    thread: Thread,
    subject: GuestPage,
    place: SecsPlace | null,
    secs: PageIndex,
  ): Routine<ErrnoResult> {
    const result = yield* this.parts.loader.load(thread, subject, place, secs);
    if (result === 0) yield* this.attach(thread, subject);
    else yield* this.parts.pages.free(thread, subject.page);
    return result;
  }

  /** The instance has the page, not mapped yet. */
  protected *attach(thread: Thread, { instance, index, page }: GuestPage): Routine<void> {
    const { records, vepc } = instance;
    if (thread.clock > thread.limit) yield vepc.pages.writing;
    vepc.pages.set(index, page);
    records.setGuestBlocked(index, false);
    records.setClass(index, GuestClass.UNKNOWN);
    records.setState(index, GuestState.UNMAPPED);
  }

  /** Inserts the entry if it is missing, and hands the page to the reclaimer. A refused entry leaves it resident. */
  protected *map(thread: Thread, table: PageTable, subject: GuestPage): Routine<ErrnoResult> {
    const { instance, index } = subject;
    const { records } = instance;
    const { failures } = this.parts.components;
    if (records.state(index) !== GuestState.PRESENT && failures?.fails('pfn') === true) return -Errno.EFAULT;
    if (thread.clock > thread.limit) yield table.pteAt(index);
    table.insert(thread, index);
    records.setState(index, GuestState.PRESENT);
    yield* this.list(thread, subject);
    return 0;
  }

  /** Makes the page reclaimable, once per stay in the EPC: a reclaimer that still holds it re-lists it itself (V-26). */
  protected *list(thread: Thread, { instance, index, page }: GuestPage): Routine<void> {
    if (instance.records.isListed(index)) return;
    instance.records.setListed(index, true);
    yield* this.parts.oversub.lists.mark(thread, page);
  }

  /** An EPC page for the record. @returns page or negated errno */
  protected *alloc(thread: Thread, instance: OversubInstance, index: number): Routine<number> {
    const { allocator } = this.parts.components;
    const page = yield* allocator.alloc(thread, OwnerKind.GUEST, instance.id, index, false);
    // A signal is for the guest, and no page more would help it.
    const isWanting = page === -Errno.EBUSY || page === -Errno.ENOMEM;
    if (!isWanting || !(yield* this.parts.versions.relieve(thread, instance))) return page;
    return yield* allocator.alloc(thread, OwnerKind.GUEST, instance.id, index, false);
  }
}
