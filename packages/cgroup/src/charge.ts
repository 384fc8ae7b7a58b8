import type { ErrnoResult, GroupId, Probe, Routine, Thread } from '@epckit/interface';
import { Errno, NONE } from '@epckit/interface';
import type { AtomicNumber } from './atomic-number.js';
import type { MiscCounters, MiscGroup } from './group.js';
import type { ResourceId } from './resource.js';

/** Which bound a refused charge met. */
export const RefusalCause = {
  /** none: the charge was not refused */
  NONE: 0,
  /** the limit of the group, `misc.max` */
  LIMIT: 1,
  /** the capacity of the machine, `misc.capacity` */
  CAPACITY: 2,
} as const;
/** Value of {@link RefusalCause}. */
export type RefusalCauseId = (typeof RefusalCause)[keyof typeof RefusalCause];

/**
 * Who refused a charge: an addition of this package, Linux tells nobody. Belongs to the caller, is written by
 * each charge that gets it, and can be used for the next.
 */
export interface Refusal {
  /** Group at which the charge failed, or `-1`. */
  group: GroupId;
  /** Bound that it met there. Capacity is compared at every group, so it need not be the root. */
  cause: RefusalCauseId;
}

/** A refusal that says nobody. */
export function createRefusal(): Refusal {
  return { group: NONE, cause: RefusalCause.NONE };
}

/** Hears of files that change by themselves (Linux `cgroup_file_notify`): a poller or inotify would wake up. */
export interface FileListener {
  /** `file` of `group` has a new content. Plain; changes nothing. */
  modified(group: GroupId, file: 'misc.events' | 'misc.events.local' | 'sgx_epc.events'): void;
}

/** What charging needs. */
export interface MiscChargeParts {
  /** Capacity of the machine by resource. */
  readonly capacities: readonly (AtomicNumber | undefined)[];
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
  /** Told of new events, or `null`. */
  readonly listener: FileListener | null;
}

/** Does a usage exceed a bound? Linux compares without sign: below zero is more than any number, but not than `max`. */
function exceeds(usage: number, bound: number): boolean {
  return usage > bound || (usage < 0 && bound !== Number.POSITIVE_INFINITY);
}

/**
 * Charges and uncharges (Linux `misc_cg_try_charge`, `misc_cg_uncharge`), without any lock: usage is added first
 * and compared afterwards, so others see the usage of charges that are about to fail.
 */
export class MiscCharge {
  /** Capacities, listeners. */
  protected readonly parts: MiscChargeParts;
  /** Completed charges and uncharges: what loops that retry are waiting for. */
  changes = 0;
  /** Linux warns once per boot. */
  #hasWarned = false;

  constructor(parts: MiscChargeParts) {
    this.parts = parts;
  }

  /** `group`: null for none. @returns 0, `-EBUSY` (a bound would be exceeded) or `-EINVAL` (no group, no capacity) */
  *tryCharge(
    thread: Thread,
    resource: ResourceId,
    group: MiscGroup | null,
    amount: number,
    refusal: Refusal,
  ): Routine<ErrnoResult> {
    if (group === null) return -Errno.EINVAL;
    const capacity = this.parts.capacities[resource] as AtomicNumber;
    if (thread.clock > thread.limit) yield capacity.reading;
    if (capacity.read(thread) === 0) return -Errno.EINVAL;
    for (let at: MiscGroup | null = amount === 0 ? null : group; at !== null; at = at.parent) {
      refusal.cause = yield* this.chargeOne(thread, at.counters(resource), capacity, amount);
      if (refusal.cause !== RefusalCause.NONE) {
        refusal.group = at.id;
        return yield* this.refuse(thread, resource, group, at, amount);
      }
    }
    this.changes++;
    return 0;
  }

