import type { Routine, Thread } from '@epckit/interface';
import type { MiscGroup } from '../group.js';
import type { EpcGroup } from './epc-group.js';
import type { WalkPass } from './walk.js';
import { WalkByCursor } from './walk-by-cursor.js';

/**
 * The default: each pass begins at the shared cursor, goes once around the subtree and steps over parts of it that
 * have no reclaimable page. The cursor moves past each group that was looked at, so the next pass begins behind it.
 *
 * Needs counts of reclaimable pages per subtree.
 */
export class WalkFair extends WalkByCursor {
  override readonly isEndless = false;

  override *next(thread: Thread, top: EpcGroup, pass: WalkPass): Routine<EpcGroup | null> {
    let at = pass.previous === null ? yield* this.#begin(thread, top, pass) : null;
    if (at === null) at = yield* this.#step(thread, top, pass, pass.previous as MiscGroup, false);
    while (at !== null) {
      const isDead = !(yield* this.groups.tryGet(thread, at));
      const part = isDead ? null : this.groups.of(at.id);
      const below = part === null ? 0 : yield* this.#count(thread, part, true);
      if (part !== null && below > 0 && (yield* this.#count(thread, part, false)) > 0) {
        pass.previous = at;
        this.observer?.visited(top, part);
        return part;
      }
      if (part !== null) yield* this.groups.put(thread, part);
      at = yield* this.#step(thread, top, pass, at, below === 0 && !isDead);
    }
    return null;
  }

  override *scanned(thread: Thread, top: EpcGroup, group: EpcGroup): Routine<void> {
    const next = yield* this.cursors.liveAfter(thread, top, group.group);
    const cursor = this.cursors.of(top);
    while (cursor.lock.mustWait(thread)) yield cursor.lock.acquire;
    cursor.at = next;
    cursor.lock.release(thread);
    if (next !== top) yield* this.groups.put(thread, next);
  }

  *#begin(thread: Thread, top: EpcGroup, pass: WalkPass): Routine<MiscGroup> {
    const cursor = this.cursors.of(top);
    while (cursor.lock.mustWait(thread)) yield cursor.lock.acquire;
    const first = cursor.at.group;
    cursor.lock.release(thread);
    pass.first = first;
    return first;
  }

  /** Next group of the circle, or null when it is closed; `isBarren`: nothing is below `at`. */
  *#step(
    thread: Thread,
    top: EpcGroup,
    pass: WalkPass,
    at: MiscGroup,
    isBarren: boolean,
  ): Routine<MiscGroup | null> {
    const { controller } = this.groups;
    const first = pass.first as MiscGroup;
    if (thread.clock > thread.limit) yield controller.shape.reading;
    controller.shape.read(thread);
    let next = isBarren ? controller.afterSubtree(top.group, at) : controller.after(top.group, at);
    if (next === null && !pass.hasWrapped && first !== top.group) {
      pass.hasWrapped = true;
      next = top.group;
    }
    if (next === null || (pass.hasWrapped && !isBefore(next, first))) return null;
    return next;
  }

  *#count(thread: Thread, part: EpcGroup, isSubtree: boolean): Routine<number> {
    const count = isSubtree ? part.below : part.listed;
    if (thread.clock > thread.limit) yield count.reading;
    return count.read(thread);
  }
}

/** Does `group` come before `other` in the pre-order walk? Works for groups that have left the tree too. Plain. */
function isBefore(group: MiscGroup, other: MiscGroup): boolean {
  const path = pathOf(group);
  const otherPath = pathOf(other);
  const shorter = Math.min(path.length, otherPath.length);
  for (let depth = 0; depth < shorter; depth++) {
    const difference = (path[depth] as number) - (otherPath[depth] as number);
    if (difference !== 0) return difference < 0;
  }
  return path.length < otherPath.length;
}

/** Serial numbers from the root down. */
function pathOf(group: MiscGroup): number[] {
  const path: number[] = [];
  for (let at: MiscGroup | null = group; at !== null; at = at.parent) path.unshift(at.serial);
  return path;
}
