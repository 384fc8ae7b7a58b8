import type {
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
import { Errno } from '@epckit/interface';

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

class ReclaimingAllocator implements PageAllocator {
  readonly #frames: FrameTable;
  readonly #pool: PagePool;
  readonly #reclaimer: Reclaimer;
  readonly #charge: ChargeController | null;

  constructor(components: PageAllocatorComponents) {
    this.#frames = components.frames;
    this.#pool = components.pool;
    this.#reclaimer = components.reclaimer;
    this.#charge = components.charge;
  }

  *alloc(
    thread: Thread,
    kind: OwnerKindId,
    owner: OwnerId,
    record: RecordId,
    mayReclaim: boolean,
  ): Routine<number> {
    const group = this.#charge === null ? 0 : yield* this.#charge.charge(thread, mayReclaim);
    if (group < 0) return group;
    let page = yield* this.#pool.take(thread);
    if (page < 0) page = yield* this.#reclaimAndTake(thread, mayReclaim);
    if (page >= 0) {
      this.#frames.setOwner(page, kind, owner, record);
      if (group !== 0) this.#frames.setGroup(page, group);
    } else if (this.#charge !== null) {
      yield* this.#charge.uncharge(thread, group);
    }
    // Out of memory for good: nothing to wake the daemon for.
    if (page === -Errno.ENOMEM) return page;
    if (thread.clock > thread.limit) yield this.#reclaimer.freeReading;
    if (this.#reclaimer.isLow(thread)) yield* this.#reclaimer.wakeIfUseful(thread);
    return page;
  }

  *free(thread: Thread, page: PageIndex): Routine<void> {
    if (this.#charge !== null) {
      yield* this.#charge.uncharge(thread, this.#frames.group(page));
      this.#frames.setGroup(page, 0);
    }
    yield* this.#pool.give(thread, page);
  }

  *reclaimDirect(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield this.#reclaimer.freeReading;
    if (!this.#reclaimer.isLow(thread)) return;
    if (thread.clock > thread.limit) yield this.#reclaimer.emptyReading;
    if (!this.#reclaimer.nothingReclaimable(thread)) yield* this.#reclaimer.batch(thread);
  }

  /** No page was free: reclaims until there is one, if the caller may. */
  *#reclaimAndTake(thread: Thread, mayReclaim: boolean): Routine<number> {
    for (;;) {
      if (thread.clock > thread.limit) yield this.#reclaimer.emptyReading;
      if (this.#reclaimer.nothingReclaimable(thread)) return -Errno.ENOMEM;
      if (!mayReclaim) return -Errno.EBUSY;
      if (thread.clock > thread.limit) yield thread.signalReading;
      if (thread.signalPending) return -Errno.ERESTARTSYS;
      yield* this.#reclaimer.batch(thread);
      const page = yield* this.#pool.take(thread);
      if (page >= 0) return page;
      if (thread.turn('sgx_alloc_epc_page', 0)) yield thread.changeWaiting;
    }
  }
}
