import type {
  BatchCount,
  LockFactory,
  NodeId,
  Op,
  PagePool,
  Probe,
  Reclaimer,
  ReclaimLists,
  ReclaimRequest,
  Routine,
  Thread,
  ThreadId,
  WaitQueue,
  WakePolicy,
} from '@epckit/interface';
import { Cost, MisuseError, NONE } from '@epckit/interface';
import type { Batch } from './batch.js';
import { Chunks } from './chunk.js';

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
  /**
   * Called when a daemon begins to work and before it sleeps, for CPUs that daemons share with user threads: a thread
   * inside an enclave has to leave it before anybody else runs there. Default: nothing.
   */
  readonly onDaemon?: (thread: Thread, isRunning: boolean) => void;
}

/** A thread that will run {@link Ksgxd.main}. */
export interface DaemonOptions {
  /** Id of the thread. */
  readonly thread: ThreadId;
  /**
   * Node whose free pages the daemon watches and whose pages it reclaims, if the lists keep nodes apart. Default: all
   * nodes, as in Linux. A pool that counts per node is needed.
   */
  readonly node?: NodeId;
}

/** Settings of the reclaimer. */
export interface ReclaimerOptions {
  /** Pages per batch (Linux `SGX_NR_TO_SCAN`, 16). */
  readonly batchPages: number;
  /** Daemons (Linux `ksgxd`, one). Either all watch all nodes or each watches one of its own. */
  readonly daemons: readonly DaemonOptions[];
  /**
   * A batch over everything goes on with further rounds until so many pages were looked at, or a round found none
   * (cgroup series v17: 16). Default: 0, one round, as Linux.
   */
  readonly scanPages?: number;
}

/**
 * Decides when batches run: in the context of an allocation, or in a daemon (Linux `ksgxd`), which sleeps
 * until it is woken and fewer than the high mark are free.
 */
export class Ksgxd implements Reclaimer {
  readonly daemons: readonly ThreadId[];
  readonly #components: ReclaimerComponents;
  readonly #daemons: readonly Daemon[];
  readonly #chunks: Chunks;
  readonly #batchPages: number;
  readonly #scanPages: number;
  readonly #isPerNode: boolean;

  constructor(options: ReclaimerOptions, components: ReclaimerComponents) {
    const { batchPages, daemons, scanPages = 0 } = options;
    checkReclaimer(options);
    this.daemons = Object.freeze(daemons.map(({ thread }) => thread));
    this.#components = components;
    this.#daemons = daemons.map(({ thread, node = NONE }) => {
      return new Daemon(thread, node, components.locks.waitQueue('ksgxd_waitq'), batchPages);
    });
    this.#chunks = new Chunks(batchPages);
    this.#batchPages = batchPages;
    this.#scanPages = scanPages;
    this.#isPerNode = (daemons[0]?.node ?? NONE) !== NONE;
  }

  nothingReclaimable(thread: Thread): Routine<boolean> {
    return this.#components.lists.isEmpty(thread, 0);
  }

  *batch(thread: Thread, request?: ReclaimRequest): Routine<number> {
    const chunk = this.#chunks.take(request?.maxPages ?? this.#batchPages);
    const wish = request ?? chunk.request;
    if (request === undefined) {
      wish.lookedAt = 0;
      wish.evicted = 0;
    }
    const isDirect = !this.daemons.includes(thread.id);
    let freed = 0;
    for (let before = -1; wish.lookedAt > before; ) {
      before = wish.lookedAt;
      freed += yield* this.#components.batch.run(thread, wish, chunk.victims, isDirect);
      if (wish.target !== 0 || wish.lookedAt >= this.#scanPages) break;
    }
    this.#chunks.give(chunk);
    return freed;
  }

  freeReadingOn(node: NodeId): Op {
    const { pool } = this.#components;
    return this.#watched(node) === NONE ? pool.freeReading : pool.freeReadingOn(node);
  }

  isLow(thread: Thread, node: NodeId): boolean {
    const { pool, wake } = this.#components;
    const watched = this.#watched(node);
    return wake.shouldWake(pool.freeCount(thread, watched), watched);
  }

  *wakeIfUseful(thread: Thread, node: NodeId): Routine<void> {
    const watched = this.#watched(node);
    if (yield* this.#components.lists.isEmpty(thread, 0, watched)) return;
    for (const daemon of this.#daemons) {
      if (watched === NONE || daemon.node === watched) this.#wake(thread, daemon);
    }
  }

  /** Wakes every daemon, which then looks at its condition. `isCounted`: as an allocation does. */
  wakeUp(thread: Thread, isCounted = true): void {
    for (const daemon of this.#daemons) this.#wake(thread, daemon, isCounted);
  }

  /**
   * A daemon's main loop; never returns. Tested before each sleep, so once awake it runs batch after batch
   * until the high mark is reached or nothing is left.
   *
   * @param thread - one of {@link daemons}
   * @param boot what the daemon does first, such as sanitizing
   */
  *main(thread: Thread, boot: Routine<unknown>): Routine<never> {
    const daemon = this.#daemonOf(thread);
    this.#runs(thread, true);
    yield* boot;
    for (;;) {
      daemon.queue.prepare(thread);
      while (!(yield* this.#shouldContinue(thread, daemon.node))) {
        this.#runs(thread, false);
        yield* daemon.queue.sleep(thread);
        this.#runs(thread, true);
        daemon.queue.prepare(thread);
      }
      daemon.queue.finish(thread);
      yield* this.batch(thread, daemon.nextRequest());
      if (thread.turn('ksgxd', 0)) yield thread.changeWaiting;
    }
  }

  #runs(thread: Thread, isRunning: boolean): void {
    this.#components.onDaemon?.(thread, isRunning);
    this.#components.probe?.daemonRuns(thread.id, isRunning);
  }

  #wake(thread: Thread, daemon: Daemon, isCounted = true): void {
    const wasAsleep = daemon.queue.wake(thread);
    if (isCounted) this.#components.probe?.daemonWoken(thread.id, daemon.thread, wasAsleep);
  }

  /** Node that is looked at when `node` is asked about: daemons of the whole machine look at nothing else. */
  #watched(node: NodeId): NodeId {
    return this.#isPerNode ? node : NONE;
  }

  #daemonOf(thread: Thread): Daemon {
    const daemon = this.#daemons.find((candidate) => candidate.thread === thread.id);
    if (daemon !== undefined) return daemon;
    throw new MisuseError(`Thread ${thread.id} is no daemon of this reclaimer.`, [
      `daemons: ${this.daemons.join(', ')}`,
    ]);
  }

  *#shouldContinue(thread: Thread, node: NodeId): Routine<boolean> {
    const { lists, pool, wake } = this.#components;
    if (thread.spend(Cost.STEP) > thread.limit) {
      yield node === NONE ? pool.freeReading : pool.freeReadingOn(node);
    }
    if (!wake.shouldContinue(pool.freeCount(thread, node), node)) return false;
    return !(yield* lists.isEmpty(thread, 0, node));
  }
}

