import type {
  BlockedResult,
  KilledResult,
  Op,
  OwnerId,
  PageIndex,
  PageOwner,
  PinResult,
  PreparedResult,
  Routine,
  Thread,
  WrittenResult,
} from '@epckit/interface';
import { Blocked, Cost, Mode, OwnerKind, Pin, Prepared, Written } from '@epckit/interface';
import { GuestKiller } from './guest-killer.js';
import { GuestState } from './guest-records.js';
import type { OversubInstance } from './instance.js';
import type { GuestPage } from './instances.js';
import type { OversubParts } from './parts.js';
import { isPoisoned, lose } from './poison.js';
import type { OversubReleaser } from './releaser.js';
import { enterSection, leaveSection } from './section.js';

/**
 * A virtual machine as an owner of EPC pages: the reclaimer's view of instances. SECS pages are on the list like any
 * other and are found out when they are blocked.
 */
export class GuestOwner implements PageOwner {
  readonly kind = OwnerKind.GUEST;
  /** What the owner works with. */
  protected readonly parts: OversubParts;
  /** Gives an instance back when its last reference goes. */
  protected readonly releaser: OversubReleaser;
  /** Kills instances. */
  protected readonly killer: GuestKiller;

  constructor(parts: OversubParts, releaser: OversubReleaser) {
    this.parts = parts;
    this.releaser = releaser;
    this.killer = new GuestKiller(parts);
  }

  pinAt(page: PageIndex): Op {
    const { frames } = this.parts.components;
    return this.parts.instances.of(frames.owner(page))?.refs.writing ?? frames.flagsAt(page, Mode.READ);
  }

  /**
   * Death is looked at in {@link prepare}, under the lock; a page of a dead instance leaves the books there. Pages of
   * instances without reclaim are on no list, and those who look for victims pass them over.
   */
  get(thread: Thread, page: PageIndex): PinResult {
    const instance = this.parts.instances.of(this.parts.components.frames.owner(page));
    return instance?.refs.getUnlessZero(thread) === true ? Pin.PINNED : Pin.GONE;
  }

  *young(thread: Thread, page: PageIndex): Routine<boolean> {
    const { instance, index } = this.subject(page);
    const { mm } = instance.vm;
    if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
    if (!mm.users.getUnlessZero(thread)) return false;
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const table = instance.tableAt(index);
    if (table !== undefined && thread.clock > thread.limit) yield table.pteAt(index);
    const isYoung = table?.testAndClearYoung(thread, index) ?? false;
    this.parts.components.probe?.aged(thread.id, instance.id, index, isYoung);
    mm.lock.releaseRead(thread);
    if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
    mm.users.put(thread);
    return isYoung;
  }

  *prepare(thread: Thread, page: PageIndex): Routine<PreparedResult> {
    const subject = this.subject(page);
    if (!(yield* enterSection(thread, subject.instance))) return Prepared.GONE;
    const prepared = yield* this.reserve(thread, subject);
    yield* leaveSection(thread, subject.instance);
    return prepared;
  }

  *block(thread: Thread, page: PageIndex): Routine<BlockedResult> {
    const subject = this.subject(page);
    if (!(yield* enterSection(thread, subject.instance))) return Blocked.DEAD;
    const blocked = yield* this.parts.blocker.block(thread, subject);
    if (blocked !== Blocked.OK) subject.instance.records.setReserved(subject.index, false);
    yield* leaveSection(thread, subject.instance);
    return blocked;
  }

  *write(thread: Thread, page: PageIndex): Routine<WrittenResult> {
    const subject = this.subject(page);
    if (!(yield* enterSection(thread, subject.instance))) return Written.BUSY;
    const written = yield* this.parts.writer.write(thread, subject);
    const { records } = subject.instance;
    // A page that a memory error was found in waits for nobody.
    if (written === Written.BUSY && records.state(subject.index) === GuestState.ZAPPED)
      records.setLeft(subject.index, true);
    yield* leaveSection(thread, subject.instance);
    return written;
  }

  putAt(owner: OwnerId): Op {
    return this.parts.instances.require(owner).refs.writing;
  }

  put(thread: Thread, owner: OwnerId): boolean {
    return this.parts.instances.require(owner).refs.put(thread);
  }

  release(thread: Thread, owner: OwnerId): Routine<void> {
    return this.releaser.finish(thread, this.parts.instances.require(owner));
  }

  /** Its pages come back at once, and the next fault of the guest ends in SIGBUS. */
  *kill(thread: Thread, owner: OwnerId): Routine<KilledResult> {
    const instance = this.parts.instances.require(owner);
    const killed = yield* this.killer.kill(thread, instance);
    if (thread.spend(Cost.STEP) > thread.limit) yield instance.refs.writing;
    if (instance.refs.put(thread)) yield* this.releaser.finish(thread, instance);
    return killed;
  }

  /** Can the page go, and is there room for it? Faults begin to wait when it is blocked. */
  protected *reserve(thread: Thread, subject: GuestPage): Routine<PreparedResult> {
    const { instance, index } = subject;
    if (instance.isDead) return Prepared.GONE;
    if (yield* this.isPoisoned(thread, subject)) return this.forget(subject);
    if (instance.records.pins(index) > 0) return Prepared.BUSY;
    if (instance.tableAt(index) === undefined) {
      instance.isDead = true;
      return Prepared.GONE;
    }
    if ((yield* instance.paging.backing.reserve(thread, index)) !== 0) return Prepared.BUSY;
    instance.records.setReserved(index, true);
    return Prepared.READY;
  }

  /** Has the page a memory error? Then it is not written. */
  protected isPoisoned(thread: Thread, { page }: GuestPage): Routine<boolean> {
    return isPoisoned(thread, this.parts, page);
  }

  /** A page with a memory error stays with the guest, unless an earlier write has left it unmapped. */
  protected forget(subject: GuestPage): PreparedResult {
    const { instance, index } = subject;
    const { records } = instance;
    if (records.state(index) === GuestState.ZAPPED) lose(subject);
    if (records.state(index) === GuestState.LOST) records.setListed(index, false);
    return Prepared.GONE;
  }

  /** Instance that the frame table names as the page's owner now. */
  protected instanceOf(page: PageIndex): OversubInstance {
    return this.parts.instances.require(this.parts.components.frames.owner(page));
  }

  /** The page with its instance. */
  protected subject(page: PageIndex): GuestPage {
    return { instance: this.instanceOf(page), index: this.parts.components.frames.record(page), page };
  }
}
