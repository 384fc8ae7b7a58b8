import type { LockFactory, Routine, SpinLock, Thread } from '@epckit/interface';
import type { MiscGroup } from '../group.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';

/** Where the next walk of a subtree goes on (Linux v17 `next_cg` under `next_cg_lock`). */
export interface EpcCursor {
  /** Protects {@link at}. */
  readonly lock: SpinLock;
  /** Group in the subtree. The cursor holds no reference of it: a stored one would delay its removal. */
  at: EpcGroup;
}

/** One cursor per group for the walk of its subtree. */
export class CursorTable {
  /** Parts of all groups. */
  protected readonly groups: EpcGroups;
  readonly #locks: LockFactory;
  readonly #bySlot: EpcCursor[] = [];

  constructor(groups: EpcGroups, locks: LockFactory) {
    this.groups = groups;
    this.#locks = locks;
    this.add(groups.root);
  }

  /** Cursor of the subtree of `top`. */
  of(top: EpcGroup): EpcCursor {
    return this.#bySlot[top.slot] as EpcCursor;
  }

  /** A new group's cursor stands at the group itself. Plain. */
  add(group: EpcGroup): void {
    const known = this.#bySlot[group.slot];
    if (known === undefined) {
      this.#bySlot[group.slot] = { lock: this.#locks.spinLock('sgx_cgroup.next_cg_lock'), at: group };
    } else {
      known.at = group;
    }
  }

  /** A group is being freed: cursors that stand at it move on. */
  *leave(thread: Thread, group: EpcGroup): Routine<void> {
    for (let top = this.groups.above(group); top !== null; top = this.groups.above(top)) {
      const cursor = this.of(top);
      while (cursor.lock.mustWait(thread)) yield cursor.lock.acquire;
      const isHere = cursor.at === group;
      cursor.lock.release(thread);
      if (!isHere) continue;
      const next = yield* this.liveAfter(thread, top, group.group);
      while (cursor.lock.mustWait(thread)) yield cursor.lock.acquire;
      if (cursor.at === group) cursor.at = next;
      cursor.lock.release(thread);
      if (next !== top) yield* this.groups.put(thread, next);
    }
  }

  /**
   * First group after `at` in the walk of `top` that is not dying, with a reference; at the end `top`, without one
   * (Linux v17 `sgx_cgroup_next_descendant_pre`).
   */
  *liveAfter(thread: Thread, top: EpcGroup, at: MiscGroup): Routine<EpcGroup> {
    for (
      let next = yield* this.groups.after(thread, top, at);
      next !== null;
      next = yield* this.groups.after(thread, top, this.stepFrom(at, next))
    ) {
      if (yield* this.groups.tryGet(thread, next)) return this.groups.of(next.id);
      if (thread.turn('sgx_cgroup_next_descendant_pre', next.id)) yield thread.changeWaiting;
    }
    return top;
  }

  /** From where the walk goes on when `dying` cannot be had. */
  protected stepFrom(_start: MiscGroup, dying: MiscGroup): MiscGroup {
    return dying;
  }
}

/** R-10 (v16): the successor is computed from the same start again, so a dying group is met for ever. */
export class RestartingCursorTable extends CursorTable {
  protected override stepFrom(start: MiscGroup): MiscGroup {
    return start;
  }
}

/** The mutant of R-25: a freed group stays in the cursors of those above it. */
export class ForgetfulCursorTable extends CursorTable {
  override *leave(): Routine<void> {}
}
