import type { Routine, Thread } from '@epckit/interface';
import type { CursorTable } from './cursor-table.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';
import type { EpcWalkObserver, SubtreeWalk, WalkPass } from './walk.js';

/** What walks share that go on where the last one has stopped. */
export abstract class WalkByCursor implements SubtreeWalk {
  abstract readonly isEndless: boolean;
  /** Parts of all groups. */
  protected readonly groups: EpcGroups;
  /** Where the walks of each subtree go on. */
  protected readonly cursors: CursorTable;
  /** Told which groups are given out, or `null`. */
  protected readonly observer: EpcWalkObserver | null;

  constructor(groups: EpcGroups, cursors: CursorTable, observer: EpcWalkObserver | null) {
    this.groups = groups;
    this.cursors = cursors;
    this.observer = observer;
  }

  abstract next(thread: Thread, top: EpcGroup, pass: WalkPass): Routine<EpcGroup | null>;

  abstract scanned(thread: Thread, top: EpcGroup, group: EpcGroup): Routine<void>;

  cursorOf(top: EpcGroup): EpcGroup {
    return this.cursors.of(top).at;
  }

  added(group: EpcGroup): void {
    this.cursors.add(group);
  }

  removed(thread: Thread, group: EpcGroup): Routine<void> {
    return this.cursors.leave(thread, group);
  }
}
