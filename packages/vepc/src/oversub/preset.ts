import type { BlockedResult, LeafResult, PageTable, Routine, Thread, WrittenResult } from '@epckit/interface';
import { SgxCode, Written } from '@epckit/interface';
import { GuestBlocker } from './blocker.js';
import { ConflictExits } from './conflict-exits.js';
import { GuestOwner } from './guest-owner.js';
import { GuestState } from './guest-records.js';
import type { GuestPage, SecsPlace } from './instances.js';
import { GuestLoader } from './loader.js';
import type { OversubRecipes } from './recipes.js';
import { OversubRemoveAll } from './remove-all.js';
import { SecsPins } from './secs-pins.js';
import { GuestWriter } from './writer.js';

/** "Pinned" is a flag: the first of two children that is done unpins the SECS of both (V-24). */
export class FlagPins extends SecsPins {
  protected override count({ instance, page }: SecsPlace, pins: number): void {
    const { records } = instance;
    records.addPins(page, (pins > 0 ? 1 : 0) - records.pins(page));
  }
}

/** Every error but a SECS with children kills the instance, and a page that cannot be mapped again is forgotten (V-26). */
export class DoomingBlocker extends GuestBlocker {
  protected override *refused(
    _thread: Thread,
    subject: GuestPage,
    _table: PageTable,
    _code: LeafResult,
  ): Routine<BlockedResult> {
    return this.doom(subject);
  }

  protected override *restore(thread: Thread, subject: GuestPage, table: PageTable): Routine<BlockedResult> {
    const blocked = yield* super.restore(thread, subject, table);
    const { records } = subject.instance;
    if (records.state(subject.index) === GuestState.UNMAPPED) records.setListed(subject.index, false);
    return blocked;
  }
}

/** Every error kills the instance, after one the SECS stays pinned (V-25), and memory errors are not looked at before it. */
export class DoomingWriter extends GuestWriter {
  protected override *isPoisoned(): Routine<boolean> {
    return false;
  }

  protected override failed(subject: GuestPage, _code: number): WrittenResult {
    return this.doom(subject);
  }

  protected override *unpin(
    thread: Thread,
    subject: GuestPage,
    place: SecsPlace,
    written: WrittenResult,
  ): Routine<void> {
    if (written === Written.FREED) yield* super.unpin(thread, subject, place, written);
  }
}

/** A load that conflicts is repeated for ever, with the instance's lock held (V-27). */
export class UnboundedLoader extends GuestLoader {
  protected override *eld(thread: Thread, subject: GuestPage, secs: number): Routine<number> {
    for (;;) {
      const result = yield* this.tryOnce(thread, subject, secs);
      if (result !== SgxCode.EPC_PAGE_CONFLICT) return result;
      if (thread.turn('sgx_vepc_eld', subject.page)) yield thread.changeWaiting;
    }
  }
}

/** Each exit takes the flag, even if the host goes on with the SECS: what it does next the guest is told of. */
export class FlagExcuses extends ConflictExits {
  protected override renew(): void {}
}

/**
 * The reclaimer does not look at memory errors: a poisoned page is written like any other. A fault looks as by default:
 * else it would wait for ever for a page that an error has taken from the reclaimer.
 */
export class PoisonBlindOwner extends GuestOwner {
  protected override *isPoisoned(): Routine<boolean> {
    return false;
  }
}

/** Evicted pages are left as they are: after a reboot the guest meets them again. */
export class ResidentRemoveAll extends OversubRemoveAll {
  protected override *removeEvicted(): Routine<number> {
    return SgxCode.SUCCESS;
  }
}

/**
 * The reclaim-enabled branch of about 2019 as it was published. The default deviates: pins are counted, conflicts
 * are bounded and leave the page where it is, excuses last as long as the host's work, poisoned pages are not written, evicted pages count in REMOVE_ALL.
 */
export const kvmOversub: OversubRecipes = {
  pins: (parts) => new FlagPins(parts),
  blocker: (parts) => new DoomingBlocker(parts),
  writer: (parts) => new DoomingWriter(parts),
  loader: (parts) => new UnboundedLoader(parts),
  owner: (parts, releaser) => new PoisonBlindOwner(parts, releaser),
  conflicts: (parts) => new FlagExcuses(parts),
  removeAll: (...parts) => new ResidentRemoveAll(...parts),
};
