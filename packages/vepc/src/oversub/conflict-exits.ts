import type { LeafId, LeafResult, Routine, Thread } from '@epckit/interface';
import { ConflictExit, Cost, Leaf, LeafFault, SgxCode } from '@epckit/interface';
import type { HostMarkId } from './host-marks.js';
import { HostMark } from './host-marks.js';
import type { SecsPlace } from './instances.js';
import type { OversubParts } from './parts.js';
import { lockInstance } from './section.js';
import type { OversubVm, VmPage } from './vm.js';

/** The host caused the conflict: the guest repeats its leaf. */
export const CONFLICT_REENTER = -1;

/** An exit because a guest's leaf met another one (reason 71). */
export interface GuestConflict {
  /** One of `ConflictExit`. */
  readonly exit: LeafResult;
  /** The guest's leaf. */
  readonly leaf: LeafId;
  /** Page that the guest-physical address of the exit names; codes 2 and 3. */
  readonly operand: VmPage | null;
  /** ENCLAVECONTEXT of the SECS; codes 0 and 1. */
  readonly context: number;
}

/**
 * Decides whose fault a conflict is. The host's own work on a SECS excuses repetitions as long as it goes on, and one
 * afterwards; what is not excused the guest gets as it would on a bare machine, so it cannot make the host repeat for
 * ever.
 */
export class ConflictExits {
  /** Exits that have come. */
  handled = 0;
  /** Exits that ended in a repetition. */
  reentered = 0;
  /** Those of them about a SECS that was pinned: the host was at work on a child, and its marks were not used up. */
  pinned = 0;
  /** Exits that the guest was told of. */
  delivered = 0;
  /** What the handler works with. */
  protected readonly parts: OversubParts;

  constructor(parts: OversubParts) {
    this.parts = parts;
  }

  /**
   * Handles one exit. No locks are held.
   *
   * @returns `CONFLICT_REENTER`, or what the guest gets: `LeafFault.GP`, or a code (with ZF, and CF 0)
   */
  *handle(thread: Thread, vm: OversubVm, conflict: GuestConflict): Routine<LeafResult> {
    this.handled++;
    const isReference = conflict.exit === ConflictExit.TRACKING_REFERENCE;
    const mark = isReference ? HostMark.TRACKED : HostMark.LOCKED;
    if (!(yield* this.isExcused(thread, vm, conflict, mark))) {
      this.delivered++;
      return outcomeOf(conflict);
    }
    this.reentered++;
    if (isReference) yield* this.drain(thread, vm);
    return CONFLICT_REENTER;
  }

  /** Has the host marked the page? Takes the mark. */
  protected *isExcused(
    thread: Thread,
    vm: OversubVm,
    conflict: GuestConflict,
    mark: HostMarkId,
  ): Routine<boolean> {
    const { mm } = vm;
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const place = this.placeOf(vm, conflict);
    let isExcused = false;
    if (place !== null) {
      yield* lockInstance(thread, place.instance);
      if (thread.clock > thread.limit) yield place.instance.marks.at(place.page);
      isExcused = place.instance.marks.take(place.page, mark);
      if (isExcused && place.instance.records.pins(place.page) > 0) this.pinned++;
      if (isExcused) this.renew(place, mark);
      place.instance.vepc.lock.release(thread);
    }
    mm.lock.releaseRead(thread);
    return isExcused;
  }

  /**
   * While the host works on a child of the SECS, its next leaf may be met before it can mark the SECS again: EWB after
   * ETRACKC. So the mark stays until the SECS is not pinned any more, and the host's work is bounded.
   */
  protected renew({ instance, page }: SecsPlace, mark: HostMarkId): void {
    if (instance.records.pins(page) > 0) instance.marks.renew(page, mark);
  }

  /** Page that the conflict is about, or null: none that the host could have touched. */
  protected placeOf(vm: OversubVm, { exit, operand, context }: GuestConflict): SecsPlace | null {
    const { instances } = this.parts;
    const isTracking = exit === ConflictExit.TRACKING_RESOURCE || exit === ConflictExit.TRACKING_REFERENCE;
    if (isTracking) return instances.locate(vm, context);
    const instance = operand === null ? undefined : instances.of(operand.vepc.id);
    return operand === null || instance === undefined ? null : { instance, page: operand.page };
  }

  /**
   * The unfinished cycle is the host's: throws all virtual CPUs out of the guest, which ends it. Without waiting for
   * them the repeated leaf would find it unfinished again.
   */
  protected *drain(thread: Thread, vm: OversubVm): Routine<void> {
    const cpus = this.parts.oversub.createCpuSet();
    if (thread.spend(Cost.STEP) > thread.limit) yield vm.mm.cpusReading;
    cpus.addAll(vm.mm.cpus);
    yield* this.parts.oversub.ipi.send(thread, cpus);
  }
}

/** What the leaf would have given without virtualisation. */
function outcomeOf({ exit, leaf }: GuestConflict): LeafResult {
  if (exit === ConflictExit.EPC_PAGE_EXCEPTION) return LeafFault.GP;
  if (exit === ConflictExit.EPC_PAGE_ERROR) return SgxCode.EPC_PAGE_CONFLICT;
  if (exit === ConflictExit.TRACKING_REFERENCE) return SgxCode.PREV_TRK_INCMPL;
  return leaf === Leaf.ETRACKC ? SgxCode.EPC_PAGE_CONFLICT : LeafFault.GP;
}
