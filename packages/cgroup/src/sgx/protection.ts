import type { Routine, Thread } from '@epckit/interface';
import { PAGE_SIZE_BYTES } from '@epckit/interface';
import type { Limit } from '../group.js';
import type { ControlTable } from './controls.js';
import type { EpcGroup } from './epc-group.js';
import type { GroupLimits } from './margin.js';

/** Who is protected by `sgx_epc.low`, and who is above `sgx_epc.high` (2020). Everything in pages. */
export class Protection {
  readonly #controls: ControlTable;
  readonly #limits: GroupLimits;

  constructor(controls: ControlTable, limits: GroupLimits) {
    this.#controls = controls;
    this.#limits = limits;
  }

  /**
   * Is a group protected in the subtree of `top`? It is if it and every group above it is, up to `top` but without
   * it: so `low` tells the children of a group that is at its limit apart.
   */
  *isLow(thread: Thread, top: EpcGroup, group: EpcGroup): Routine<boolean> {
    if (group === top) return false;
    for (let at: EpcGroup | null = group; at !== null && at !== top; at = this.#limits.groups.above(at)) {
      if (!(yield* this.isLowAlone(thread, at))) return false;
    }
    return true;
  }

  /** Is the usage of one group below all three bounds? */
  *isLowAlone(thread: Thread, group: EpcGroup): Routine<boolean> {
    const { low, high } = this.#controls.of(group);
    const usage = yield* this.#limits.usage(thread, group);
    if (usage >= (yield* this.#pages(thread, low))) return false;
    if (usage >= (yield* this.#pages(thread, high))) return false;
    return usage < (yield* this.#limits.limit(thread, group));
  }

  /** Pages above `sgx_epc.high`; 0: just there; negative: below. */
  *aboveHigh(thread: Thread, group: EpcGroup): Routine<number> {
    const usage = yield* this.#limits.usage(thread, group);
    return usage - (yield* this.#pages(thread, this.#controls.of(group).high));
  }

  *#pages(thread: Thread, limit: Limit): Routine<number> {
    if (thread.clock > thread.limit) yield limit.reading;
    return Math.floor(limit.read(thread) / PAGE_SIZE_BYTES);
  }
}
