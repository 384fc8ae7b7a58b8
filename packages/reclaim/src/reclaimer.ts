import type {
  BatchCount,
  LockFactory,
  Op,
  PagePool,
  Probe,
  Reclaimer,
  ReclaimLists,
  Routine,
  Thread,
  ThreadId,
  WaitQueue,
  WakePolicy,
} from '@epckit/interface';
import { Cost, MisuseError } from '@epckit/interface';
import type { Batch } from './batch.js';

/** What the reclaimer is made of. */
export interface ReclaimerComponents {
  /** Reclaimable pages. */
  readonly lists: ReclaimLists;
  /** One batch, as a recipe. */
  readonly batch: Batch;
  /** Free pages. */
  readonly pool: PagePool;
  /** When the daemon is woken and goes on. */
  readonly wake: WakePolicy;
  /** Makes locks and lockless variables. */
  readonly locks: LockFactory;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
}

/** Settings of the reclaimer. */
export interface ReclaimerOptions {
  /** Pages per batch (Linux `SGX_NR_TO_SCAN`, 16). */
  readonly batchPages: number;
  /** Thread that will run {@link Ksgxd.main}. */
  readonly daemon: ThreadId;
}

/**
 * Decides when batches run: in the context of an allocation, or in the daemon (Linux `ksgxd`), which sleeps
 * until it is woken and fewer than the high mark are free.
 */
export class Ksgxd implements Reclaimer {
  readonly daemon: ThreadId;
  readonly emptyReading: Op;
  readonly freeReading: Op;
  readonly #components: ReclaimerComponents;
  readonly #queue: WaitQueue;
  readonly #batchPages: number;
  /** Chunks that are not in use; each running batch has its own. */
  readonly #chunks: Int32Array[] = [];

  constructor(options: ReclaimerOptions, components: ReclaimerComponents) {
    if (!Number.isInteger(options.batchPages) || options.batchPages < 1) {
      throw new MisuseError(
        `A batch must be a whole number of pages, at least 1, not ${options.batchPages}.`,
      );
    }
    this.daemon = options.daemon;
    this.#batchPages = options.batchPages;
    this.#components = components;
    this.#queue = components.locks.waitQueue('ksgxd_waitq');
    this.emptyReading = components.lists.emptyReading;
    this.freeReading = components.pool.freeReading;
  }

  nothingReclaimable(thread: Thread): boolean {
    return this.#components.lists.isEmpty(thread, 0);
  }

  *batch(thread: Thread): Routine<number> {
    const victims = this.#chunks.pop() ?? new Int32Array(this.#batchPages);
    const freed = yield* this.#components.batch.run(thread, 0, victims, thread.id !== this.daemon);
    this.#chunks.push(victims);
    return freed;
  }

  isLow(thread: Thread): boolean {
    return this.#components.wake.shouldWake(this.#components.pool.freeCount(thread));
  }

  *wakeIfUseful(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield this.emptyReading;
    if (!this.nothingReclaimable(thread)) this.wakeUp(thread);
  }

  /** Wakes the daemon, which then looks at its condition. `isCounted`: as an allocation does. */
  wakeUp(thread: Thread, isCounted = true): void {
    const wasAsleep = this.#queue.wake(thread);
    if (isCounted) this.#components.probe?.daemonWoken(thread.id, this.daemon, wasAsleep);
  }

  /**
   * The daemon's main loop; never returns. Tested before each sleep, so once awake it runs batch after batch
   * until the high mark is reached or nothing is left.
   *
   * @param boot what the daemon does first, such as sanitizing
   */
  *main(thread: Thread, boot: Routine<unknown>): Routine<never> {
    const { probe } = this.#components;
    probe?.daemonRuns(this.daemon, true);
    yield* boot;
    for (;;) {
      this.#queue.prepare(thread);
      while (!(yield* this.#shouldContinue(thread))) {
        probe?.daemonRuns(this.daemon, false);
        yield* this.#queue.sleep(thread);
        probe?.daemonRuns(this.daemon, true);
        this.#queue.prepare(thread);
      }
      this.#queue.finish(thread);
      yield* this.batch(thread);
      if (thread.turn('ksgxd', 0)) yield thread.changeWaiting;
    }
  }

  *#shouldContinue(thread: Thread): Routine<boolean> {
    const { pool, wake } = this.#components;
    if (thread.spend(Cost.STEP) > thread.limit) yield pool.freeReading;
    if (!wake.shouldContinue(pool.freeCount(thread))) return false;
    if (thread.clock > thread.limit) yield this.emptyReading;
    return !this.nothingReclaimable(thread);
  }
}

/** A reclaimer that counts its batches, so that an allocator can tell pages in a batch from none (L-01). */
export class CountingKsgxd extends Ksgxd {
  /** How many batches there were. */
  readonly batches: BatchCount;

  constructor(options: ReclaimerOptions, components: ReclaimerComponents) {
    super(options, components);
    const { locks } = components;
    this.batches = {
      begun: locks.sharedNumber('batches begun', 0),
      ended: locks.sharedNumber('batches ended', 0),
    };
  }

  override *batch(thread: Thread): Routine<number> {
    const { begun, ended } = this.batches;
    if (thread.spend(Cost.STEP) > thread.limit) yield begun.adding;
    begun.add(thread, 1);
    const freed = yield* super.batch(thread);
    if (thread.spend(Cost.STEP) > thread.limit) yield ended.adding;
    ended.add(thread, 1);
    return freed;
  }
}

/** Makes a reclaimer with its daemon's main loop. */
export function createReclaimer(options: ReclaimerOptions, components: ReclaimerComponents): Ksgxd {
  return new Ksgxd(options, components);
}
