import type { ErrnoResult, ReclaimRequest, Routine, Thread } from '@epckit/interface';
import { Errno } from '@epckit/interface';
import type { Refusal } from '../charge.js';
import { RefusalCause } from '../charge.js';
import { EpcCharge, retryLater } from './charge.js';
import type { EpcGroup } from './epc-group.js';

/** Bookkeeping of one charge that counts fruitless rounds. */
export interface Rounds {
  /** Rounds that wrote nothing because there was nothing on any list. */
  empty: number;
  /** Rounds that wrote nothing although there was something. */
  fruitless: number;
}

/**
 * Charge loops that count rounds (2020; the series up to v5): after some that wrote nothing age is ignored, after
 * some with nothing on any list there is no EPC. A pending signal is looked at before the caller's permission to
 * reclaim.
 */
export abstract class CountingCharge extends EpcCharge {
  protected override *atLimit(
    thread: Thread,
    group: EpcGroup,
    refusal: Refusal,
    mayReclaim: boolean,
  ): Routine<ErrnoResult> {
    const request = this.parts.reclaim.request();
    const rounds: Rounds = { empty: 0, fruitless: 0 };
    let result: ErrnoResult;
    do {
      result = yield* this.round(thread, group, refusal, mayReclaim, request, rounds);
      if (result !== 0) break;
      result = yield* this.tryCharge(thread, group.id, refusal);
    } while (result !== 0);
    this.parts.reclaim.done(request);
    return result;
  }

  /** Is the target hopeless from the start? */
  protected abstract isHopeless(thread: Thread, target: EpcGroup, refusal: Refusal): Routine<boolean>;

  /** Pages to ask for. */
  protected abstract wanted(thread: Thread, target: EpcGroup): Routine<number>;

  /** A request to `target` is about to be made. */
  protected *asking(_thread: Thread, _target: EpcGroup, _refusal: Refusal): Routine<void> {}

  /** One round of reclaim. @returns 0: charge again; else the end */
  protected *round(
    thread: Thread,
    group: EpcGroup,
    refusal: Refusal,
    mayReclaim: boolean,
    request: ReclaimRequest,
    rounds: Rounds,
  ): Routine<ErrnoResult> {
    const { reclaim, workers, numbers } = this.parts;
    const target = this.targetOf(group, refusal);
    if (yield* this.isHopeless(thread, target, refusal)) return -Errno.ENOMEM;
    if (yield* this.isSignalled(thread)) return -Errno.ERESTARTSYS;
    if (!mayReclaim) return yield* retryLater(thread, workers, target, group);
    const pages = clamp(yield* this.wanted(thread, target), numbers.minPages, numbers.maxPages);
    const isAgeIgnored = rounds.fruitless > numbers.ageRounds;
    yield* this.asking(thread, target, refusal);
    if ((yield* reclaim.run(thread, request, target.id, pages, isAgeIgnored)) > 0) return 0;
    if (yield* reclaim.isEmpty(thread, target.id)) {
      if (++rounds.empty > numbers.emptyRounds) return -Errno.ENOMEM;
    } else {
      rounds.fruitless++;
    }
    if (thread.turn('sgx_epc_cgroup_try_charge', target.id)) yield thread.changeWaiting;
    return 0;
  }
}

/** 2020: asks for what is missing at the group that refused; a limit below one page is hopeless. */
export class MissingPagesCharge extends CountingCharge {
  protected override *isHopeless(thread: Thread, target: EpcGroup, refusal: Refusal): Routine<boolean> {
    return refusal.cause === RefusalCause.LIMIT && (yield* this.parts.limits.limit(thread, target)) < 1;
  }

  protected override *wanted(thread: Thread, target: EpcGroup): Routine<number> {
    const limit = yield* this.parts.limits.limit(thread, target);
    const missing = (yield* this.parts.limits.usage(thread, target)) + 1 - limit;
    return missing > 0 && missing < Number.POSITIVE_INFINITY ? missing : this.parts.numbers.minPages;
  }
}

/** v5: empty lists are hopeless at once; asks for one page, which is the least that is asked for. */
export class EmptyListCharge extends CountingCharge {
  protected override isHopeless(thread: Thread, target: EpcGroup): Routine<boolean> {
    return this.parts.reclaim.isEmpty(thread, target.id);
  }

  protected override *wanted(): Routine<number> {
    return 1;
  }
}

/**
 * v17: no rounds are counted; the loop ends by success, empty lists or a signal. Nothing is queued
 * after a success.
 */
export class EndlessCharge extends EpcCharge {
  override *reclaimDirect(thread: Thread): Routine<void> {
    const { current, groups, margin, reclaim } = this.parts;
    const id = yield* current.getCurrent(thread);
    const listed = (yield* reclaim.isEmpty(thread, id)) ? 0 : 1;
    if ((yield* margin.excess(thread, groups.of(id), listed)) > 0) {
      const request = reclaim.request();
      yield* reclaim.run(thread, request, id, 16, false);
      reclaim.done(request);
    }
    yield* groups.controller.put(thread, id);
  }

  protected override *atLimit(
    thread: Thread,
    group: EpcGroup,
    refusal: Refusal,
    mayReclaim: boolean,
  ): Routine<ErrnoResult> {
    const { reclaim, workers, numbers } = this.parts;
    for (;;) {
      const target = this.targetOf(group, refusal);
      if (yield* reclaim.isEmpty(thread, target.id)) return -Errno.ENOMEM;
      if (yield* this.isSignalled(thread)) return -Errno.ERESTARTSYS;
      if (!mayReclaim) return yield* retryLater(thread, workers, target, group);
      const request = reclaim.request();
      yield* reclaim.run(thread, request, target.id, numbers.minPages, false);
      reclaim.done(request);
      if (thread.turn('sgx_cgroup_try_charge', target.id)) yield thread.changeWaiting;
      if ((yield* this.tryCharge(thread, group.id, refusal)) === 0) return 0;
    }
  }
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
