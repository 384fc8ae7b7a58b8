import { checkFrames, createFrameTable } from '@epckit/frames';
import { createSgxHardware } from '@epckit/hardware';
import type { FrameTable, PageAllocator, Probe, Routine } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { checkPools, createNodePools } from '@epckit/numa';
import { PatientAllocator, ReclaimingAllocator } from '@epckit/numa/recipes';
import { createOwnerRegistry, secondChance, watermarks } from '@epckit/reclaim';
import { Batch, CountingKsgxd } from '@epckit/reclaim/recipes';
import type {
  CgroupTree,
  EpcCgroupOptions,
  EpcCgroups,
  EpcWalkObserver,
  FileListener,
  LastRefusal,
  MiscController,
} from '../../src/index.js';
import {
  CGROUP_MOUNT,
  checkCgroups,
  checkEpcCgroups,
  createCgroupTree,
  createEpcCgroups,
  createMiscController,
  epckitCgroups,
  Resource,
} from '../../src/index.js';
import { OwnSubtreeReclaimer } from '../../src/recipes.js';
import type { Toy } from './toy-owner.js';
import { GUEST, TOY, ToyOwner, useOf } from './toy-owner.js';

export const PAGE = 4096;

/** What a stack is made of. Defaults: 64 pages, 2 CPUs, the default design, a daemon that does not wake. */
export interface EpcStackOptions {
  readonly epcPages?: number;
  readonly cpus?: number;
  readonly design?: EpcCgroupOptions;
  readonly lowPages?: number;
  readonly checking?: boolean;
  readonly observer?: EpcWalkObserver;
  readonly listener?: FileListener;
  /** Has the allocator only the subtree of the charging group to reclaim from? */
  readonly reclaimsOwnSubtree?: boolean;
}

/** Real pools, reclaimer, frame table and controller around the engine; owners are toys. */
export class EpcStack {
  readonly machine: Machine;
  readonly frames: FrameTable;
  readonly controller: MiscController;
  readonly tree: CgroupTree;
  readonly engine: EpcCgroups;
  readonly allocator: PageAllocator;
  readonly reclaimer: CountingKsgxd;
  readonly toys: ToyOwner;
  readonly guests: ToyOwner;
  readonly threads: readonly MachineThread[];
  readonly worker: MachineThread;
  readonly ksgxd: MachineThread;
  /** Events of the probe. */
  readonly killed: string[] = [];
  readonly reclaims: { target: number; lookedAt: number; evicted: number }[] = [];
  readonly #pools: ReturnType<typeof createNodePools>;
  #pids = 100;

