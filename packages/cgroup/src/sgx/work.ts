import type { Routine, Thread } from '@epckit/interface';
import type { ControlTable } from './controls.js';
import type { EpcGroup, FateId } from './epc-group.js';
import { Fate } from './epc-group.js';
import type { GroupReclaim } from './group-reclaim.js';
import type { HighReclaim } from './high-reclaim.js';
import type { EpcKiller } from './killer.js';
import type { MarginRule } from './margin.js';
import type { PatientReclaim } from './patient-reclaim.js';
import { Supply } from './patient-reclaim.js';
import type { EpcWork } from './workers.js';

/** What background reclaim works with. */
export interface EpcWorkParts {
  /** How far it goes. */
  readonly margin: MarginRule;
  /** Reclaims from subtrees. */
  readonly reclaim: GroupReclaim;
  /** Bounds and counters of the controller of 2018 to 2020. */
  readonly controls: ControlTable;
  /** Reclaims from groups above `sgx_epc.high`. */
  readonly high: HighReclaim;
  /** Kills when nothing else is left, or `null`. */
  readonly killer: EpcKiller | null;
  /** Pages asked for at least. */
  readonly minPages: number;
  /** Pages asked for at most. */
  readonly maxPages: number;
  /** Fruitless rounds after which age is ignored; infinite: never. */
  readonly ageRounds: number;
}

/** 2020: until there is room, or nothing was written and nothing is on any list. It never kills. */
export class RoomWork implements EpcWork {
  /** What the work is done with. */
  protected readonly parts: EpcWorkParts;

  constructor(parts: EpcWorkParts) {
    this.parts = parts;
  }

  *run(thread: Thread, target: EpcGroup): Routine<void> {
    const { margin, reclaim, minPages, maxPages, ageRounds } = this.parts;
    const request = reclaim.request();
    for (let fruitless = 0; ; ) {
      const excess = yield* margin.excess(thread, target, 1);
      if (excess === 0 || (yield* this.isOver(thread, target))) break;
      const pages = Math.min(Math.max(excess, minPages), maxPages);
      const isAgeIgnored = fruitless > ageRounds;
      yield* this.asking(thread, target);
      const evicted = yield* reclaim.run(thread, request, target.id, pages, isAgeIgnored);
      if (evicted === 0) {
        if (yield* this.endsEmpty(thread, target)) break;
        fruitless++;
      }
      if (thread.turn('sgx_epc_cgroup_reclaim_work', target.id)) yield thread.changeWaiting;
    }
    reclaim.done(request);
  }

  /** A request is about to be made. */
  protected *asking(_thread: Thread, _target: EpcGroup): Routine<void> {}

  /** Looked at before each round: is there nothing to do any more? */
  protected *isOver(_thread: Thread, _target: EpcGroup): Routine<boolean> {
    return false;
  }

  /** A round wrote nothing: does the work end there? */
  protected endsEmpty(thread: Thread, target: EpcGroup): Routine<boolean> {
    return this.parts.reclaim.isEmpty(thread, target.id);
  }
}

/**
 * v5: with nothing on any list it kills, and goes on as long as there is a victim. While the pages of a victim are in
 * flight that is a loop without a pause.
 */
export class KillingWork extends RoomWork {
  protected override *isOver(thread: Thread, target: EpcGroup): Routine<boolean> {
    const { reclaim, killer } = this.parts;
    while (yield* reclaim.isEmpty(thread, target.id)) {
      if (killer === null || !(yield* killer.kill(thread, target))) return true;
      if ((yield* this.parts.margin.excess(thread, target, 1)) === 0) return true;
      if (thread.turn('sgx_epc_cgroup_oom', target.id)) yield thread.changeWaiting;
    }
    return false;
  }

  protected override *endsEmpty(): Routine<boolean> {
    return false;
  }
}

/** v17: 16 pages at a time while the threshold is reached, however fruitless. */
export class ThresholdWork implements EpcWork {
  readonly #parts: EpcWorkParts;

  constructor(parts: EpcWorkParts) {
    this.#parts = parts;
  }

  *run(thread: Thread, target: EpcGroup): Routine<void> {
    const { margin, reclaim, minPages } = this.#parts;
    for (;;) {
      const listed = (yield* reclaim.isEmpty(thread, target.id)) ? 0 : 1;
      if ((yield* margin.excess(thread, target, listed)) === 0) return;
      const request = reclaim.request();
      yield* reclaim.run(thread, request, target.id, minPages, false);
      reclaim.done(request);
      if (thread.turn('sgx_cgroup_reclaim_work_func', target.id)) yield thread.changeWaiting;
    }
  }
}

/**
 * The default: until the group has its margin, or nothing can be written, or nothing is on any list. Then it kills,
 * if there is a killer, and ends: who needs the pages of the victim comes again. It leaves behind how it has ended.
 */
export class PatientWork implements EpcWork {
  readonly #parts: EpcWorkParts;
  readonly #patience: PatientReclaim;

  constructor(parts: EpcWorkParts, patience: PatientReclaim) {
    this.#parts = parts;
    this.#patience = patience;
  }

  *run(thread: Thread, target: EpcGroup): Routine<void> {
    const fate = yield* this.#reclaim(thread, target);
    if (thread.clock > thread.limit) yield target.ends.adding;
    target.ends.end(thread, fate);
  }

  *#reclaim(thread: Thread, target: EpcGroup): Routine<FateId> {
    const request = this.#patience.request();
    let fate: FateId = Fate.HOPEFUL;
    for (;;) {
      const listed = yield* this.#patience.pageCount(thread, target);
      if (listed <= 0) {
        fate = yield* this.#withoutPages(thread, target);
        break;
      }
      const excess = yield* this.#parts.margin.excess(thread, target, listed);
      if (excess === 0) break;
      if (!(yield* this.#patience.round(thread, request, target, excess))) {
        fate = Fate.STUCK;
        break;
      }
      if (thread.turn('epc worker', target.id)) yield thread.changeWaiting;
    }
    this.#patience.done(request);
    return fate;
  }

  *#withoutPages(thread: Thread, target: EpcGroup): Routine<FateId> {
    const { killer } = this.#parts;
    if (killer === null || (yield* this.#patience.supply(thread, target)) !== Supply.NOTHING) {
      return Fate.HOPEFUL;
    }
    return (yield* killer.kill(thread, target)) ? Fate.HOPEFUL : Fate.NOBODY;
  }
}
