import type { LeafResult, PageIndex, Routine, Thread, Tracker } from '@epckit/interface';
import { SgxCode } from '@epckit/interface';
import { HostMark } from './host-marks.js';
import type { OversubInstance } from './instance.js';
import type { OversubParts } from './parts.js';

/**
 * Begins tracking cycles behind a guest's back: ETRACKC, bounded tries, and interrupts for a cycle that does not end.
 * One per instance, under its lock; the SECS may lie in another one.
 */
export class HostTracker implements Tracker {
  /** What the tracker works with. */
  protected readonly parts: OversubParts;
  /** Instance of the page that is written. */
  protected readonly instance: OversubInstance;

  constructor(parts: OversubParts, instance: OversubInstance) {
    this.parts = parts;
    this.instance = instance;
  }

  /** Three stages: some tries; after an unfinished cycle interrupts and some tries; after a conflict kicks and some tries. */
  *track(thread: Thread, secs: PageIndex): Routine<LeafResult> {
    const { leaves, oversub } = this.parts;
    yield* this.mark(thread, secs);
    let result = yield* leaves.etrackc(thread, secs);
    if (result === SgxCode.PREV_TRK_INCMPL) {
      yield* this.collect(thread);
      yield* oversub.ipi.send(thread, this.instance.cpus);
      result = yield* leaves.etrackc(thread, secs);
    }
    if (result !== SgxCode.EPC_PAGE_CONFLICT) return result;
    yield* this.collect(thread);
    yield* oversub.ipi.kick(thread, this.instance.cpus);
    return yield* leaves.etrackc(thread, secs);
  }

  /** Before the leaf: a guest's ETRACK that meets it, or finds its cycle unfinished, is not the guest's fault. */
  protected *mark(thread: Thread, secs: PageIndex): Routine<void> {
    const { components, instances } = this.parts;
    const owner = instances.of(components.frames.owner(secs));
    if (owner === undefined) return;
    const index = components.frames.record(secs);
    if (thread.clock > thread.limit) yield owner.marks.at(index);
    owner.marks.set(index, HostMark.TRACKED | HostMark.LOCKED);
  }

  /** CPUs that may be in the guest now. */
  protected *collect(thread: Thread): Routine<void> {
    this.instance.cpus.clear();
    yield* this.instance.collectCpus(thread, this.instance.cpus);
  }
}
