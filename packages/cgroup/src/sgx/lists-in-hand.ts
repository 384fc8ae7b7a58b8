import type { PageIndex, ReclaimRequest, Routine, Thread, VerdictId } from '@epckit/interface';
import type { EpcGroup } from './epc-group.js';
import { GroupLists } from './group-lists.js';

/** Lists that also say which pages reclaimers have: what they free is counted (2018 `sgx_epc.stats`). */
export class InHandGroupLists extends GroupLists {
  override mark(thread: Thread, page: PageIndex): Routine<void> {
    // It was given back by its owner, who took it from a reclaimer that had no use for it.
    this.parts.controls.setInHand(page, false);
    return super.mark(thread, page);
  }

  override putBack(thread: Thread, page: PageIndex, verdict: VerdictId): Routine<void> {
    this.parts.controls.setInHand(page, false);
    return super.putBack(thread, page, verdict);
  }

  protected override *take(
    thread: Thread,
    part: EpcGroup,
    request: ReclaimRequest,
    victims: Int32Array,
  ): Routine<number> {
    const kept = yield* super.take(thread, part, request, victims);
    for (const page of victims.subarray(0, kept)) this.parts.controls.setInHand(page, true);
    return kept;
  }
}
