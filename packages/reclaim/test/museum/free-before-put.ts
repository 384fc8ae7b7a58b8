import type { PageIndex, Routine, Thread } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { Batch } from '../../src/recipes.js';

/**
 * The page becomes free before its owner is put: the hazard that the 2018 memory manager (v13, August 2018)
 * guards against by order and a comment (B-01).
 *
 * The owner is looked up through the page, and the page may belong to somebody else by then: a reference of a
 * foreign enclave is dropped, and the old one never dies. Needs a pool that leaves the old owner in the record
 * of a free page, as the one of 2018 did.
 */
export class FreeBeforePut extends Batch {
  protected override *finish(thread: Thread, page: PageIndex, isFreed: boolean): Routine<void> {
    if (thread.spend(Cost.STEP) > thread.limit) yield this.trackedAt(page);
    this.clearTracked(page);
    if (isFreed) yield* this.components.pool.give(thread, page);
    const owner = this.ownerOf(page);
    const instance = this.components.frames.owner(page);
    if (thread.spend(Cost.STEP) > thread.limit) yield owner.putAt(instance);
    if (owner.put(thread, instance)) yield* owner.release(thread, instance);
  }
}
