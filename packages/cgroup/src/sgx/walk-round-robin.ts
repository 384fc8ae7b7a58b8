import type { Routine, Thread } from '@epckit/interface';
import type { EpcGroup } from './epc-group.js';
import { WalkByCursor } from './walk-by-cursor.js';

/**
 * One group per call, in pre-order and then from the top again, shared by all reclaimers of a subtree (Linux v17
 * `sgx_cgroup_next_get`). It never ends: its user asks for emptiness between the calls.
 */
export class WalkRoundRobin extends WalkByCursor {
  override readonly isEndless = true;

  override *next(thread: Thread, top: EpcGroup): Routine<EpcGroup | null> {
    const cursor = this.cursors.of(top);
    while (cursor.lock.mustWait(thread)) yield cursor.lock.acquire;
    let found = cursor.at;
    if (found === top) yield* this.groups.controller.get(thread, top.id);
    else if (!(yield* this.groups.tryGet(thread, found.group))) {
      found = yield* this.cursors.liveAfter(thread, top, found.group);
      if (found === top) yield* this.groups.controller.get(thread, top.id);
    }
    const next = yield* this.cursors.liveAfter(thread, top, found.group);
    cursor.at = next;
    this.observer?.visited(top, found);
    cursor.lock.release(thread);
    // The cursor holds no reference. Dropping the last one frees the group, which takes this lock.
    if (next !== top) yield* this.groups.put(thread, next);
    return found;
  }

  override *scanned(): Routine<void> {}
}
