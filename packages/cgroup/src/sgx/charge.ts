import type {
  ChargeController,
  ErrnoResult,
  FrameTable,
  GroupId,
  LockFactory,
  OwnerKindId,
  PageIndex,
  Probe,
  RecordId,
  Routine,
  Thread,
} from '@epckit/interface';
import { Errno, NONE, PAGE_SIZE_BYTES } from '@epckit/interface';
import type { Refusal, RefusalCauseId } from '../charge.js';
import { createRefusal, RefusalCause } from '../charge.js';
import { Resource } from '../resource.js';
import type { ControlTable } from './controls.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';
import type { EpcUseId, EpcUseOf } from './epc-use.js';
import { EpcUse } from './epc-use.js';
import type { MarkListener } from './group-lists.js';
import type { GroupReclaim } from './group-reclaim.js';
import type { HighReclaim } from './high-reclaim.js';
import type { GroupLimits, MarginRule } from './margin.js';
import type { EpcWorkers } from './workers.js';

/** Which group is reclaimed from when a charge fails. */
export const ReclaimTarget = {
  /** the ancestor that refused */
  FAILING_ANCESTOR: 0,
  /** the group that is charged: the misc controller does not tell who refused */
  CHARGING_GROUP: 1,
} as const;
/** Value of {@link ReclaimTarget}. */
export type ReclaimTargetId = (typeof ReclaimTarget)[keyof typeof ReclaimTarget];

/** Why an allocation was refused, as users want to be told. */
export const EpcRefusal = {
  /** not at all */
  NONE: 0,
  /** a group's limit */
  LIMIT: 1,
  /** the capacity of the machine */
  MACHINE: 2,
  /** there are reclaimable pages, but backing memory for none of them */
  BACKING: 3,
} as const;
/** Value of {@link EpcRefusal}. */
export type EpcRefusalId = (typeof EpcRefusal)[keyof typeof EpcRefusal];

/** Who refused the last failed charge of a thread. */
export interface LastRefusal {
  /** One of {@link EpcRefusal}. */
  readonly reason: EpcRefusalId;
  /** Group whose limit it was, or in which nothing could be written; `-1`: none. */
  readonly group: GroupId;
}

/** Numbers of the charge loop. */
export interface ChargeNumbers {
  /** Who is reclaimed from. */
  readonly target: ReclaimTargetId;
  /** Pages asked for at least (Linux 2020 `SGX_EPC_RECLAIM_MIN_PAGES`). */
  readonly minPages: number;
  /** Pages asked for at most. */
  readonly maxPages: number;
  /** Fruitless rounds after which age is ignored; infinite: never. */
  readonly ageRounds: number;
  /** Rounds with nothing on any list after which there is no EPC. */
  readonly emptyRounds: number;
}

/** What a charge loop works with. */
export interface EpcChargeParts {
  /** Numbers. */
  readonly numbers: ChargeNumbers;
  /** Parts of all groups. */
  readonly groups: EpcGroups;
  /** Limits in pages. */
  readonly limits: GroupLimits;
  /** Reclaims from subtrees. */
  readonly reclaim: GroupReclaim;
  /** Reclaims in the background. */
  readonly workers: EpcWorkers;
  /** When background reclaim has to work. */
  readonly margin: MarginRule;
  /** Bounds and counters of the controller of 2018 to 2020. */
  readonly controls: ControlTable;
  /** Reclaims from groups above `sgx_epc.high`. */
  readonly high: HighReclaim;
  /** Is there a killer? */
  readonly kills: boolean;
  /** Are pages of a use that no reclaimer may take kept on a list? Plain. */
  readonly listsUnreclaimable: (use: EpcUseId) => boolean;
  /** What a page is used for. */
  readonly useOf: EpcUseOf;
  /** Frame table. */
  readonly frames: FrameTable;
  /** Makes locks and lockless variables. */
  readonly locks: LockFactory;
  /** Tells whom a thread charges. */
  readonly current: CurrentGroup;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
}

