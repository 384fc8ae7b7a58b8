import type {
  BlockedResult,
  PageIndex,
  PreparedResult,
  Routine,
  Thread,
  WrittenResult,
} from '@epckit/interface';
import { Blocked, Cost, FrameFlag, Mode, NONE, Prepared, Written } from '@epckit/interface';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import { CarefulOwner, isEpcLoss, pagingOf } from './native-owner.js';
import { EnclavePages } from './pages.js';
import { SECS_RECORD } from './record-id.js';

/**
 * The repair of L-08, first half: a SECS that is left without children becomes reclaimable like any page, so that a
 * later batch gets another chance. The second half is {@link SecsReclaimingOwner}.
 *
 * It stays in the EPC until then, and is not listed at all while a fault is about to be repeated that found no page for
 * the child (`-EBUSY`): else such faults and the reclaimer could bring the SECS in and out for ever, where Linux, with
 * nothing left to reclaim, ends with SIGBUS.
 */
export class ReclaimableSecsPages extends EnclavePages {
  override readonly listsSecs = true;

  override *idleSecs(thread: Thread, enclave: Enclave): Routine<void> {
    const { frames, lists } = this.components;
    const { secs } = enclave;
    if (secs === NONE || enclave.children !== 0) return;
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    if ((enclave.flags.read(thread) & EnclaveFlag.INITIALIZED) === 0) return;
    // Only the holder of the enclave's lock marks its SECS: a flag that is set is one of a page on a list or in a batch.
    if (thread.spend(Cost.STEP) > thread.limit) yield frames.flagsAt(secs, Mode.READ);
    if ((frames.peekFlags(secs) & FrameFlag.TRACKED) === 0) yield* lists.mark(thread, secs);
  }

  /** A SECS in a batch is left to that batch, which looks for children before it writes. */
  override *claimSecs(thread: Thread, { secs }: Enclave): Routine<boolean> {
    return (yield* this.components.lists.unmark(thread, secs)) === 0;
  }
}

/**
 * The repair of L-08, second half: an owner that evicts reclaimable SECS pages. One that has got a child meanwhile goes
 * back onto the list: taking it off there would race with its being marked again.
 */
export class SecsReclaimingOwner extends CarefulOwner {
  override young(thread: Thread, page: PageIndex): Routine<boolean> {
    return this.isSecs(page) ? isNeverYoung() : super.young(thread, page);
  }

  override prepare(thread: Thread, page: PageIndex): Routine<PreparedResult> {
    return this.isSecs(page) ? this.prepareSecs(thread, page) : super.prepare(thread, page);
  }

  override block(thread: Thread, page: PageIndex): Routine<BlockedResult> {
    return this.isSecs(page) ? needsNoBlock() : super.block(thread, page);
  }

  override write(thread: Thread, page: PageIndex): Routine<WrittenResult> {
    return this.isSecs(page) ? this.writeSecs(thread, page) : super.write(thread, page);
  }

  /** Does the EPC page hold a SECS? */
  protected isSecs(page: PageIndex): boolean {
    return this.indexOf(page) === SECS_RECORD;
  }

  /** Without children, and with room in the backing file. */
  protected *prepareSecs(thread: Thread, page: PageIndex): Routine<PreparedResult> {
    const enclave = this.enclaveOf(page);
    const { backing } = pagingOf(enclave);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    const isReady = enclave.children === 0 && (yield* backing.reserve(thread, enclave.pageCount)) === 0;
    enclave.lock.release(thread);
    return isReady ? Prepared.READY : Prepared.BUSY;
  }

  /** EWB, if there still are no children. After a loss of EPC the SECS is given up: no batch could ever write it. */
  protected *writeSecs(thread: Thread, page: PageIndex): Routine<WrittenResult> {
    const enclave = this.enclaveOf(page);
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    let slot: number = NONE;
    if (enclave.children === 0) {
      slot = yield* pagingOf(enclave).writeBack.write(thread, enclave, page, enclave.pageCount);
    }
    const isGone = slot >= 0 || (isEpcLoss(-slot) && (yield* this.remove(thread, page)));
    if (isGone) enclave.setSecsEvicted(Math.max(slot, NONE));
    enclave.lock.release(thread);
    return isGone ? Written.FREED : Written.BUSY;
  }
}

function* isNeverYoung(): Routine<boolean> {
  return false;
}

function* needsNoBlock(): Routine<BlockedResult> {
  return Blocked.OK;
}
