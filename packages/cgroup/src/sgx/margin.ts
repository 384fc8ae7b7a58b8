import type { Routine, Thread } from '@epckit/interface';
import { PAGE_SIZE_BYTES } from '@epckit/interface';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';

/** Says how far background reclaim goes. Everything in pages, limits rounded down. */
export interface MarginRule {
  /**
   * Pages of the subtree of `group` that are too many; 0: there is enough room.
   *
   * @param listed - reclaimable pages of the subtree
   */
  excess(thread: Thread, group: EpcGroup, listed: number): Routine<number>;
}

/** Limits and usages as pages. */
export class GroupLimits {
  /** Parts of all groups. */
  readonly groups: EpcGroups;

  constructor(groups: EpcGroups) {
    this.groups = groups;
  }

  /** Limit of one group in pages, rounded down; unlimited is infinite. */
  *limit(thread: Thread, { counters: { max } }: EpcGroup): Routine<number> {
    if (thread.clock > thread.limit) yield max.reading;
    return Math.floor(max.read(thread) / PAGE_SIZE_BYTES);
  }

  /** Smallest limit of a group and those above it. */
  *limitToRoot(thread: Thread, group: EpcGroup): Routine<number> {
    let least = Number.POSITIVE_INFINITY;
    for (let at: EpcGroup | null = group; at !== null; at = this.groups.above(at)) {
      least = Math.min(least, yield* this.limit(thread, at));
    }
    return least;
  }

  /** Usage of a subtree in pages. */
  *usage(thread: Thread, { counters: { usage } }: EpcGroup): Routine<number> {
    if (thread.clock > thread.limit) yield usage.reading;
    return usage.read(thread) / PAGE_SIZE_BYTES;
  }
}

/** How a {@link StepMargin} is set up. */
export interface StepMarginOptions {
  /** Limits above this keep eight pages more free (2020: 64, v5: 32). */
  readonly tinyPages: number;
  /** Do the limits of groups above count too (v5)? */
  readonly looksUp: boolean;
  /** Pages of the machine, no limit is larger. */
  readonly totalPages: number;
}

/** One page below the limit, and eight more if the limit is not tiny (2020; the series up to v5). */
export class StepMargin implements MarginRule {
  readonly #limits: GroupLimits;
  readonly #options: StepMarginOptions;

  constructor(limits: GroupLimits, options: StepMarginOptions) {
    this.#limits = limits;
    this.#options = options;
  }

  *excess(thread: Thread, group: EpcGroup): Routine<number> {
    const { looksUp, tinyPages, totalPages } = this.#options;
    const limit = looksUp
      ? yield* this.#limits.limitToRoot(thread, group)
      : yield* this.#limits.limit(thread, group);
    let room = limit > 0 ? limit - 1 : 0;
    if (room > tinyPages) room -= 8;
    const usage = yield* this.#limits.usage(thread, group);
    return Math.max(0, usage - Math.min(room, totalPages));
  }
}

/** Pages that are kept free below a limit (Linux v17 `SGX_CG_MIN_FREE_PAGE`). */
const MARGIN_PAGES = 32;
/** Limits up to this keep nothing free (Linux v17 `SGX_CG_LOW_LIMIT`). */
const LOW_LIMIT_PAGES = 4 * MARGIN_PAGES;

/** Threshold of v17 for a limit in pages. */
export function thresholdOf(limit: number): number {
  return limit > LOW_LIMIT_PAGES ? limit - MARGIN_PAGES : limit;
}

/**
 * Linux v17 `sgx_cgroup_should_reclaim`: the group's own usage against the smallest limit up to the root, less 32
 * pages unless that is tiny. Pages that nobody can reclaim count in full.
 */
export class FixedMargin implements MarginRule {
  readonly #limits: GroupLimits;

  constructor(limits: GroupLimits) {
    this.#limits = limits;
  }

  *excess(thread: Thread, group: EpcGroup, listed: number): Routine<number> {
    if (listed <= 0) return 0;
    const threshold = thresholdOf(yield* this.#limits.limitToRoot(thread, group));
    const usage = yield* this.#limits.usage(thread, group);
    return usage >= threshold ? usage - threshold + 1 : 0;
  }
}

/**
 * The default: the group's usage against its own limit. The margin is v17's, but taken from what is left for
 * reclaimable pages, so a group that is full of other pages keeps its working set.
 */
export class RoomMargin implements MarginRule {
  readonly #limits: GroupLimits;

  constructor(limits: GroupLimits) {
    this.#limits = limits;
  }

  *excess(thread: Thread, group: EpcGroup, listed: number): Routine<number> {
    const limit = yield* this.#limits.limit(thread, group);
    if (limit === Number.POSITIVE_INFINITY) return 0;
    const usage = yield* this.#limits.usage(thread, group);
    const fixed = Math.max(0, usage - listed);
    return Math.max(0, usage - fixed - thresholdOf(limit - fixed) + 1);
  }
}