  /** Gives a charge back; `group` is the one that was charged, or null for none. */
  *uncharge(thread: Thread, resource: ResourceId, group: MiscGroup | null, amount: number): Routine<void> {
    if (group === null) return;
    for (let at: MiscGroup | null = group; at !== null; at = at.parent) {
      const { usage } = at.counters(resource);
      if (thread.clock > thread.limit) yield usage.writing;
      this.cancel(thread, usage, amount);
    }
    this.changes++;
  }

  /** Charges one group: adds, compares with its limit and the capacity, raises the watermark. @returns who refuses */
  protected *chargeOne(
    thread: Thread,
    counters: MiscCounters,
    capacity: AtomicNumber,
    amount: number,
  ): Routine<RefusalCauseId> {
    const { max, watermark } = counters;
    const usage = yield* this.add(thread, counters, amount);
    if (thread.clock > thread.limit) yield max.reading;
    if (exceeds(usage, max.read(thread))) return RefusalCause.LIMIT;
    if (thread.clock > thread.limit) yield capacity.reading;
    if (exceeds(usage, capacity.read(thread))) return RefusalCause.CAPACITY;
    if (thread.clock > thread.limit) yield watermark.reading;
    const before = watermark.read(thread);
    if (usage > before) yield* this.raiseWatermark(thread, watermark, usage, before);
    return RefusalCause.NONE;
  }

  /** Adds to the usage of one group. @returns the usage that this addition has made */
  protected *add(thread: Thread, { usage }: MiscCounters, amount: number): Routine<number> {
    if (thread.clock > thread.limit) yield usage.writing;
    return usage.addAndGet(thread, amount);
  }

  /** Raises the watermark unless it is higher by now (Linux `misc_cg_update_watermark`). Nobody lowers it. */
  protected *raiseWatermark(
    thread: Thread,
    watermark: AtomicNumber,
    usage: number,
    seen: number,
  ): Routine<void> {
    for (let before = seen; usage > before; before = watermark.read(thread)) {
      if (thread.clock > thread.limit) yield watermark.writing;
      if (watermark.compareAndSet(thread, before, usage)) return;
      if (thread.turn('misc_cg_update_watermark', usage)) yield thread.changeWaiting;
      if (thread.clock > thread.limit) yield watermark.reading;
    }
  }

  /** Counts the event at `refusing`, then takes the additions back from `group` up to it. */
  protected *refuse(
    thread: Thread,
    resource: ResourceId,
    group: MiscGroup,
    refusing: MiscGroup,
    amount: number,
  ): Routine<ErrnoResult> {
    yield* this.countEvent(thread, resource, refusing);
    for (let at: MiscGroup | null = group; at !== refusing.parent; at = (at as MiscGroup).parent) {
      const { usage } = (at as MiscGroup).counters(resource);
      if (thread.clock > thread.limit) yield usage.writing;
      this.cancel(thread, usage, amount);
    }
    return -Errno.EBUSY;
  }

  /** Linux `misc_cg_event`: local at the refusing group; hierarchical there and above, except at the root. */
  protected *countEvent(thread: Thread, resource: ResourceId, refusing: MiscGroup): Routine<void> {
    const { eventsLocal } = refusing.counters(resource);
    if (thread.clock > thread.limit) yield eventsLocal.adding;
    eventsLocal.add(thread, 1);
    this.parts.listener?.modified(refusing.id, 'misc.events.local');
    for (let at = refusing; at.parent !== null; at = at.parent) {
      const { events } = at.counters(resource);
      if (thread.clock > thread.limit) yield events.adding;
      events.add(thread, 1);
      this.parts.listener?.modified(at.id, 'misc.events');
    }
  }

  /** Takes an amount back (Linux `misc_cg_cancel_charge`). Below zero is warned of once, and left so. Plain. */
  protected cancel(thread: Thread, usage: AtomicNumber, amount: number): void {
    if (usage.addAndGet(thread, -amount) >= 0 || this.#hasWarned) return;
    this.#hasWarned = true;
    this.parts.probe?.warned(thread.id, 'misc_cg_cancel_charge');
  }
}