  constructor(options: EpcStackOptions = {}) {
    const { epcPages = 64, cpus = 2, design = epckitCgroups, lowPages = 0 } = options;
    this.machine = createMachine({
      cpus: Array.from({ length: cpus + 2 }, () => ({ node: 0 })),
      checking: options.checking ?? false,
    });
    const { machine } = this;
    const { objects, checking: monitor } = machine;
    this.threads = Array.from({ length: cpus }, (_, cpu) =>
      machine.createThread({ name: `cpu ${cpu}`, cpu }),
    );
    this.ksgxd = machine.createThread({ name: 'ksgxd', cpu: cpus, isKernel: true });
    this.worker = machine.createThread({ name: 'sgx_cg_wq', cpu: cpus + 1, isKernel: true });
    this.frames = createFrameTable({ sections: [{ node: 0, pageCount: epcPages }] }, { objects, monitor });
    const { frames } = this;
    const probe = this.#probe();
    const hardware = createSgxHardware(
      { pageCount: epcPages, cpuCount: cpus + 2, tcsState: false },
      { objects, monitor, probe },
    );
    this.#pools = createNodePools({}, { frames, locks: machine, hardware, probe });
    const pool = this.#pools;
    this.controller = createMiscController(
      { capacities: { sgx_epc: epcPages * PAGE } },
      { locks: machine, probe, listener: options.listener ?? null },
    );
    const { controller } = this;
    this.tree = createCgroupTree({ controller, locks: machine });
    const owners = createOwnerRegistry();
    this.toys = new ToyOwner(TOY, { frames, locks: machine });
    this.guests = new ToyOwner(GUEST, { frames, locks: machine });
    owners.register(this.toys);
    owners.register(this.guests);
    this.engine = createEpcCgroups(design, {
      controller,
      current: this.tree.processes,
      frames,
      locks: machine,
      owners,
      policy: secondChance(),
      useOf,
      probe,
      observer: options.observer ?? null,
    });
    const { lists, charge } = this.engine;
    const batch = new Batch({ frames, lists, owners, pool, charge, probe });
    const wake = watermarks({ low: lowPages, high: 2 * lowPages });
    this.reclaimer = new CountingKsgxd(
      { batchPages: 16, daemons: [{ thread: this.ksgxd.id }], scanPages: design.roundPages },
      { lists, batch, pool, wake, locks: machine, probe },
    );
    this.engine.connect(this.reclaimer);
    const reclaimer =
      options.reclaimsOwnSubtree === true
        ? new OwnSubtreeReclaimer(this.reclaimer, this.engine, this.tree.processes)
        : this.reclaimer;
    const Allocator = options.reclaimsOwnSubtree === true ? ReclaimingAllocator : PatientAllocator;
    this.allocator = new Allocator({ frames, pool, reclaimer, charge });
    for (const owner of [this.toys, this.guests]) {
      owner.allocator = this.allocator;
      owner.lists = lists;
    }
    machine.changes = () => frames.changes + controller.changes;
    this.run(this.#pools.sanitize(this.thread()));
  }

  /** The daemon and the worker run from now on. */
  startKernelThreads(): void {
    const { machine, ksgxd, worker } = this;
    machine.start(worker, this.engine.workers.main(worker));
    machine.start(ksgxd, this.reclaimer.main(ksgxd, nothing()));
    machine.runKernelThreads();
  }

  thread(cpu = 0): MachineThread {
    return this.threads[cpu] as MachineThread;
  }

  run<T>(routine: Routine<T>, cpu = 0): T {
    return this.machine.run(this.thread(cpu), routine);
  }

  /** mkdir -p with a limit in pages. */
  group(path: string, pages?: number): number {
    const full = `${CGROUP_MOUNT}${path}`;
    const made = this.run(this.tree.mkdirAll(this.thread(), full));
    if (made !== 0) throw new Error(`mkdir ${path}: ${made}`);
    if (pages !== undefined) this.limit(path, pages * PAGE);
    const directory = this.tree.directory(full);
    if (typeof directory === 'number') throw new Error(`no ${path}`);
    return directory.effectiveGroup.id;
  }

  limit(path: string, bytes: number): number {
    return this.write(`${path}/misc.max`, `sgx_epc ${bytes}`);
  }

  write(path: string, text: string): number {
    return this.run(this.tree.files.write(this.thread(), `${CGROUP_MOUNT}${path}`, text));
  }

  read(path: string): string | number {
    return this.tree.files.peek(`${CGROUP_MOUNT}${path}`);
  }

  rmdir(path: string): number {
    return this.run(this.tree.rmdir(this.thread(), `${CGROUP_MOUNT}${path}`));
  }

  /** A new process in a directory runs on the CPU from now on. @returns pid */
  enter(path: string, cpu = 0): number {
    const pid = this.#pids++;
    this.tree.addProcess(pid, `${CGROUP_MOUNT}${path}`);
    this.tree.processes.setCurrent(this.thread(cpu), pid);
    return pid;
  }

  /** Loads records of a toy one by one. @returns 0, or the first negated errno */
  load(toy: Toy, records: readonly number[], { mayReclaim = true, cpu = 0, owner = this.toys } = {}): number {
    for (const record of records) {
      const result = this.run(owner.load(this.thread(cpu), toy, record, mayReclaim), cpu);
      if (result !== 0) return result;
    }
    return 0;
  }

  /** A toy of a process in `path` with this many pages, all old. */
  tenant(path: string, pages: number, owner = this.toys): Toy {
    this.enter(path);
    const toy = owner.create();
    const result = this.load(toy, range(pages), { owner });
    if (result !== 0) throw new Error(`tenant ${path}: ${result}`);
    toy.young.clear();
    return toy;
  }

  usage(group: number): number {
    return (this.controller.group(group)?.counters(Resource.SGX_EPC).usage.value ?? 0) / PAGE;
  }

  /** Why the last charge on a CPU failed. */
  refusal(cpu = 0): LastRefusal {
    const { reason, group } = this.engine.charge.lastRefusal(this.thread(cpu));
    return { reason, group };
  }

  /** What the engine's own checker says. */
  epcViolations(isAtRest = false): string[] {
    return checkEpcCgroups(this.engine, this.frames, isAtRest).map(
      ({ rule, message }) => `${rule}: ${message}`,
    );
  }

  violations(): string[] {
    return [
      ...this.epcViolations(true),
      ...checkCgroups(this.tree).map(({ rule, message }) => `${rule}: ${message}`),
      ...checkFrames(this.frames).map(({ problem }) => problem),
      ...checkPools(this.#pools, this.frames).map((violation) => JSON.stringify(violation)),
    ];
  }

  #probe(): Probe {
    const none = (): void => {};
    return new Proxy({} as Probe, {
      get: (_, name) => {
        if (name === 'victimKilled')
          return (_t: number, k: number, o: number, g: number) => this.killed.push(`${k}.${o} for ${g}`);
        if (name === 'groupReclaimed') {
          return (_t: number, target: number, lookedAt: number, evicted: number) =>
            this.reclaims.push({ target, lookedAt, evicted });
        }
        return none;
      },
    });
  }
}

export function range(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, index) => from + index);
}

function* nothing(): Routine<void> {}
