import type { PageIndex, Routine, Thread } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import type { Refusal } from '../charge.js';
import { RefusalCause } from '../charge.js';
import { MissingPagesCharge } from './charge-rounds.js';
import type { EpcGroup } from './epc-group.js';

/** 2020, whole: also brings groups below `sgx_epc.high` after a charge, and counts what the files of 2018 show. */
export class HighCharge extends MissingPagesCharge {
  override *uncharge(thread: Thread, page: PageIndex): Routine<void> {
    const { controls, frames, groups } = this.parts;
    if (controls.isInHand(page)) {
      controls.setInHand(page, false);
      const group = frames.group(page);
      if (group !== NONE) yield* controls.countReclaimed(thread, groups.of(group));
    }
    yield* super.uncharge(thread, page);
  }

  protected override *asking(thread: Thread, target: EpcGroup, { cause }: Refusal): Routine<void> {
    if (cause === RefusalCause.LIMIT) yield* this.parts.controls.count(thread, target, 'max');
  }

  /** The first group that has reached its bound: in the background, or at once for it and all above it. */
  protected override *charged(thread: Thread, group: EpcGroup, mayReclaim: boolean): Routine<void> {
    const { high, workers } = this.parts;
    const reached = yield* high.reachedBy(thread, group);
    if (reached === null) return;
    if (mayReclaim) yield* high.run(thread, reached);
    else yield* workers.queue(thread, reached, group.id);
  }
}