/** Tells whom a thread charges: the processes of a cgroup tree, for instance. */
export interface CurrentGroup {
  /** Group that the thread charges, with a reference for the caller (Linux `get_current_misc_cg`). */
  getCurrent(thread: Thread): Routine<GroupId>;
}

/** What a thread has met while it charged. */
interface ThreadRecord {
  readonly refusal: Refusal;
  reason: EpcRefusalId;
  group: GroupId;
}

/**
 * Charges pages to groups. What happens at a limit is a method of its own, {@link atLimit}, which each design
 * overrides.
 */
export abstract class EpcCharge implements ChargeController, MarkListener {
  /** Does the design want to know when a charged page becomes reclaimable? */
  readonly hearsMarks: boolean = false;
  /** What the loop works with. */
  protected readonly parts: EpcChargeParts;
  /** Charges and uncharges that have begun and not ended. For reports: not shared state. */
  unsettled = 0;
  readonly #records: (ThreadRecord | undefined)[] = [];

  constructor(parts: EpcChargeParts) {
    this.parts = parts;
  }

  *charge(thread: Thread, mayReclaim: boolean): Routine<number> {
    const { controller } = this.parts.groups;
    const id = yield* this.parts.current.getCurrent(thread);
    const record = this.#recordOf(thread);
    record.reason = EpcRefusal.NONE;
    record.group = NONE;
    this.unsettled++;
    let result = yield* this.tryCharge(thread, id, record.refusal);
    // Without capacity there is nothing to reclaim.
    if (result === -Errno.EINVAL) result = -Errno.ENOMEM;
    else if (result !== 0) {
      result = yield* this.atLimit(thread, this.parts.groups.of(id), record.refusal, mayReclaim);
    }
    if (result === 0) {
      yield* this.charged(thread, this.parts.groups.of(id), mayReclaim);
      return id;
    }
    this.unsettled--;
    if (record.reason === EpcRefusal.NONE)
      this.note(thread, causeOf(record.refusal.cause), record.refusal.group);
    this.parts.probe?.chargeRefused?.(thread.id, id, this.refusedBy(thread));
    yield* controller.put(thread, id);
    return result;
  }

  *cancel(thread: Thread, group: GroupId): Routine<void> {
    const { controller } = this.parts.groups;
    yield* controller.uncharge(thread, Resource.SGX_EPC, group, PAGE_SIZE_BYTES);
    this.unsettled--;
    yield* controller.put(thread, group);
  }

  /**
   * Charges a page that is known now: names its group in the frame table, and lists it if no reclaimer may take it and
   * the design keeps such lists.
   */
  *assign(
    thread: Thread,
    page: PageIndex,
    group: GroupId,
    kind: OwnerKindId,
    record: RecordId,
  ): Routine<void> {
    const { frames, groups, listsUnreclaimable, useOf, probe } = this.parts;
    frames.setGroup(page, group);
    const part = groups.of(group);
    const use = useOf(kind, record);
    part.uses[use] = (part.uses[use] as number) + 1;
    this.unsettled--;
    probe?.charged?.(thread.id, page, group);
    if (!listsUnreclaimable(use)) return;
    while (part.lock.mustWait(thread)) yield part.lock.acquire;
    frames.append(part.unreclaimable, page);
    part.lock.release(thread);
  }

  *uncharge(thread: Thread, page: PageIndex): Routine<void> {
    const { frames, groups, useOf, probe } = this.parts;
    const id = frames.group(page);
    if (id === NONE) return;
    const part = groups.of(id);
    const use = useOf(frames.kind(page), frames.record(page));
    if (use !== EpcUse.REGULAR) yield* this.unlink(thread, part, page);
    frames.setGroup(page, NONE);
    part.uses[use] = (part.uses[use] as number) - 1;
    this.unsettled++;
    yield* groups.controller.uncharge(thread, Resource.SGX_EPC, id, PAGE_SIZE_BYTES);
    this.unsettled--;
    probe?.uncharged?.(thread.id, page, id);
    yield* groups.controller.put(thread, id);
  }

