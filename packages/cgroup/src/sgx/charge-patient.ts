import type {
  ErrnoResult,
  GroupId,
  OwnerKindId,
  PageIndex,
  ReclaimRequest,
  RecordId,
  Routine,
  Thread,
} from '@epckit/interface';
import { Cost, Errno } from '@epckit/interface';
import type { Refusal } from '../charge.js';
import type { MiscGroup } from '../group.js';
import type { EpcChargeParts } from './charge.js';
import { EpcCharge, EpcRefusal, retryLater } from './charge.js';
import type { EpcGroup, FateId } from './epc-group.js';
import { Fate } from './epc-group.js';
import { EpcUse } from './epc-use.js';
import type { PatientReclaim, SupplyId } from './patient-reclaim.js';
import { Supply } from './patient-reclaim.js';

/** Pause between two looks at what is in flight: a batch takes many times as long. */
const PAUSE_CYCLES = 10_000;

/** A fault that was told to come again. */
interface Wait {
  /** Group whose worker makes room. */
  readonly group: MiscGroup;
  /** Ends of that group's work when the fault came for the first time. */
  readonly ends: number;
}

/**
 * The default design. It fails for good only if there was a moment at which nothing in the constraining subtree could
 * be freed, asks for the caller's permission to reclaim before it looks at signals, keeps the margin after each
 * charge, and ends after a bounded number of fruitless looks.
 */
export class PatientCharge extends EpcCharge {
  override readonly hearsMarks = true;
  readonly #patience: PatientReclaim;
  /** Pages that are charged and will be marked as reclaimable; written by who has the page alone. */
  readonly #arriving: Uint8Array;
  /** Page that each thread has charged last; written by the thread itself. */
  readonly #carried: (PageIndex | undefined)[] = [];
  /** Whom each thread waits for; written by the thread itself. */
  readonly #waits: (Wait | undefined)[] = [];

  constructor(parts: EpcChargeParts, patience: PatientReclaim) {
    super(parts);
    this.#patience = patience;
    this.#arriving = new Uint8Array(parts.frames.pageCount);
  }

  override *cancel(thread: Thread, group: GroupId): Routine<void> {
    yield* super.cancel(thread, group);
    yield* this.#patience.end(thread);
  }

  /** A charge is in flight until its page is on a list, or known to be of those that never come onto one. */
  override *assign(
    thread: Thread,
    page: PageIndex,
    group: GroupId,
    kind: OwnerKindId,
    record: RecordId,
  ): Routine<void> {
    yield* super.assign(thread, page, group, kind, record);
    if (this.parts.useOf(kind, record) !== EpcUse.REGULAR) yield* this.#patience.end(thread);
    else {
      this.#arriving[page] = 1;
      this.#carried[thread.id] = page;
    }
  }

  override marked(thread: Thread, page: PageIndex): Routine<void> {
    return this.#arrive(thread, page);
  }

  override *uncharge(thread: Thread, page: PageIndex): Routine<void> {
    yield* super.uncharge(thread, page);
    yield* this.#arrive(thread, page);
  }

  /** One batch for the nearest group that has less room than its margin. */
  override *reclaimDirect(thread: Thread): Routine<void> {
    const { current, groups } = this.parts;
    const id = yield* current.getCurrent(thread);
    for (let at: EpcGroup | null = groups.of(id); at !== null; at = groups.above(at)) {
      const excess = yield* this.#excess(thread, at);
      if (excess === 0) continue;
      const request = this.#patience.request();
      yield* this.#patience.round(thread, request, at, excess);
      this.#patience.done(request);
      break;
    }
    yield* groups.controller.put(thread, id);
  }

  protected override *tryCharge(thread: Thread, group: number, refusal: Refusal): Routine<ErrnoResult> {
    yield* this.#settle(thread);
    yield* this.#patience.begin(thread);
    const result = yield* super.tryCharge(thread, group, refusal);
    if (result !== 0) yield* this.#patience.end(thread);
    return result;
  }

