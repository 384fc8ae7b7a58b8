import type { LeafResult, PageIndex, Routine, Thread, TrackedOwner } from '@epckit/interface';
import { Cost, SgxCode } from '@epckit/interface';
import { WriteBack } from '@epckit/paging/recipes';

/** Order mutant O-01: a CPU that enters between the two first steps is not interrupted. */
export class MaskBeforeTrack extends WriteBack {
  protected override *retry(
    thread: Thread,
    owner: TrackedOwner,
    page: PageIndex,
    slot: number,
  ): Routine<LeafResult> {
    yield* this.collect(thread, owner);
    this.checkTracking(thread, yield* this.track(thread, owner));
    if (thread.spend(Cost.EWB) > thread.limit) yield this.ewbAt(thread, page, slot);
    const result = this.ewb(thread, page, slot);
    if (result !== SgxCode.NOT_TRACKED) return result;
    yield* this.interrupt(thread);
    if (thread.spend(Cost.EWB) > thread.limit) yield this.ewbAt(thread, page, slot);
    return this.ewb(thread, page, slot);
  }
}
