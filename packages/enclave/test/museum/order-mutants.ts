import type {
  BlockedResult,
  PageIndex,
  PreparedResult,
  Routine,
  Thread,
  WrittenResult,
} from '@epckit/interface';
import { Blocked, Cost, Leaf, NONE, Pin, Prepared } from '@epckit/interface';
import type { Enclave } from '../../src/index.js';
import { Loader, NativeOwner, Releaser } from '../../src/recipes.js';

/** O-02: EBLOCK, then the mappings go. */
export class BlocksBeforeZap extends NativeOwner {
  override *block(thread: Thread, page: PageIndex): Routine<BlockedResult> {
    const { hardware } = this.parts.components;
    const enclave = this.enclaveOf(page);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    if (thread.spend(Cost.EBLOCK) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EBLOCK);
    hardware.eblock(thread.cpu, page);
    enclave.lock.release(thread);
    yield* this.zap(thread, enclave, this.indexOf(page));
    return Blocked.OK;
  }
}

/** O-03: faults are kept off only after the page was blocked. */
export class MarksAfterBlock extends NativeOwner {
  override *prepare(thread: Thread, page: PageIndex): Routine<PreparedResult> {
    const prepared = yield* super.prepare(thread, page);
    if (prepared === Prepared.READY) yield* this.#mark(thread, page, false);
    return prepared;
  }

  override *block(thread: Thread, page: PageIndex): Routine<BlockedResult> {
    const blocked = yield* super.block(thread, page);
    yield* this.#mark(thread, page, true);
    return blocked;
  }

  *#mark(thread: Thread, page: PageIndex, isMarked: boolean): Routine<void> {
    const enclave = this.enclaveOf(page);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    if (isMarked) enclave.records.setBeingReclaimed(this.indexOf(page));
    else enclave.records.clearBeingReclaimed(this.indexOf(page));
    enclave.lock.release(thread);
  }
}

/** O-04: faults are let in again before the lock is held that the write needs. */
export class UnmarksBeforeLock extends NativeOwner {
  override *write(thread: Thread, page: PageIndex): Routine<WrittenResult> {
    const enclave = this.enclaveOf(page);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    enclave.records.clearBeingReclaimed(this.indexOf(page));
    enclave.lock.release(thread);
    return yield* super.write(thread, page);
  }
}

/** O-05: the child is counted out, and the SECS follows it, before the child itself is written. */
export class CountsBeforeWrite extends NativeOwner {
  override *write(thread: Thread, page: PageIndex): Routine<WrittenResult> {
    const enclave = this.enclaveOf(page);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    yield* this.lose(thread, enclave);
    enclave.addChildren(1);
    enclave.lock.release(thread);
    return yield* super.write(thread, page);
  }
}

/** O-06: the SECS follows its last child also before INIT. */
export class EvictsAnySecs extends NativeOwner {
  protected override *evictSecs(thread: Thread, enclave: Enclave): Routine<void> {
    const paging = enclave.paging as NonNullable<Enclave['paging']>;
    if ((yield* paging.backing.reserve(thread, enclave.pageCount)) !== 0) return;
    const slot = yield* paging.writeBack.write(thread, enclave, enclave.secs, enclave.pageCount);
    yield* this.secsWritten(thread, enclave, slot);
  }
}

/** O-07: the SECS follows its last child after the lock was released. */
export class EvictsSecsUnlocked extends NativeOwner {
  override *write(thread: Thread, page: PageIndex): Routine<WrittenResult> {
    const enclave = this.enclaveOf(page);
    const written = yield* super.write(thread, page);
    if (enclave.children === 0 && enclave.secs !== NONE) yield* super.evictSecs(thread, enclave);
    return written;
  }

  protected override *evictSecs(): Routine<void> {}
}

/** O-08: a dying enclave is pinned like any other. */
export class PinsTheDying extends NativeOwner {
  override get(thread: Thread, page: PageIndex): typeof Pin.PINNED {
    this.enclaveOf(page).refs.get(thread);
    return Pin.PINNED;
  }
}

/** O-10: a page is reclaimable before its ELDU. */
export class MarksBeforeLoad extends Loader {
  protected override *execute(
    thread: Thread,
    enclave: Enclave,
    page: PageIndex,
    index: number,
  ): Routine<number> {
    if (index !== NONE) yield* this.components.lists.mark(thread, page);
    return yield* super.execute(thread, enclave, page, index);
  }
}

/** O-14: pages are freed without being taken out of the reclaimer's reach. */
export class ReleasesListed extends Releaser {
  protected override *releasePages(thread: Thread, enclave: Enclave): Routine<void> {
    const { records } = enclave;
    for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
      yield* this.pages.free(thread, records.epc(index));
      enclave.addChildren(-1);
      records.erase(index);
    }
  }
}
