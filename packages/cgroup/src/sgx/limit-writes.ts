import type { Routine, Thread } from '@epckit/interface';
import type { ControlEvent, ControlTable } from './controls.js';
import type { EpcGroup } from './epc-group.js';
import type { GroupReclaim } from './group-reclaim.js';
import type { EpcKiller } from './killer.js';
import type { GroupLimits } from './margin.js';
import type { Protection } from './protection.js';
import type { EpcWorkers } from './workers.js';

/** What the engine does when a limit was stored. */
export interface LimitWrite {
  /** `target` has a new limit; the caller holds a reference of it. */
  written(thread: Thread, target: EpcGroup): Routine<void>;
}

/** What {@link BlockingLimitWrite} works with. */
export interface BlockingLimitWriteParts {
  /** Limits in pages. */
  readonly limits: GroupLimits;
  /** Reclaims from subtrees. */
  readonly reclaim: GroupReclaim;
  /** Bounds and counters of the controller of 2018 to 2020. */
  readonly controls: ControlTable;
  /** Says who is above `sgx_epc.high`. */
  readonly protection: Protection;
  /** Kills, or `null`. */
  readonly killer: EpcKiller | null;
  /** Pages asked for at least. */
  readonly minPages: number;
  /** Pages asked for at most. */
  readonly maxPages: number;
  /** Fruitless rounds after which age is ignored. */
  readonly ageRounds: number;
  /** Rounds with nothing on any list after which somebody is killed. */
  readonly emptyRounds: number;
}

/**
 * 2020: the writer blocks until usage is below the limit or a signal is pending, and kills when nothing is on any list
 * for long. It ends too when there is nobody to kill.
 */
export class BlockingLimitWrite implements LimitWrite {
  /** What the write works with. */
  protected readonly parts: BlockingLimitWriteParts;
  /** Event that each request counts. */
  protected readonly event: ControlEvent = 'max';

  constructor(parts: BlockingLimitWriteParts) {
    this.parts = parts;
  }

  *written(thread: Thread, target: EpcGroup): Routine<void> {
    const { controls, reclaim, minPages, maxPages, ageRounds } = this.parts;
    const request = reclaim.request();
    let empty = 0;
    let fruitless = 0;
    for (;;) {
      const excess = yield* this.excess(thread, target);
      if (excess <= 0 || (yield* this.#isSignalled(thread))) break;
      const pages = Math.min(Math.max(excess, minPages), maxPages);
      yield* controls.count(thread, target, this.event);
      if ((yield* reclaim.run(thread, request, target.id, pages, fruitless > ageRounds)) === 0) {
        if (!(yield* reclaim.isEmpty(thread, target.id))) fruitless++;
        else if (yield* this.isOver(thread, target, ++empty)) break;
      }
      if (thread.turn('sgx_epc_cgroup_max_write', target.id)) yield thread.changeWaiting;
    }
    reclaim.done(request);
  }

  /** Pages above the bound. */
  protected *excess(thread: Thread, target: EpcGroup): Routine<number> {
    const { limits } = this.parts;
    return (yield* limits.usage(thread, target)) - (yield* limits.limit(thread, target));
  }

  /** A round has found nothing on any list for the `empty`th time: does the write end? */
  protected *isOver(thread: Thread, target: EpcGroup, empty: number): Routine<boolean> {
    const { killer, emptyRounds } = this.parts;
    if (empty <= emptyRounds) return false;
    return killer === null || !(yield* killer.kill(thread, target));
  }

  *#isSignalled(thread: Thread): Routine<boolean> {
    if (thread.clock > thread.limit) yield thread.signalReading;
    return thread.signalPending;
  }
}

/** 2020: the writer of `sgx_epc.high` blocks too, but nobody is killed for it. */
export class BlockingHighWrite extends BlockingLimitWrite {
  protected override readonly event = 'high';

  protected override excess(thread: Thread, target: EpcGroup): Routine<number> {
    return this.parts.protection.aboveHigh(thread, target);
  }

  protected override *isOver(): Routine<boolean> {
    return true;
  }
}

/** v3 to v5: the worker brings usage down, and kills if it cannot; the writer goes on. */
export class QueueingLimitWrite implements LimitWrite {
  readonly #workers: EpcWorkers;

  constructor(workers: EpcWorkers) {
    this.#workers = workers;
  }

  written(thread: Thread, target: EpcGroup): Routine<void> {
    return this.#workers.queue(thread, target, target.id);
  }
}
