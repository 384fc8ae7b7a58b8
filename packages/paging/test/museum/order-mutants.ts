import type { LeafResult, PageIndex, Routine, Thread } from '@epckit/interface';
import { Cost, Leaf, NONE, SgxCode } from '@epckit/interface';
import { LoadBack, WriteBack } from '../../src/recipes.js';

/** O-12: no tracking cycle after the first EWB. */
export class DoesNotTrack extends WriteBack {
  protected override *track(): Routine<LeafResult> {
    return SgxCode.SUCCESS;
  }
}

/** An ELDU that fails once, as after a bit error. */
export class FailsOnce extends LoadBack {
  #hasFailed = false;

  protected override eldu(thread: Thread, target: PageIndex, secs: PageIndex, slot: number): LeafResult {
    if (secs === NONE || this.#hasFailed) return super.eldu(thread, target, secs, slot);
    this.#hasFailed = true;
    return SgxCode.MAC_COMPARE_FAIL;
  }
}

/** O-11: the version slot is free before ELDU has succeeded. */
export class ReleasesBeforeLoad extends FailsOnce {
  override *load(
    thread: Thread,
    target: PageIndex,
    secs: PageIndex,
    index: number,
    slot: number,
  ): Routine<number> {
    const error = this.backing.fetch(index, this.blob);
    if (error !== 0) return error;
    const vaPage = this.slots.pageOf(slot);
    this.slots.releaseLoaded(slot);
    if (thread.spend(Cost.ELDU) > thread.limit) {
      yield this.hardware.leafAt(target, thread.cpu, Leaf.ELDU, secs, vaPage);
    }
    const result = this.eldu(thread, target, secs, slot);
    this.truncate(thread, index, result);
    return result;
  }
}
