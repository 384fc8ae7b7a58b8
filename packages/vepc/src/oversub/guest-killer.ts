import type { KilledResult, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, Killed, NONE } from '@epckit/interface';
import { GuestState } from './guest-records.js';
import type { OversubInstance } from './instance.js';
import type { OversubParts } from './parts.js';
import { enterSection, leaveSection, lockInstance } from './section.js';

/** Kills an instance because EPC ran out and it was chosen: its pages come back at once, its VM ends at the next fault. */
export class GuestKiller {
  /** What the killer works with. */
  protected readonly parts: OversubParts;

  constructor(parts: OversubParts) {
    this.parts = parts;
  }

  /** The caller has a reference. What reclaimers hold, and a SECS with children elsewhere, stays until the release. */
  *kill(thread: Thread, instance: OversubInstance): Routine<KilledResult> {
    if (!(yield* enterSection(thread, instance))) return yield* this.mark(thread, instance);
    const wasDead = instance.isDead;
    instance.isDead = true;
    if (!wasDead) {
      yield* this.unmapAll(thread, instance);
      // Children first: the second pass finds the SECS pages that the first one had to leave.
      for (let pass = 0; pass < 2; pass++) yield* this.freeAll(thread, instance);
    }
    yield* leaveSection(thread, instance);
    return wasDead ? Killed.ALREADY_DYING : Killed.MARKED;
  }

  /** The VMM is ending: its last close gives the pages back. */
  protected *mark(thread: Thread, instance: OversubInstance): Routine<KilledResult> {
    yield* lockInstance(thread, instance);
    const wasDead = instance.isDead;
    instance.isDead = true;
    instance.vepc.lock.release(thread);
    return wasDead ? Killed.ALREADY_DYING : Killed.MARKED;
  }

  /** Removes all entries, and throws the virtual CPUs out of the guest. */
  protected *unmapAll(thread: Thread, instance: OversubInstance): Routine<void> {
    const { records, cpus } = instance;
    for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
      const table = instance.tableAt(index);
      if (table === undefined || records.state(index) !== GuestState.PRESENT) continue;
      if (thread.spend(Cost.STEP) > thread.limit) yield table.pteAt(index);
      table.zap(thread, index);
      records.setState(index, GuestState.UNMAPPED);
    }
    cpus.clear();
    yield* instance.collectCpus(thread, cpus);
    yield* this.parts.oversub.ipi.send(thread, cpus);
  }

  /** One pass over the pages that are resident and in nobody's hands. */
  protected *freeAll(thread: Thread, instance: OversubInstance): Routine<void> {
    const { records, vepc } = instance;
    for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
      if (!this.isFreeable(instance, index)) continue;
      const page = vepc.pages.get(index);
      if ((yield* this.parts.oversub.lists.unmark(thread, page)) === -Errno.EBUSY) continue;
      records.setListed(index, false);
      if ((yield* this.parts.pages.free(thread, page)) !== 0) continue;
      vepc.pages.erase(index);
      records.clear(index);
    }
  }

  /** In the EPC, in nobody's hands, and not the SECS of evicted children. */
  protected isFreeable({ records }: OversubInstance, index: number): boolean {
    const state = records.state(index);
    const isStill = state === GuestState.UNMAPPED || state === GuestState.LOST;
    return isStill && !records.isInFlight(index) && records.evictedChildren(index) === 0;
  }
}
