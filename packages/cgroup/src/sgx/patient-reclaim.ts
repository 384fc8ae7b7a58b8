import type {
  BatchCount,
  LockFactory,
  ReclaimRequest,
  Routine,
  SharedNumber,
  Thread,
} from '@epckit/interface';
import { MisuseError, PAGE_SIZE_BYTES } from '@epckit/interface';
import type { MiscController } from '../controller.js';
import { Resource } from '../resource.js';
import type { EpcGroup } from './epc-group.js';
import type { GroupReclaim } from './group-reclaim.js';

/** What there is to reclaim in a subtree. */
export const Supply = {
  /** pages on lists */
  LISTED: 0,
  /** nothing on lists, but batches or charges run that may give something back */
  IN_FLIGHT: 1,
  /** nothing on lists, and nothing needed: there is room by now, or the refusal was spurious */
  ROOM: 2,
  /** there was a moment with nothing on lists, no batch, no charge, and no room below the limit */
  NOTHING: 3,
} as const;
/** Value of {@link Supply}. */
export type SupplyId = (typeof Supply)[keyof typeof Supply];

/** Bounds of the default design, in rotations: looks at as many pages as the subtree has on its lists. */
export interface PatienceNumbers {
  /** Fruitless rotations after which age is ignored; infinite: never. */
  readonly ageRotations: number;
  /** Fruitless rotations with age ignored after which nothing can be written. */
  readonly stuckRotations: number;
  /** Pages per batch at most. */
  readonly batchPages: number;
}

/**
 * Reclaims without mistaking pages in flight for "nothing left", and without going round for ever.
 * Needs lists that count subtrees.
 */
export class PatientReclaim {
  readonly #reclaim: GroupReclaim;
  readonly #numbers: PatienceNumbers;
  readonly #controller: MiscController;
  readonly #begun: SharedNumber;
  readonly #ended: SharedNumber;

  constructor(
    reclaim: GroupReclaim,
    numbers: PatienceNumbers,
    controller: MiscController,
    locks: LockFactory,
  ) {
    this.#reclaim = reclaim;
    this.#controller = controller;
    this.#numbers = numbers;
    this.#begun = locks.sharedNumber('charges begun', 0);
    this.#ended = locks.sharedNumber('charges ended', 0);
  }

  /** A charge begins: what it adds may be taken back, or become reclaimable. */
  *begin(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield this.#begun.adding;
    this.#begun.add(thread, 1);
  }

  /** A charge has ended: it was taken back, or its page is where it belongs. */
  *end(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield this.#ended.adding;
    this.#ended.add(thread, 1);
  }

  /** A request, see {@link round}. */
  request(): ReclaimRequest {
    return this.#reclaim.request();
  }

  /** Gives a request back. */
  done(request: ReclaimRequest): void {
    this.#reclaim.done(request);
  }

  /** Reclaimable pages of the subtree. */
  pageCount(thread: Thread, target: EpcGroup): Routine<number> {
    return this.#reclaim.pageCount(thread, target.id);
  }

  /**
   * What there is. Equal counts on both sides of the looks say that neither a batch nor a charge ran in between; while
   * none does, usage can only fall.
   */
  *supply(thread: Thread, target: EpcGroup): Routine<SupplyId> {
    const { begun, ended } = this.#batches;
    if (thread.clock > thread.limit) yield ended.reading;
    const batchesEnded = ended.read(thread);
    if (thread.clock > thread.limit) yield this.#ended.reading;
    const chargesEnded = this.#ended.read(thread);
    if (!(yield* this.#reclaim.isEmpty(thread, target.id))) return Supply.LISTED;
    const { usage, max } = target.counters;
    if (thread.clock > thread.limit) yield usage.reading;
    const used = usage.read(thread);
    if (thread.clock > thread.limit) yield max.reading;
    const limit = max.read(thread);
    const capacity = this.#controller.capacity(Resource.SGX_EPC);
    if (thread.clock > thread.limit) yield capacity.reading;
    if (used + PAGE_SIZE_BYTES <= Math.min(limit, capacity.read(thread))) return Supply.ROOM;
    if (thread.clock > thread.limit) yield begun.reading;
    if (begun.read(thread) !== batchesEnded) return Supply.IN_FLIGHT;
    if (thread.clock > thread.limit) yield this.#begun.reading;
    return this.#begun.read(thread) === chargesEnded ? Supply.NOTHING : Supply.IN_FLIGHT;
  }

  /**
   * One batch over the subtree. `request` adds up what was looked at in vain since the last page that was written.
   *
   * @param least - pages that are too many
   * @returns false: nothing can be written
   */
  *round(thread: Thread, request: ReclaimRequest, target: EpcGroup, least: number): Routine<boolean> {
    const { ageRotations, stuckRotations, batchPages } = this.#numbers;
    const listed = Math.max(1, yield* this.pageCount(thread, target));
    const rotations = Math.floor(request.lookedAt / listed);
    if (rotations >= ageRotations + stuckRotations) return false;
    // A quarter of what is there, so that a small group is not emptied for one page.
    const pages = Math.min(batchPages, Math.max(least, Math.ceil(listed / 4)));
    const evicted = yield* this.#reclaim.run(thread, request, target.id, pages, rotations >= ageRotations);
    if (evicted > 0) request.lookedAt = 0;
    return true;
  }

  get #batches(): BatchCount {
    const { batches } = this.#reclaim;
    if (batches !== undefined) return batches;
    throw new MisuseError('This design needs a reclaimer that counts its batches.', [], {
      hint: 'Compose it with CountingKsgxd of @epckit/reclaim/recipes.',
    });
  }
}
