import type { LockFactory, Routine, SharedNumber, Thread } from '@epckit/interface';
import type { MiscGroup } from '../group.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';
import type { EpcWalkObserver, SubtreeWalk, WalkPass } from './walk.js';

/** Cursor without a lock: changed by compare-and-swap only. */
interface SharedCursor {
  /** Goes up with each change; the swap compares it. */
  readonly version: SharedNumber;
  /** Rounds of the subtree that have ended. */
  readonly epoch: SharedNumber;
  /** Group at which the cursor stands, or null; changed together with {@link version}. */
  at: EpcGroup | null;
}

/**
 * A cursor that all reclaimers of a subtree share, with an epoch (2020 `sgx_epc_cgroup_iter`): who finds that another
 * one has begun a new round ends its own.
 */
export class WalkSharedCursor implements SubtreeWalk {
  readonly isEndless = false;
  readonly #groups: EpcGroups;
  readonly #locks: LockFactory;
  readonly #observer: EpcWalkObserver | null;
  readonly #bySlot: SharedCursor[] = [];

  constructor(groups: EpcGroups, locks: LockFactory, observer: EpcWalkObserver | null) {
    this.#groups = groups;
    this.#locks = locks;
    this.#observer = observer;
    this.added(groups.root);
  }

  *next(thread: Thread, top: EpcGroup, pass: WalkPass): Routine<EpcGroup | null> {
    const cursor = this.#bySlot[top.slot] as SharedCursor;
    const isFirst = pass.previous === null;
    if (!isFirst && pass.epoch !== (yield* this.#readEpoch(thread, cursor))) return null;
    for (;;) {
      const version = yield* this.#readVersion(thread, cursor);
      const before = cursor.at;
      const isHeld = before !== null && (yield* this.#groups.tryGet(thread, before.group));
      // Whoever stands at a dying group forgets it and begins at the top.
      const found = before === null || isHeld ? yield* this.#liveAfter(thread, top, before) : null;
      const isEnd = found === null && (before === null || isHeld);
      const given = isEnd && isFirst ? yield* this.#atTop(thread, top) : found;
      const isMoved = yield* this.#swap(thread, cursor, version, given);
      if (isHeld) yield* this.#groups.put(thread, before as EpcGroup);
      if (!isMoved && given !== null) yield* this.#groups.put(thread, given);
      if (!isMoved || (before !== null && !isHeld)) {
        if (thread.turn('sgx_epc_cgroup_iter', top.id)) yield thread.changeWaiting;
        continue;
      }
      if (isEnd) yield* this.#newRound(thread, cursor);
      if (given === null) return null;
      if (isFirst) pass.epoch = yield* this.#readEpoch(thread, cursor);
      pass.previous = given.group;
      this.#observer?.visited(top, given);
      return given;
    }
  }

  *scanned(): Routine<void> {}

  cursorOf(top: EpcGroup): EpcGroup | null {
    return (this.#bySlot[top.slot] as SharedCursor).at;
  }

  added(group: EpcGroup): void {
    const known = this.#bySlot[group.slot];
    if (known !== undefined) known.at = null;
    else this.#bySlot[group.slot] = this.#create(group);
  }

  /** Every cursor above that stands at the group is set to none (R-26: it holds no reference). */
  *removed(thread: Thread, group: EpcGroup): Routine<void> {
    for (let top = this.#groups.above(group); top !== null; top = this.#groups.above(top)) {
      const cursor = this.#bySlot[top.slot] as SharedCursor;
      const version = yield* this.#readVersion(thread, cursor);
      if (cursor.at === group) yield* this.#swap(thread, cursor, version, null);
    }
  }

  *#readVersion(thread: Thread, { version }: SharedCursor): Routine<number> {
    if (thread.clock > thread.limit) yield version.reading;
    return version.read(thread);
  }

  /** Compare-and-swap. @returns false if the cursor has moved since `expected` was read */
  *#swap(thread: Thread, cursor: SharedCursor, expected: number, at: EpcGroup | null): Routine<boolean> {
    const { version } = cursor;
    if (thread.clock > thread.limit) yield version.writing;
    const isSame = version.value === expected;
    version.exchange(thread, isSame ? expected + 1 : version.value);
    if (isSame) cursor.at = at;
    return isSame;
  }

  /** Group after the cursor that can be had, with a reference; null at the end of the subtree. */
  *#liveAfter(thread: Thread, top: EpcGroup, cursor: EpcGroup | null): Routine<EpcGroup | null> {
    let at: MiscGroup | null =
      cursor === null ? top.group : yield* this.#groups.after(thread, top, cursor.group);
    while (at !== null && !(yield* this.#groups.tryGet(thread, at))) {
      at = yield* this.#groups.after(thread, top, at);
    }
    return at === null ? null : this.#groups.of(at.id);
  }

  *#atTop(thread: Thread, top: EpcGroup): Routine<EpcGroup> {
    yield* this.#groups.controller.get(thread, top.id);
    return top;
  }

  *#readEpoch(thread: Thread, { epoch }: SharedCursor): Routine<number> {
    if (thread.clock > thread.limit) yield epoch.reading;
    return epoch.read(thread);
  }

  *#newRound(thread: Thread, { epoch }: SharedCursor): Routine<void> {
    if (thread.clock > thread.limit) yield epoch.adding;
    epoch.add(thread, 1);
  }

  #create({ slot }: EpcGroup): SharedCursor {
    return {
      version: this.#locks.sharedNumber(`reclaim_iter of part ${slot}`, 0),
      epoch: this.#locks.sharedNumber(`epoch of part ${slot}`, 0),
      at: null,
    };
  }
}
