import type { MiscCounters } from '@epckit/cgroup';
import { MiscCharge } from '@epckit/cgroup/recipes';
import type { Routine, Thread } from '@epckit/interface';

/** Adds, and reads the usage in a second step: what it compares may have others' additions in it. */
export class AddThenLook extends MiscCharge {
  protected override *add(thread: Thread, { usage }: MiscCounters, amount: number): Routine<number> {
    if (thread.clock > thread.limit) yield usage.adding;
    usage.add(thread, amount);
    if (thread.clock > thread.limit) yield usage.reading;
    return usage.read(thread);
  }
}

/** Reads the usage, and adds in a second step: what it compares lacks others' additions. */
export class LookThenAdd extends MiscCharge {
  protected override *add(thread: Thread, { usage }: MiscCounters, amount: number): Routine<number> {
    if (thread.clock > thread.limit) yield usage.reading;
    const before = usage.read(thread);
    if (thread.clock > thread.limit) yield usage.adding;
    usage.add(thread, amount);
    return before + amount;
  }
}
