import type { Routine, Thread } from '@epckit/interface';
import type { EpcGroup } from './epc-group.js';
import { RoomWork } from './work.js';

/** 2020, whole: afterwards brings the group and those above it below `sgx_epc.high`. */
export class HighWork extends RoomWork {
  override *run(thread: Thread, target: EpcGroup): Routine<void> {
    yield* super.run(thread, target);
    yield* this.parts.high.run(thread, target);
  }

  protected override asking(thread: Thread, target: EpcGroup): Routine<void> {
    return this.parts.controls.count(thread, target, 'max');
  }
}