  /**
   * A thread that charges another page before it has marked its last one, such as a version array for a page that it
   * adds, would wait for itself, and two of them for each other: nobody waits for what such a thread carries.
   */
  *#settle(thread: Thread): Routine<void> {
    const page = this.#carried[thread.id];
    if (page === undefined) return;
    this.#carried[thread.id] = undefined;
    yield* this.#arrive(thread, page);
  }

  /** The charge of a page that was on its way is in flight no more. */
  *#arrive(thread: Thread, page: PageIndex): Routine<void> {
    if (this.#carried[thread.id] === page) this.#carried[thread.id] = undefined;
    if (this.#arriving[page] === 0) return;
    this.#arriving[page] = 0;
    yield* this.#patience.end(thread);
  }

  /** Background reclaim for every group whose margin is used up, unless the margin is a single page. */
  protected override *charged(thread: Thread, group: EpcGroup): Routine<void> {
    this.#waits[thread.id] = undefined;
    const { groups, workers } = this.parts;
    for (let at: EpcGroup | null = group; at !== null; at = groups.above(at)) {
      if ((yield* this.#excess(thread, at)) > 1) yield* workers.queue(thread, at, group.id);
    }
  }

  protected override *atLimit(
    thread: Thread,
    group: EpcGroup,
    refusal: Refusal,
    mayReclaim: boolean,
  ): Routine<ErrnoResult> {
    const request = this.#patience.request();
    let result: ErrnoResult;
    for (;;) {
      const target = this.targetOf(group, refusal);
      const supply = yield* this.#awaitSupply(thread, target, mayReclaim);
      result = mayReclaim
        ? yield* this.#reclaimHere(thread, group, target, supply, request)
        : yield* this.#reclaimLater(thread, group, target, supply);
      if (result !== 0) break;
      result = yield* this.tryCharge(thread, group.id, refusal);
      if (result === 0) break;
      if (thread.turn('epc charge', target.id)) yield thread.changeWaiting;
    }
    this.#patience.done(request);
    return result;
  }

  /** Waits, without touching anything, while all there is is in flight: a charge of one's own would be in the way. */
  *#awaitSupply(thread: Thread, target: EpcGroup, mayReclaim: boolean): Routine<SupplyId> {
    for (;;) {
      const supply = yield* this.#patience.supply(thread, target);
      if (supply !== Supply.IN_FLIGHT || !mayReclaim || (yield* this.isSignalled(thread))) return supply;
      thread.spendCycles(Cost.EVENT_WAIT, PAUSE_CYCLES);
      if (thread.turn('epc in flight', target.id)) yield thread.changeWaiting;
    }
  }

  /** @returns 0: charge again */
  *#reclaimHere(
    thread: Thread,
    group: EpcGroup,
    target: EpcGroup,
    supply: SupplyId,
    request: ReclaimRequest,
  ): Routine<ErrnoResult> {
    if (supply === Supply.ROOM) return 0;
    if (supply === Supply.NOTHING) {
      if (this.parts.kills) yield* this.parts.workers.queue(thread, target, group.id);
      return -Errno.ENOMEM;
    }
    if (yield* this.isSignalled(thread)) return -Errno.ERESTARTSYS;
    // In flight when the signal came, and it is gone again.
    if (supply === Supply.IN_FLIGHT) return 0;
    if (yield* this.#patience.round(thread, request, target, 1)) return 0;
    this.note(thread, EpcRefusal.BACKING, target.id);
    return -Errno.ENOMEM;
  }

  /**
   * A fault: a worker makes room, by killing somebody if nothing else is left, and the fault comes again, unless the
   * worker has come to nothing.
   */
  *#reclaimLater(thread: Thread, group: EpcGroup, target: EpcGroup, supply: SupplyId): Routine<ErrnoResult> {
    if (supply === Supply.ROOM) return 0;
    const isNothing = supply === Supply.NOTHING;
    if (isNothing && !this.parts.kills) return -Errno.ENOMEM;
    const fate = yield* this.#fateOf(thread, target);
    if (supply !== Supply.IN_FLIGHT && fate === (isNothing ? Fate.NOBODY : Fate.STUCK)) {
      this.#waits[thread.id] = undefined;
      if (!isNothing) this.note(thread, EpcRefusal.BACKING, target.id);
      return -Errno.ENOMEM;
    }
    return yield* retryLater(thread, this.parts.workers, target, group);
  }

  /** How the target's work has ended last, as far as that was after the thread has begun to wait for it. */
  *#fateOf(thread: Thread, { ends, group }: EpcGroup): Routine<FateId> {
    const wait = this.#waits[thread.id];
    if (thread.clock > thread.limit) yield ends.reading;
    if (wait?.group === group) return ends.last(thread, wait.ends);
    this.#waits[thread.id] = { group, ends: ends.count(thread) };
    return Fate.HOPEFUL;
  }

  *#excess(thread: Thread, group: EpcGroup): Routine<number> {
    const { max } = group.counters;
    if (thread.clock > thread.limit) yield max.reading;
    if (max.read(thread) === Number.POSITIVE_INFINITY) return 0;
    const listed = yield* this.#patience.pageCount(thread, group);
    return yield* this.parts.margin.excess(thread, group, listed);
  }
}