/** One daemon: what it watches, and what it sleeps on. */
class Daemon {
  readonly thread: ThreadId;
  readonly node: NodeId;
  readonly queue: WaitQueue;
  readonly #request: ReclaimRequest;

  constructor(thread: ThreadId, node: NodeId, queue: WaitQueue, batchPages: number) {
    this.thread = thread;
    this.node = node;
    this.queue = queue;
    this.#request = { target: 0, maxPages: batchPages, node, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
  }

  nextRequest(): ReclaimRequest {
    this.#request.lookedAt = 0;
    this.#request.evicted = 0;
    return this.#request;
  }
}

function checkReclaimer({ batchPages, daemons, scanPages = 0 }: ReclaimerOptions): void {
  if (!Number.isInteger(batchPages) || batchPages < 1) {
    throw new MisuseError(`A batch must be a whole number of pages, at least 1, not ${batchPages}.`);
  }
  if (!Number.isInteger(scanPages) || scanPages < 0) {
    throw new MisuseError(`A scan must be a whole number of pages from 0 up, not ${scanPages}.`);
  }
  const nodes = daemons.map(({ node = NONE }) => node);
  const areShared = nodes.every((node) => node === NONE);
  const haveOwn = new Set(nodes).size === nodes.length && !nodes.includes(NONE);
  if (daemons.length > 0 && (areShared || haveOwn)) return;
  throw new MisuseError('A reclaimer needs daemons that all watch all nodes, or one for each node.', [
    `given: ${nodes.map((node) => (node === NONE ? 'all nodes' : `node ${node}`)).join(', ') || 'none'}`,
  ]);
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

  override *batch(thread: Thread, request?: ReclaimRequest): Routine<number> {
    const { begun, ended } = this.batches;
    if (thread.spend(Cost.STEP) > thread.limit) yield begun.adding;
    begun.add(thread, 1);
    const freed = yield* super.batch(thread, request);
    if (thread.spend(Cost.STEP) > thread.limit) yield ended.adding;
    ended.add(thread, 1);
    return freed;
  }
}

/** Makes a reclaimer with its daemon's main loop. */
export function createReclaimer(options: ReclaimerOptions, components: ReclaimerComponents): Ksgxd {
  return new Ksgxd(options, components);
}
