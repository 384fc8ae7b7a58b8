import type {
  BlockedResult,
  KilledResult,
  LeafResult,
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
import {
  Blocked,
  Cost,
  isExit,
  Leaf,
  LeafFault,
  leafFailed,
  NONE,
  OwnerKind,
  Pin,
  Prepared,
  SgxCode,
  servedByHost,
  Written,
} from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import type { EnclavePaging } from './enclave-paging.js';
import { Killer } from './kill.js';
import type { PageTableVisitor } from './mm-list.js';
import type { EnclavePages } from './pages.js';
import type { Releaser } from './release.js';
import { zapEverywhere } from './zap.js';

/** What the native owner works with. */
export interface NativeOwnerParts {
  /** What the driver is made of. */
  readonly components: EnclaveDriverComponents;
  /** Gets and gives back EPC pages. */
  readonly pages: EnclavePages;
  /** Gives an enclave back when its last reference goes. */
  readonly releaser: Releaser;
  /** Enclave of an owner id. */
  enclaveOf(owner: number): Enclave;
}

/**
 * The native enclave driver as an owner of EPC pages: the reclaimer's view of enclaves (Linux
 * `sgx_reclaimer_age`, `…_block`, `…_write` and the parts of `sgx_reclaim_pages` around them).
 */
export class NativeOwner implements PageOwner {
  readonly kind = OwnerKind.NATIVE;
  /** What the owner works with. */
  protected readonly parts: NativeOwnerParts;
  /** Kills enclaves. */
  protected readonly killer: Killer;

  constructor(parts: NativeOwnerParts, killer: Killer = new Killer(parts)) {
    this.parts = parts;
    this.killer = killer;
  }

  pinAt(page: PageIndex): Op {
    return this.enclaveOf(page).refs.writing;
  }

  get(thread: Thread, page: PageIndex): PinResult {
    return this.enclaveOf(page).refs.getUnlessZero(thread) ? Pin.PINNED : Pin.GONE;
  }

  young(thread: Thread, page: PageIndex): Routine<boolean> {
    return this.enclaveOf(page).mms.visit(thread, this.indexOf(page), this.age, false);
  }

  *prepare(thread: Thread, page: PageIndex): Routine<PreparedResult> {
    const enclave = this.enclaveOf(page);
    const index = this.indexOf(page);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    const reserved = yield* pagingOf(enclave).backing.reserve(thread, index);
    if (reserved === 0) enclave.records.setBeingReclaimed(index);
    enclave.lock.release(thread);
    return reserved === 0 ? Prepared.READY : Prepared.BUSY;
  }

  *block(thread: Thread, page: PageIndex): Routine<BlockedResult> {
    const { hardware, probe } = this.parts.components;
    const enclave = this.enclaveOf(page);
    yield* this.zap(thread, enclave, this.indexOf(page));
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    if (thread.spend(Cost.EBLOCK) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EBLOCK);
    let result: LeafResult;
    do result = hardware.eblock(thread.cpu, page);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    if (leafFailed(result)) probe?.warned(thread.id, 'sgx_reclaimer_block');
    enclave.lock.release(thread);
    return Blocked.OK;
  }

  *write(thread: Thread, page: PageIndex): Routine<WrittenResult> {
    const enclave = this.enclaveOf(page);
    const index = this.indexOf(page);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    enclave.records.clearBeingReclaimed(index);
    const removal = enclave.isDying ? this.killer.finish(thread, enclave, page, index) : null;
    let written: WrittenResult = Written.FREED;
    if (removal === null) {
      const slot = yield* pagingOf(enclave).writeBack.write(thread, enclave, page, index);
      if (slot >= 0) enclave.records.setEvicted(index, slot);
      else written = yield* this.failed(thread, enclave, page, index, -slot);
      if (written === Written.FREED) yield* this.lose(thread, enclave);
    } else {
      written = yield* removal;
    }
    enclave.lock.release(thread);
    return written;
  }

  putAt(owner: OwnerId): Op {
    return this.parts.enclaveOf(owner).refs.writing;
  }

  put(thread: Thread, owner: OwnerId): boolean {
    return this.parts.enclaveOf(owner).refs.put(thread);
  }

  release(thread: Thread, owner: OwnerId): Routine<void> {
    return this.parts.releaser.release(thread, this.parts.enclaveOf(owner));
  }

  kill(thread: Thread, owner: OwnerId): Routine<KilledResult> {
    return this.killer.kill(thread, owner);
  }

  /**
   * EWB has failed for good, with `code`. Linux goes on as if the page had gone, and its contents are lost; the page
   * is freed while it is valid (L-02).
   */
  protected *failed(
    _thread: Thread,
    enclave: Enclave,
    _page: PageIndex,
    index: number,
    _code: number,
  ): Routine<WrittenResult> {
    enclave.records.setEvicted(index, NONE);
    return Written.FREED;
  }

  /** A child has gone. After the last one the SECS follows. */
  protected *lose(thread: Thread, enclave: Enclave): Routine<void> {
    enclave.addChildren(-1);
    if (enclave.children === 0) yield* this.evictSecs(thread, enclave);
  }

  /** Looks at one accessed bit and clears it. */
  protected readonly age: PageTableVisitor = (thread, table, index) => {
    const isYoung = table.testAndClearYoung(thread, index);
    this.parts.components.probe?.aged(thread.id, table.owner, index, isYoung);
    return isYoung;
  };

  /** Removes the page from every address space. */
  protected zap(thread: Thread, enclave: Enclave, index: number): Routine<unknown> {
    return zapEverywhere(thread, enclave, index);
  }

  /** The last child has gone: the SECS of an initialized enclave follows. */
  protected *evictSecs(thread: Thread, enclave: Enclave): Routine<void> {
    const { pages } = this.parts;
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    if ((enclave.flags.read(thread) & EnclaveFlag.INITIALIZED) === 0) return;
    if (!(yield* pages.claimSecs(thread, enclave))) return;
    const { backing, writeBack } = pagingOf(enclave);
    if ((yield* backing.reserve(thread, enclave.pageCount)) !== 0) {
      yield* pages.idleSecs(thread, enclave);
      return;
    }
    const slot = yield* writeBack.write(thread, enclave, enclave.secs, enclave.pageCount);
    yield* this.secsWritten(thread, enclave, slot);
  }

  /** EREMOVE does no harm to a page that EWB has made invalid; if EWB failed, the SECS is lost (L-02). */
  protected *secsWritten(thread: Thread, enclave: Enclave, slot: number): Routine<void> {
    yield* this.parts.pages.free(thread, enclave.secs);
    enclave.setSecsEvicted(slot < 0 ? NONE : slot);
  }

  /** Enclave that the frame table names as the page's owner now. */
  protected enclaveOf(page: PageIndex): Enclave {
    return this.parts.enclaveOf(this.parts.components.frames.owner(page));
  }

  /** Page of the enclave's range that the EPC page holds. */
  protected indexOf(page: PageIndex): number {
    return this.parts.components.frames.record(page);
  }
}

/**
 * The repair of L-02. A page that is not blocked has lost nothing: it stays, and a later batch tries again. A blocked
 * one cannot be made usable again, as no leaf takes BLOCKED away: it is removed, so that nobody gets a valid page, and
 * its record says that it is lost. If EREMOVE is refused too, because threads are inside, it stays for a later batch.
 */
export class CarefulOwner extends NativeOwner {
  protected override *failed(
    thread: Thread,
    enclave: Enclave,
    page: PageIndex,
    index: number,
    code: number,
  ): Routine<WrittenResult> {
    if (code === SgxCode.PAGE_NOT_BLOCKED || !(yield* this.remove(thread, page))) return Written.BUSY;
    pagingOf(enclave).backing.truncate(thread, index, enclave.isInFlight);
    enclave.records.setLost(index);
    return Written.FREED;
  }

  /**
   * A SECS that could not be written stays: without it every page of the enclave would be lost. If the EPC was lost, they
   * are, and a SECS that stayed would be tried for ever.
   */
  protected override *secsWritten(thread: Thread, enclave: Enclave, slot: number): Routine<void> {
    if (slot >= 0 || isEpcLoss(-slot)) yield* super.secsWritten(thread, enclave, slot);
    else yield* this.parts.pages.idleSecs(thread, enclave);
  }

  /** EREMOVE of a page whose EWB has failed for good. @returns whether the page is invalid now */
  protected *remove(thread: Thread, page: PageIndex): Routine<boolean> {
    const { hardware } = this.parts.components;
    if (thread.spend(Cost.EREMOVE) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EREMOVE);
    let result: LeafResult;
    do result = hardware.eremove(thread.cpu, page);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    return result === SgxCode.SUCCESS;
  }
}

/**
 * Does the result of EWB say that the EPC was lost, by sleep or migration? #PF: the page or its version array is not what
 * it was.
 */
export function isEpcLoss(result: LeafResult): boolean {
  return result === LeafFault.PF;
}

/** Paging of an enclave that has passed CREATE. */
export function pagingOf(enclave: Enclave): EnclavePaging {
  return enclave.paging as EnclavePaging;
}
