// biome-ignore-all lint/correctness/useYield: a plain pool stops nowhere
import { createFrameTable } from '@epckit/frames';
import type {
  ChargeController,
  EvictionPolicy,
  FrameTable,
  ListId,
  PageIndex,
  PagePool,
  Probe,
  ReclaimLists,
  ReclaimRequest,
  Routine,
  SharedNumber,
  Thread,
} from '@epckit/interface';
import { Errno, FrameFlag, NONE, OwnerKind, Verdict } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import type { Ksgxd } from '../src/index.js';
import {
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '../src/index.js';
import type { BatchComponents } from '../src/recipes.js';
import { Batch } from '../src/recipes.js';
import { ScriptedOwner } from './scripted-owner.js';

/** What a fixture is made of. */
export interface FixtureOptions {
  /** Default: 16. */
  readonly pageCount?: number;
  /** Default: 4. */
  readonly batchPages?: number;
  readonly lowPages?: number;
  readonly highPages?: number;
  readonly hasCharge?: boolean;
  readonly createBatch?: (components: BatchComponents) => Batch;
  readonly checking?: boolean;
}

/** A reclaimer between a scripted owner and a pool that is a plain list. */
export class Fixture {
  readonly machine: Machine;
  readonly frames: FrameTable;
  readonly pool: PlainPool;
  readonly owner: ScriptedOwner;
  readonly policy: EvictionPolicy;
  readonly lists: ReclaimLists;
  readonly batch: Batch;
  readonly reclaimer: Ksgxd;
  readonly threads: readonly MachineThread[];
  readonly ksgxd: MachineThread;
  /** Calls of owner, pool and charge controller, and verdicts, in order. */
  readonly log: string[] = [];

  constructor(options: FixtureOptions = {}) {
    const cpus = [{ node: 0 }, { node: 0 }, { node: 0 }];
    this.machine = createMachine({ cpus, checking: options.checking ?? false });
    this.threads = [0, 1].map((cpu) => this.machine.createThread({ name: `task ${cpu}`, cpu }));
    this.ksgxd = this.machine.createThread({ name: 'ksgxd', cpu: 2, isKernel: true });
    const { objects, checking: monitor } = this.machine;
    const sections = [{ node: 0, pageCount: options.pageCount ?? 16 }];
    this.frames = createFrameTable({ sections }, { objects, monitor });
    const { frames, machine, log } = this;
    const locks = machine;
    this.owner = new ScriptedOwner(frames, log);
    this.pool = new PlainPool(frames, machine.sharedNumber('free pages', 0), log);
    const owners = createOwnerRegistry();
    owners.register(this.owner);
    this.policy = secondChance()({ frames });
    const probe = logProbe(log);
    this.lists = createReclaimLists({ frames, locks, owners, policy: this.policy, probe });
    const { lists, pool } = this;
    const charge = options.hasCharge === true ? logCharge(log, frames) : null;
    const parts = { frames, lists, owners, pool, charge, probe };
    this.batch = options.createBatch?.(parts) ?? new Batch(parts);
    const wake = watermarks({ low: options.lowPages ?? 0, high: options.highPages ?? 0 });
    const settings = { batchPages: options.batchPages ?? 4, daemons: [{ thread: this.ksgxd.id }] };
    this.reclaimer = createReclaimer(settings, { lists, batch: this.batch, pool, wake, locks, probe });
  }

  /** Thread of a user CPU. */
  thread(cpu = 0): MachineThread {
    return this.threads[cpu] as MachineThread;
  }

  /** Direct world: runs a routine on a user thread. */
  run<T>(routine: (thread: MachineThread) => Routine<T>, cpu = 0): T {
    return this.machine.run(this.thread(cpu), routine(this.thread(cpu)));
  }

  /** Gives pages to instance 1 of the scripted owner and marks them, oldest first. Nothing of it is logged. */
  mark(...pages: PageIndex[]): void {
    for (const page of pages) {
      this.frames.setOwner(page, this.owner.kind, 1, page);
      this.run((thread) => this.lists.mark(thread, page));
    }
    this.log.length = 0;
  }

  /** A request for pages of everybody. */
  request(maxPages: number): ReclaimRequest {
    return { target: 0, maxPages, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
  }

  /** Starts the daemon. */
  startDaemon(): void {
    this.machine.start(this.ksgxd, this.reclaimer.main(this.ksgxd, nothing()));
    this.machine.runKernelThreads();
  }

  /** Reclaimable pages from oldest to youngest. */
  reclaimable(): PageIndex[] {
    const pages: PageIndex[] = [];
    for (let page = this.lists.oldest(0); page !== NONE; page = this.lists.after(page)) pages.push(page);
    return pages;
  }

  /** Is the page tracked? */
  isTracked(page: PageIndex): boolean {
    return (this.frames.flags(page) & FrameFlag.TRACKED) !== 0;
  }
}

/** One free list without locks; pages are added at the tail. */
export class PlainPool implements PagePool {
  readonly nodes = [0];
  readonly freeReading: number;
  /** Called when a page has become visible. */
  afterGive: (page: PageIndex) => void = () => {};
  /** Does a free page forget its owner? Pools of 2018 did not. */
  forgetsOwner = true;
  readonly #frames: FrameTable;
  readonly #count: SharedNumber;
  readonly #list: ListId;
  readonly #log: string[];

  constructor(frames: FrameTable, count: SharedNumber, log: string[]) {
    this.#frames = frames;
    this.#count = count;
    this.#log = log;
    this.#list = frames.createList('free');
    this.freeReading = count.reading;
  }

  get free(): number {
    return this.#count.value;
  }

  freeOnNode(): number {
    return this.#frames.length(this.#list);
  }

  freeReadingOn(): number {
    return this.freeReading;
  }

  freeCount(thread: Thread): number {
    return this.#count.read(thread);
  }

  *take(thread: Thread): Routine<number> {
    const page = this.#frames.first(this.#list);
    if (page === NONE) return -Errno.ENOMEM;
    this.#frames.unlink(page);
    this.#frames.setFlags(page, 0);
    if (thread.clock > thread.limit) yield this.#count.adding;
    this.#count.add(thread, -1);
    return page;
  }

  *give(thread: Thread, page: PageIndex): Routine<void> {
    const isTracked = (this.#frames.flags(page) & FrameFlag.TRACKED) !== 0;
    this.#log.push(`give ${page}${isTracked ? ' tracked' : ''}`);
    if (this.forgetsOwner) this.#frames.setOwner(page, OwnerKind.NONE, NONE, NONE);
    this.#frames.append(this.#list, page);
    this.#frames.setFlags(page, FrameFlag.IS_FREE);
    if (thread.clock > thread.limit) yield this.#count.adding;
    this.#count.add(thread, 1);
    this.afterGive(page);
  }
}

function logProbe(log: string[]): Probe {
  const names = Object.fromEntries(Object.entries(Verdict).map(([name, value]) => [value, name]));
  const heard: Partial<Probe> = {
    reclaimVerdict: (_thread, page, verdict) => void log.push(`${names[verdict]} ${page}`),
    batchEnded: (_thread, isolated, evicted, direct) => {
      log.push(`batch ${isolated} ${evicted} ${direct ? 'direct' : 'daemon'}`);
    },
    daemonWoken: (_thread, _daemon, wasAsleep) => void log.push(wasAsleep ? 'woken' : 'woken already'),
    groupReclaimed: (_thread, target, lookedAt, evicted) => {
      log.push(`group ${target}: ${evicted} of ${lookedAt}`);
    },
    daemonRuns: (_daemon, running) => void log.push(running ? 'runs' : 'sleeps'),
  };
  return heard as Probe;
}

/** A controller that charges nothing and notes what is given back. */
function logCharge(log: string[], frames: FrameTable): ChargeController {
  return {
    *charge(): Routine<number> {
      return 0;
    },
    *cancel(): Routine<void> {},
    *assign(): Routine<void> {},
    *reclaimDirect(): Routine<void> {},
    refusedBy: () => NONE,
    *uncharge(_thread, page): Routine<void> {
      const group = frames.group(page);
      frames.setGroup(page, NONE);
      const isTracked = (frames.flags(page) & FrameFlag.TRACKED) !== 0;
      log.push(`uncharge group ${group}${isTracked ? ' tracked' : ''}`);
    },
  };
}

function* nothing(): Routine<void> {}
