import type { Routine, Thread } from '@epckit/interface';
import type { ControlTable } from './controls.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';
import type { GroupReclaim } from './group-reclaim.js';
import type { Protection } from './protection.js';

/** What {@link HighReclaim} works with. */
export interface HighReclaimParts {
  /** Parts of all groups. */
  readonly groups: EpcGroups;
  /** Events. */
  readonly controls: ControlTable;
  /** Says who is above the bound. */
  readonly protection: Protection;
  /** Reclaims from subtrees. */
  readonly reclaim: GroupReclaim;
  /** Pages asked for at least. */
  readonly minPages: number;
  /** Pages asked for at most. */
  readonly maxPages: number;
}

/** Reclaims from groups that are above `sgx_epc.high` (2020 `sgx_epc_cgroup_reclaim_high`). Nobody is refused for it. */
export class HighReclaim {
  readonly #parts: HighReclaimParts;

  constructor(parts: HighReclaimParts) {
    this.#parts = parts;
  }

  /** The first group from `group` up that has reached the bound, or null. */
  *reachedBy(thread: Thread, group: EpcGroup): Routine<EpcGroup | null> {
    const { groups, protection } = this.#parts;
    for (let at: EpcGroup | null = group; at !== null; at = groups.above(at)) {
      if ((yield* protection.aboveHigh(thread, at)) >= 0) return at;
    }
    return null;
  }

  /** One request for `group` and each group above it that is above its bound. */
  *run(thread: Thread, group: EpcGroup): Routine<void> {
    const { groups, protection, reclaim } = this.#parts;
    const request = reclaim.request();
    for (let at: EpcGroup | null = group; at !== null; at = groups.above(at)) {
      const excess = yield* protection.aboveHigh(thread, at);
      if (excess <= 0) continue;
      yield* this.#parts.controls.count(thread, at, 'high');
      yield* reclaim.run(thread, request, at.id, this.#clamp(excess), false);
    }
    reclaim.done(request);
  }

  #clamp(pages: number): number {
    const { minPages, maxPages } = this.#parts;
    return Math.min(Math.max(pages, minPages), maxPages);
  }
}
