import type { PageIndex, Routine, Thread } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { Batch } from '../../src/recipes.js';

/** O-09: TRACKED is cleared when the page is free already. */
export class ClearsAfterFree extends Batch {
  protected override *finish(thread: Thread, page: PageIndex, isFreed: boolean): Routine<void> {
    const owner = this.ownerOf(page);
    const instance = this.components.frames.owner(page);
    if (thread.spend(Cost.STEP) > thread.limit) yield owner.putAt(instance);
    if (owner.put(thread, instance)) yield* owner.release(thread, instance);
    if (isFreed) yield* this.components.pool.give(thread, page);
    if (thread.spend(Cost.STEP) > thread.limit) yield this.trackedAt(page);
    this.clearTracked(page);
  }
}
