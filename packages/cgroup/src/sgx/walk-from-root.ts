import type { Routine, Thread } from '@epckit/interface';
import type { MiscGroup } from '../group.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';
import type { EpcWalkObserver, SubtreeWalk, WalkPass } from './walk.js';

/**
 * Pre-order from the top of the subtree each time, no cursor (the series, v2 to v13): groups near the top are always
 * looked at first.
 */
export class WalkFromRoot implements SubtreeWalk {
  readonly isEndless = false;
  /** Parts of all groups. */
  protected readonly groups: EpcGroups;
  readonly #observer: EpcWalkObserver | null;

  constructor(groups: EpcGroups, observer: EpcWalkObserver | null) {
    this.groups = groups;
    this.#observer = observer;
  }

  *next(thread: Thread, top: EpcGroup, pass: WalkPass): Routine<EpcGroup | null> {
    let at: MiscGroup | null =
      pass.previous === null ? top.group : yield* this.groups.after(thread, top, pass.previous);
    while (at !== null && !(yield* this.groups.tryGet(thread, at))) {
      at = yield* this.afterDying(thread, top, at);
    }
    if (at === null) return null;
    const found = this.groups.of(at.id);
    pass.previous = at;
    this.#observer?.visited(top, found);
    return found;
  }

  *scanned(): Routine<void> {}

  cursorOf(): null {
    return null;
  }

  added(): void {}

  *removed(): Routine<void> {}

  /** Where the walk goes on after a group whose last reference is gone; null: it ends there. */
  protected afterDying(thread: Thread, top: EpcGroup, dying: MiscGroup): Routine<MiscGroup | null> {
    return this.groups.after(thread, top, dying);
  }
}

/** a dying group ends the walk (the series, v2 and early v3); live groups behind it are not seen. */
export class WalkUntilDying extends WalkFromRoot {
  protected override *afterDying(): Routine<MiscGroup | null> {
    return null;
  }
}
