import type {
  BatchCount,
  ChargeController,
  FrameTable,
  OwnerId,
  OwnerKindId,
  PageAllocator,
  PageIndex,
  PagePool,
  Reclaimer,
  RecordId,
  Routine,
  Thread,
} from '@epckit/interface';
import { Errno, MisuseError, NONE } from '@epckit/interface';

/** What the allocator is made of. */
export interface PageAllocatorComponents {
  /** Frame table. */
  readonly frames: FrameTable;
  /** Free pages. */
  readonly pool: PagePool;
  /** Runs batches and the daemon. */
  readonly reclaimer: Reclaimer;
  /** Who may use how much; `null`: everybody everything. */
  readonly charge: ChargeController | null;
}

/** Makes the allocator of EPC pages (Linux `sgx_alloc_epc_page`, `sgx_free_epc_page`, `sgx_reclaim_direct`). */
export function createPageAllocator(components: PageAllocatorComponents): PageAllocator {
  return new ReclaimingAllocator(components);
}

/** The allocator of Linux 6.12. A recipe. */
export class ReclaimingAllocator implements PageAllocator {
  /** Free pages. */
  protected readonly pool: PagePool;
  /** Runs batches and the daemon. */
  protected readonly reclaimer: Reclaimer;
  readonly #frames: FrameTable;
  readonly #charge: ChargeController | null;

  constructor(components: PageAllocatorComponents) {
    this.#frames = components.frames;
    this.pool = components.pool;
    this.reclaimer = components.reclaimer;
    this.#charge = components.charge;
  }

  *alloc(
    thread: Thread,
    kind: OwnerKindId,
    owner: OwnerId,
    record: RecordId,
    mayReclaim: boolean,
  ): Routine<number> {
    const charge = this.#charge;
    const group = charge === null ? NONE : yield* charge.charge(thread, mayReclaim);
    if (charge !== null && group < 0) return group;
    let page = yield* this.pool.take(thread);
    if (page < 0) page = yield* this.reclaimAndTake(thread, mayReclaim);
    if (page >= 0) {
      this.#frames.setOwner(page, kind, owner, record);
      if (charge !== null) yield* charge.assign(thread, page, group, kind, record);
    } else if (charge !== null) {
      yield* charge.cancel(thread, group);
    }
    // Out of memory for good: nothing to wake the daemon for.
    if (page === -Errno.ENOMEM) return page;
    const node = page < 0 ? NONE : this.#frames.node(page);
    if (thread.clock > thread.limit) yield this.reclaimer.freeReadingOn(node);
    if (this.reclaimer.isLow(thread, node)) yield* this.reclaimer.wakeIfUseful(thread, node);
    return page;
  }

  *free(thread: Thread, page: PageIndex): Routine<void> {
    if (this.#charge !== null) yield* this.#charge.uncharge(thread, page);
    yield* this.pool.give(thread, page);
  }

  *reclaimDirect(thread: Thread): Routine<void> {
    if (this.#charge !== null) yield* this.#charge.reclaimDirect(thread);
    if (thread.clock > thread.limit) yield this.reclaimer.freeReadingOn(NONE);
    if (!this.reclaimer.isLow(thread, NONE)) return;
    if (!(yield* this.reclaimer.nothingReclaimable(thread))) yield* this.reclaimer.batch(thread);
  }

  /** No page was free: reclaims until there is one, if the caller may. */
  protected *reclaimAndTake(thread: Thread, mayReclaim: boolean): Routine<number> {
    for (;;) {
      if (yield* this.reclaimer.nothingReclaimable(thread)) return -Errno.ENOMEM;
      if (!mayReclaim) return -Errno.EBUSY;
      if (thread.clock > thread.limit) yield thread.signalReading;
      if (thread.signalPending) return -Errno.ERESTARTSYS;
      yield* this.reclaimer.batch(thread);
      const page = yield* this.pool.take(thread);
      if (page >= 0) return page;
      if (thread.turn('sgx_alloc_epc_page', 0)) yield thread.changeWaiting;
    }
  }
}

/**
 * The repair of L-01: pages in batches are on no list, and Linux takes "no page on the list" for "nothing will ever
 * be free". Here an allocation fails for good only if no batch has run since its last look at the pools; else
 * its caller comes again (`-EBUSY`), or it waits if it may reclaim.
 */
export class PatientAllocator extends ReclaimingAllocator {
  readonly #batches: BatchCount;

  /** @throws MisuseError if the reclaimer does not count its batches */
  constructor(components: PageAllocatorComponents) {
    super(components);
    const { batches } = components.reclaimer;
    if (batches === undefined) throw countMissing();
    this.#batches = batches;
  }

  /** While pages are in batches only, there is nothing for a batch of one's own: it waits. */
  protected override *reclaimAndTake(thread: Thread, mayReclaim: boolean): Routine<number> {
    for (;;) {
      const what = yield* this.reclaimable(thread);
      if (what === 'nothing') return yield* this.pool.take(thread);
      if (!mayReclaim) return -Errno.EBUSY;
      if (thread.clock > thread.limit) yield thread.signalReading;
      if (thread.signalPending) return -Errno.ERESTARTSYS;
      if (what === 'listed') yield* this.reclaimer.batch(thread);
      const page = yield* this.pool.take(thread);
      if (page >= 0) return page;
      if (thread.turn('sgx_alloc_epc_page', 0)) yield thread.changeWaiting;
    }
  }

  /**
   * `nothing`: there was a moment without a page on a list or in a batch, because equal counts on both sides of the
   * look at the list say that no batch ran in between. What the last one freed is free since then, so one more look
   * at the pools is due.
   */
  protected *reclaimable(thread: Thread): Routine<'listed' | 'inBatches' | 'nothing'> {
    const { begun, ended } = this.#batches;
    if (thread.clock > thread.limit) yield ended.reading;
    const endedBefore = ended.read(thread);
    if (!(yield* this.reclaimer.nothingReclaimable(thread))) return 'listed';
    if (thread.clock > thread.limit) yield begun.reading;
    return begun.read(thread) === endedBefore ? 'nothing' : 'inBatches';
  }
}

function countMissing(): MisuseError {
  return new MisuseError('This allocator needs a reclaimer that counts its batches.', [], {
    hint: 'Compose it with CountingKsgxd of @epckit/reclaim/recipes.',
  });
}