  /** Nothing unless the design has it. */
  *marked(_thread: Thread, _page: PageIndex): Routine<void> {}

  /** Nothing unless the design has it. */
  *reclaimDirect(_thread: Thread): Routine<void> {}

  refusedBy(thread: Thread): GroupId {
    const record = this.#recordOf(thread);
    return record.reason === EpcRefusal.LIMIT ? record.group : NONE;
  }

  /** Why the last failed charge of a thread failed. Plain, for the thread itself and for reports. */
  lastRefusal(thread: Thread): LastRefusal {
    return this.#recordOf(thread);
  }

  /** Adds a page to a group and all above it. @returns 0, or what the misc controller says */
  protected *tryCharge(thread: Thread, group: GroupId, refusal: Refusal): Routine<ErrnoResult> {
    const { controller } = this.parts.groups;
    const result = yield* controller.tryCharge(thread, Resource.SGX_EPC, group, PAGE_SIZE_BYTES, refusal);
    if (refusal.group !== NONE) this.parts.groups.of(refusal.group).refusals++;
    return result;
  }

  /**
   * A charge has failed. Reclaims and charges again, or not.
   *
   * @returns 0: charged; `-ENOMEM`, `-EBUSY`, `-ERESTARTSYS`
   */
  protected abstract atLimit(
    thread: Thread,
    group: EpcGroup,
    refusal: Refusal,
    mayReclaim: boolean,
  ): Routine<ErrnoResult>;

  /** A page was charged to `group`. */
  protected *charged(_thread: Thread, _group: EpcGroup, _mayReclaim: boolean): Routine<void> {}

  /** Takes a page that no reclaimer may take off its list. */
  protected *unlink(thread: Thread, part: EpcGroup, page: PageIndex): Routine<void> {
    const { frames } = this.parts;
    while (part.lock.mustWait(thread)) yield part.lock.acquire;
    if (frames.listOf(page) === part.unreclaimable) frames.unlink(page);
    part.lock.release(thread);
  }

  /** Subtree to reclaim from. */
  protected targetOf(group: EpcGroup, refusal: Refusal): EpcGroup {
    const { numbers, groups } = this.parts;
    const isOwn = numbers.target === ReclaimTarget.CHARGING_GROUP || refusal.group === NONE;
    return isOwn ? group : groups.of(refusal.group);
  }

  /** Is a signal pending? */
  protected *isSignalled(thread: Thread): Routine<boolean> {
    if (thread.clock > thread.limit) yield thread.signalReading;
    return thread.signalPending;
  }

  /** Remembers why a charge fails. */
  protected note(thread: Thread, reason: EpcRefusalId, group: GroupId): void {
    const record = this.#recordOf(thread);
    record.reason = reason;
    record.group = group;
  }

  #recordOf({ id }: Thread): ThreadRecord {
    let record = this.#records[id];
    if (record === undefined) {
      record = { refusal: createRefusal(), reason: EpcRefusal.NONE, group: NONE };
      this.#records[id] = record;
    }
    return record;
  }
}

/** Queues the target's background reclaim for a caller that may not reclaim itself. @returns `-EBUSY` */
export function* retryLater(
  thread: Thread,
  workers: EpcWorkers,
  target: EpcGroup,
  group: EpcGroup,
): Routine<ErrnoResult> {
  yield* workers.queue(thread, target, group.id);
  return -Errno.EBUSY;
}

function causeOf(cause: RefusalCauseId): EpcRefusalId {
  if (cause === RefusalCause.LIMIT) return EpcRefusal.LIMIT;
  return cause === RefusalCause.CAPACITY ? EpcRefusal.MACHINE : EpcRefusal.NONE;
}
