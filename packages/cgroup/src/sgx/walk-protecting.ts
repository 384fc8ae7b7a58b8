import type { Routine, Thread } from '@epckit/interface';
import type { ControlTable } from './controls.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';
import type { Protection } from './protection.js';
import type { SubtreeWalk, WalkPass } from './walk.js';
import { beginPass, PassPhase } from './walk.js';

/** What {@link WalkProtecting} is made of. */
export interface WalkProtectingParts {
  /** Parts of all groups. */
  readonly groups: EpcGroups;
  /** Events and visits. */
  readonly controls: ControlTable;
  /** Who is protected. */
  readonly protection: Protection;
  /** The order of groups. */
  readonly walk: SubtreeWalk;
  /** The order in which groups are looked at to learn whether everybody is protected. */
  readonly wholeWalk: SubtreeWalk;
}

/**
 * Steps over protected groups (2020 `sgx_epc_cgroup_isolate_pages`), unless every group with reclaimable pages is
 * protected. A walk over everything gives out the groups that have reached `sgx_epc.high` before all.
 */
export class WalkProtecting implements SubtreeWalk {
  readonly isEndless = false;
  readonly #parts: WalkProtectingParts;

  constructor(parts: WalkProtectingParts) {
    this.#parts = parts;
  }

  *next(thread: Thread, top: EpcGroup, pass: WalkPass): Routine<EpcGroup | null> {
    const { walk, groups, controls } = this.#parts;
    if (pass.phase === PassPhase.NOT_BEGUN) {
      pass.phase = top === groups.root ? PassPhase.ABOVE_HIGH : PassPhase.ALL;
    }
    for (;;) {
      const part = yield* walk.next(thread, top, pass);
      if (part === null) {
        if (pass.phase === PassPhase.ALL) return null;
        Object.assign(pass, beginPass(), { phase: PassPhase.ALL });
      } else if (yield* this.#isWanted(thread, top, part, pass)) {
        yield* controls.countVisit(thread, part);
        return part;
      } else {
        yield* groups.put(thread, part);
      }
    }
  }

  scanned(thread: Thread, top: EpcGroup, group: EpcGroup): Routine<void> {
    return this.#parts.walk.scanned(thread, top, group);
  }

  cursorOf(top: EpcGroup): EpcGroup | null {
    return this.#parts.walk.cursorOf(top);
  }

  added(group: EpcGroup): void {
    this.#parts.walk.added(group);
  }

  removed(thread: Thread, group: EpcGroup): Routine<void> {
    return this.#parts.walk.removed(thread, group);
  }

  *#isWanted(thread: Thread, top: EpcGroup, part: EpcGroup, pass: WalkPass): Routine<boolean> {
    const { protection, controls } = this.#parts;
    if (pass.phase === PassPhase.ABOVE_HIGH) return (yield* protection.aboveHigh(thread, part)) >= 0;
    if (!(yield* protection.isLow(thread, top, part))) return true;
    pass.areAllLow ??= yield* this.#areAllLow(thread, top);
    if (pass.areAllLow) yield* controls.count(thread, part, 'low');
    return pass.areAllLow;
  }

  /** Is every group of the subtree that has reclaimable pages protected, each looked at alone? */
  *#areAllLow(thread: Thread, top: EpcGroup): Routine<boolean> {
    const { groups, protection, wholeWalk } = this.#parts;
    const pass = beginPass();
    let areAll = true;
    while (areAll) {
      const part = yield* wholeWalk.next(thread, top, pass);
      if (part === null) break;
      if (thread.clock > thread.limit) yield part.listed.reading;
      areAll = part.listed.read(thread) === 0 || (yield* protection.isLowAlone(thread, part));
      yield* groups.put(thread, part);
    }
    return areAll;
  }
}
