import type { BlockedResult, LeafResult, PageTable, PageTypeId, Routine, Thread } from '@epckit/interface';
import { Blocked, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { GuestClass, GuestState } from './guest-records.js';
import { isTransient } from './host-leaves.js';
import type { GuestPage } from './instances.js';
import { hostPageOf } from './instances.js';
import type { OversubParts } from './parts.js';

/** RDINFO.STATUS: the SECS has children in the EPC. */
const CHILD_PRESENT = 1;

/** Unmaps a page, finds out what the guest has made of it, and blocks it. The instance's lock is held. */
export class GuestBlocker {
  /** What the blocker works with. */
  protected readonly parts: OversubParts;

  constructor(parts: OversubParts) {
    this.parts = parts;
  }

  /** `BUSY`: a SECS with children, or a leaf of the guest is in the way; the mapping is as before. */
  *block(thread: Thread, subject: GuestPage): Routine<BlockedResult> {
    const { instance, index } = subject;
    const { records } = instance;
    if (instance.isDead) return Blocked.DEAD;
    // A fault has found a memory error since the page was prepared.
    if (records.state(index) === GuestState.LOST) {
      records.setListed(index, false);
      return Blocked.DEAD;
    }
    if (records.pins(index) > 0) return Blocked.BUSY;
    records.setLeft(index, false);
    // A write that came back: nobody has touched the page since.
    if (records.state(index) === GuestState.ZAPPED) return Blocked.OK;
    const table = instance.tableAt(index);
    if (table === undefined) return this.doom(subject);
    records.setState(index, GuestState.ZAPPED);
    records.setClass(index, GuestClass.UNKNOWN);
    records.setGuestBlocked(index, false);
    const code = yield* this.inspect(thread, subject, table);
    if (code === SgxCode.SUCCESS) return yield* this.blockAs(thread, subject, table);
    if (code !== SgxCode.PG_INVLD) return yield* this.refused(thread, subject, table, code);
    records.setClass(index, GuestClass.INVALID);
    return Blocked.OK;
  }

  /** Unmaps first: what ERDINFO says then stays true, because the guest cannot reach the page (V-28). */
  protected *inspect(thread: Thread, subject: GuestPage, table: PageTable): Routine<LeafResult> {
    yield* this.zap(thread, subject, table);
    return yield* this.parts.leaves.erdinfo(thread, subject.page, subject.instance.info);
  }

  /** Removes the entry, and with it the guest's translation. */
  protected *zap(thread: Thread, { index }: GuestPage, table: PageTable): Routine<void> {
    if (thread.clock > thread.limit) yield table.pteAt(index);
    table.zap(thread, index);
  }

  /** What the type needs: nothing for a VA page and a SECS without children, EBLOCK for a child. */
  protected *blockAs(thread: Thread, subject: GuestPage, table: PageTable): Routine<BlockedResult> {
    const { instance, index } = subject;
    const { records, info } = instance;
    const type = ((info.flags >> SecInfo.TYPE_SHIFT) & 0xff) as PageTypeId;
    if (type !== PageType.SECS && type !== PageType.VA) return yield* this.blockChild(thread, subject, table);
    if (type === PageType.SECS && (info.status & CHILD_PRESENT) !== 0) {
      return yield* this.restore(thread, subject, table);
    }
    records.setClass(index, type === PageType.SECS ? GuestClass.SECS : GuestClass.VA);
    return Blocked.OK;
  }

  /** Remembers where the SECS is, and blocks the page. */
  protected *blockChild(thread: Thread, subject: GuestPage, table: PageTable): Routine<BlockedResult> {
    const { instance, index } = subject;
    const { records, info } = instance;
    const place = this.parts.instances.locate(instance.vm, info.context);
    if (place === null) return this.doom(subject);
    records.setClass(index, GuestClass.CHILD);
    records.setSecsPage(index, hostPageOf(place));
    return info.blocked
      ? yield* this.acceptBlocked(thread, subject, table)
      : yield* this.eblock(thread, subject, table);
  }

  /**
   * The guest has blocked the page itself: remembered, so that it comes back blocked. Refusing it would let a guest
   * keep its pages for ever (V-33).
   */
  protected *acceptBlocked(
    _thread: Thread,
    { instance, index }: GuestPage,
    _table: PageTable,
  ): Routine<BlockedResult> {
    instance.records.setGuestBlocked(index, true);
    return Blocked.OK;
  }

  /** EBLOCK. */
  protected *eblock(thread: Thread, subject: GuestPage, table: PageTable): Routine<BlockedResult> {
    const code = yield* this.parts.leaves.eblock(thread, subject.page);
    return code === SgxCode.SUCCESS ? Blocked.OK : yield* this.refused(thread, subject, table, code);
  }

  /** A leaf has failed: for a conflict the page goes back, everything else is unexpected. */
  protected *refused(
    thread: Thread,
    subject: GuestPage,
    table: PageTable,
    code: LeafResult,
  ): Routine<BlockedResult> {
    return isTransient(code) ? yield* this.restore(thread, subject, table) : this.doom(subject);
  }

  /** Maps the page again. It is still in the reclaimer's books: nobody marks it meanwhile (V-26). */
  protected *restore(
    thread: Thread,
    { instance, index }: GuestPage,
    table: PageTable,
  ): Routine<BlockedResult> {
    const isRefused = this.parts.components.failures?.fails('pfn') === true;
    if (!isRefused) {
      if (thread.clock > thread.limit) yield table.pteAt(index);
      table.insert(thread, index);
    }
    instance.records.setState(index, isRefused ? GuestState.UNMAPPED : GuestState.PRESENT);
    return Blocked.BUSY;
  }

  /** Nothing is tried to save the VM. */
  protected doom({ instance }: GuestPage): BlockedResult {
    instance.isDead = true;
    return Blocked.DEAD;
  }
}
