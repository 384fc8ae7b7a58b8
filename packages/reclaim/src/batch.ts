import type {
  ChargeController,
  FrameTable,
  Op,
  OwnerRegistry,
  PageIndex,
  PagePool,
  PreparedResult,
  Probe,
  ReclaimLists,
  ReclaimRequest,
  Routine,
  Thread,
  VerdictId,
} from '@epckit/interface';
import { Blocked, Cost, FrameFlag, Mode, Prepared, Verdict, Written } from '@epckit/interface';

/** What a batch works on. */
export interface BatchComponents {
  /** Frame table. */
  readonly frames: FrameTable;
  /** Reclaimable pages. */
  readonly lists: ReclaimLists;
  /** Owners by kind. */
  readonly owners: OwnerRegistry;
  /** Free pages. */
  readonly pool: PagePool;
  /** Who may use how much; `null`: everybody everything. */
  readonly charge: ChargeController | null;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
}

/**
 * One batch of the reclaimer (Linux `sgx_reclaim_pages`, 6.12): isolate, then age and reserve each page, then
 * block each, then write each. The whole batch is blocked before the first write, so that one ETRACK and one
 * IPI round serve all pages of an enclave.
 *
 * Each step is a method of its own: a historical order is a subclass that overrides one.
 */
export class Batch {
  /** What the batch works on. */
  protected readonly components: BatchComponents;

  constructor(components: BatchComponents) {
    this.components = components;
  }

  /**
   * Runs one batch over `victims.length` pages at most. Several batches may run at the same time, each with
   * its own `victims` and its own `request`.
   *
   * @param request what to reclaim; the pages that became free are added to its count
   * @param isDirect in the context of an allocation; for the trace point only
   * @returns pages that became free
   */
  *run(thread: Thread, request: ReclaimRequest, victims: Int32Array, isDirect: boolean): Routine<number> {
    const { lists, probe } = this.components;
    const before = request.lookedAt;
    const isolated = yield* lists.isolate(thread, request, victims);
    const prepared = yield* this.prepareAll(thread, victims, isolated, request.isAgeIgnored);
    const blocked = yield* this.blockAll(thread, victims, prepared);
    const freed = yield* this.writeAll(thread, victims, blocked);
    request.evicted += freed;
    probe?.batchEnded(thread.id, isolated, freed, isDirect);
    if (request.target !== 0)
      probe?.groupReclaimed?.(thread.id, request.target, request.lookedAt - before, freed);
    return freed;
  }

  /** Ages and reserves in order; moves the pages that go on to the front of `victims`. */
  protected *prepareAll(
    thread: Thread,
    victims: Int32Array,
    count: number,
    isAgeIgnored: boolean,
  ): Routine<number> {
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const page = victims[i] as number;
      if (!this.hasSlot(kept)) {
        yield* this.skip(thread, page, Verdict.BUSY);
        continue;
      }
      const owner = this.ownerOf(page);
      const isYoung = !isAgeIgnored && (yield* owner.young(thread, page));
      const prepared = isYoung ? Prepared.BUSY : yield* owner.prepare(thread, page);
      if (prepared === Prepared.READY) victims[kept++] = page;
      else yield* this.skip(thread, page, isYoung ? Verdict.YOUNG : verdictOf(prepared));
    }
    return kept;
  }

  /** May another page go on, when `kept` of them do already? Here always. */
  protected hasSlot(_kept: number): boolean {
    return true;
  }

  /** Removes mappings and executes EBLOCK, page by page; moves the pages that go on to the front. */
  protected *blockAll(thread: Thread, victims: Int32Array, count: number): Routine<number> {
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const page = victims[i] as number;
      const blocked = yield* this.ownerOf(page).block(thread, page);
      if (blocked === Blocked.OK) victims[kept++] = page;
      else yield* this.skip(thread, page, blocked === Blocked.BUSY ? Verdict.BUSY : Verdict.GONE);
    }
    return kept;
  }

  /** Writes page by page and frees what was written. */
  protected *writeAll(thread: Thread, victims: Int32Array, count: number): Routine<number> {
    let freed = 0;
    for (let i = 0; i < count; i++) {
      const page = victims[i] as number;
      thread.spend(Cost.RECLAIM_SW);
      const written = yield* this.ownerOf(page).write(thread, page);
      if (written === Written.FREED) freed++;
      if (written === Written.BUSY) yield* this.skip(thread, page, Verdict.BUSY);
      else yield* this.finish(thread, page, written === Written.FREED);
    }
    return freed;
  }

  /**
   * After the write: put the owner, clear TRACKED, uncharge, and only then make the page visible as free.
   * Afterwards anybody may own it.
   */
  protected *finish(thread: Thread, page: PageIndex, isFreed: boolean): Routine<void> {
    const owner = this.ownerOf(page);
    const instance = this.components.frames.owner(page);
    if (thread.spend(Cost.STEP) > thread.limit) yield owner.putAt(instance);
    if (owner.put(thread, instance)) yield* owner.release(thread, instance);
    if (thread.spend(Cost.STEP) > thread.limit) yield this.trackedAt(page);
    this.clearTracked(page);
    this.components.probe?.reclaimVerdict(thread.id, page, isFreed ? Verdict.EVICTED : Verdict.KEPT);
    if (!isFreed) return;
    if (this.components.charge !== null) yield* this.components.charge.uncharge(thread, page);
    yield* this.components.pool.give(thread, page);
  }

  /** The page stays: back onto the list first, then put the owner, whose release may then free it. */
  protected *skip(thread: Thread, page: PageIndex, verdict: VerdictId): Routine<void> {
    const owner = this.ownerOf(page);
    const instance = this.components.frames.owner(page);
    this.components.probe?.reclaimVerdict(thread.id, page, verdict);
    if (verdict === Verdict.GONE) {
      if (thread.spend(Cost.STEP) > thread.limit) yield this.trackedAt(page);
      this.clearTracked(page);
    } else {
      yield* this.components.lists.putBack(thread, page, verdict);
    }
    if (thread.spend(Cost.STEP) > thread.limit) yield owner.putAt(instance);
    if (owner.put(thread, instance)) yield* owner.release(thread, instance);
  }

  /** The owner that the page's record names now. */
  protected ownerOf(page: PageIndex): ReturnType<OwnerRegistry['of']> {
    return this.components.owners.of(this.components.frames.kind(page));
  }

  /** Op to yield before {@link clearTracked}: no lock covers it, as in Linux. */
  protected trackedAt(page: PageIndex): Op {
    return this.components.frames.flagsAt(page, Mode.WRITE);
  }

  /** The page leaves the reclaimer's books. */
  protected clearTracked(page: PageIndex): void {
    const { frames } = this.components;
    frames.setFlags(page, frames.peekFlags(page) & ~FrameFlag.TRACKED);
  }
}

/** Why a page that could not be prepared stays. */
function verdictOf(prepared: PreparedResult): VerdictId {
  return prepared === Prepared.GONE ? Verdict.GONE : Verdict.BUSY;
}
