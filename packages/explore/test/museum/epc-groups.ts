import type { CgroupTree, EpcCgroupOptions, EpcCgroups } from '@epckit/cgroup';
import {
  CGROUP_MOUNT,
  checkEpcCgroups,
  createCgroupTree,
  createEpcCgroups,
  createMiscController,
  EpcUse,
} from '@epckit/cgroup';
import { createFrameTable } from '@epckit/frames';
import type {
  EvictionPolicy,
  FrameTable,
  Lock,
  Op,
  PageIndex,
  PageOwner,
  Reclaimer,
  ReclaimRequest,
  Routine,
  Thread,
} from '@epckit/interface';
import { FrameFlag, InvariantViolation, Killed, NONE, OwnerKind, Pin, Verdict } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import type { Case, World } from '../../src/index.js';

const PAGE = 4096;
const KIND = OwnerKind.FIRST_CUSTOM;

/** What a scene is made of. */
export interface EpcGroupsOptions {
  readonly design: EpcCgroupOptions;
  readonly epcPages: number;
  /** In which order a page is uncharged and becomes free. Default: uncharged first. */
  readonly isFreedFirst?: boolean;
}

/** The EPC engine with two CPUs, a pool, a reclaimer and an owner of a few lines each, under the checking mode. */
export class EpcGroupsScene {
  readonly machine: Machine;
  readonly frames: FrameTable;
  readonly tree: CgroupTree;
  readonly engine: EpcCgroups;
  readonly threads: readonly MachineThread[];
  readonly reclaimer: Reclaimer;
  /** Group that each CPU charges. */
  readonly current: number[] = [0, 0];
  readonly #options: EpcGroupsOptions;
  readonly #free: number;
  readonly #poolLock: Lock;

  constructor(options: EpcGroupsOptions) {
    this.#options = options;
    this.machine = createMachine({ cpus: [{ node: 0 }, { node: 0 }], checking: true });
    const { machine } = this;
    this.threads = [0, 1].map((cpu) => machine.createThread({ name: `cpu ${cpu}`, cpu }));
    this.frames = createFrameTable(
      { sections: [{ node: 0, pageCount: options.epcPages }] },
      { objects: machine.objects, monitor: machine.checking },
    );
    const { frames } = this;
    this.#free = frames.createList('free');
    this.#poolLock = machine.spinLock('pool.lock');
    frames.appendAll(this.#free);
    for (let page = 0; page < options.epcPages; page++) frames.setFlags(page, FrameFlag.IS_FREE);
    const controller = createMiscController(
      { capacities: { sgx_epc: 2 ** 20 } },
      { locks: machine, probe: null },
    );
    this.tree = createCgroupTree({ controller, locks: machine });
    const owners = { register: () => {}, of: () => owner };
    this.engine = createEpcCgroups(options.design, {
      controller,
      current: { getCurrent: (thread) => this.#getCurrent(thread) },
      frames,
      locks: machine,
      owners,
      policy: fifo,
      useOf: () => EpcUse.REGULAR,
      probe: null,
    });
    this.reclaimer = this.#createReclaimer();
    this.engine.connect(this.reclaimer);
  }

  thread(cpu: number): MachineThread {
    return this.threads[cpu] as MachineThread;
  }

  run<T>(routine: Routine<T>): T {
    return this.machine.run(this.thread(0), routine);
  }

  /** mkdir -p with a limit in pages. @returns group */
  group(path: string, pages?: number): number {
    const full = `${CGROUP_MOUNT}${path}`;
    this.run(this.tree.mkdirAll(this.thread(0), full));
    if (pages !== undefined) {
      this.run(this.tree.files.write(this.thread(0), `${full}/misc.max`, `sgx_epc ${pages * PAGE}`));
    }
    const directory = this.tree.directory(full);
    if (typeof directory === 'number') throw new Error(`no ${path}`);
    return directory.effectiveGroup.id;
  }

  /** Gives `group` this many reclaimable pages. */
  fill(group: number, pages: number): PageIndex[] {
    this.current[0] = group;
    return Array.from({ length: pages }, () => this.run(this.alloc(this.thread(0), true)));
  }

  /** Charges, takes a free page and makes it reclaimable. @returns page or negated errno */
  *alloc(thread: Thread, mayReclaim: boolean): Routine<number> {
    const { charge, lists } = this.engine;
    const group = yield* charge.charge(thread, mayReclaim);
    if (group < 0) return group;
    while (this.#poolLock.mustWait(thread)) yield this.#poolLock.acquire;
    const page = this.frames.first(this.#free);
    if (page !== NONE) {
      this.frames.unlink(page);
      this.frames.setFlags(page, 0);
    }
    this.#poolLock.release(thread);
    if (page === NONE) {
      yield* charge.cancel(thread, group);
      return -12;
    }
    this.frames.setOwner(page, KIND, 0, 0);
    yield* charge.assign(thread, page, group, KIND, 0);
    yield* lists.mark(thread, page);
    return page;
  }

  /** Frees a page that nobody else can have. */
  *free(thread: Thread, page: PageIndex): Routine<void> {
    const { charge } = this.engine;
    const isFreedFirst = this.#options.isFreedFirst ?? false;
    if (!isFreedFirst) yield* charge.uncharge(thread, page);
    this.frames.setOwner(page, OwnerKind.NONE, NONE, NONE);
    while (this.#poolLock.mustWait(thread)) yield this.#poolLock.acquire;
    this.frames.setFlags(page, FrameFlag.IS_FREE);
    this.frames.append(this.#free, page);
    this.#poolLock.release(thread);
    if (isFreedFirst) yield* charge.uncharge(thread, page);
  }

  violations(): string[] {
    return checkEpcCgroups(this.engine, this.frames, true).map(({ rule, message }) => `${rule}: ${message}`);
  }

  *#getCurrent(thread: Thread): Routine<number> {
    const group = this.current[thread.cpu] as number;
    yield* this.engine.groups.controller.get(thread, group);
    return group;
  }

  /** Takes pages and frees them. */
  #createReclaimer(): Reclaimer {
    const begun = this.machine.sharedNumber('batches begun', 0);
    const ended = this.machine.sharedNumber('batches ended', 0);
    const { lists } = this.engine;
    const scene = this;
    return {
      nothingReclaimable: (thread) => lists.isEmpty(thread, 0),
      *batch(thread: Thread, request?: ReclaimRequest): Routine<number> {
        const wish = request ?? { target: 0, maxPages: 16, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
        if (thread.clock > thread.limit) yield begun.adding;
        begun.add(thread, 1);
        const victims = new Int32Array(wish.maxPages);
        const count = yield* lists.isolate(thread, wish, victims);
        for (const page of victims.subarray(0, count)) {
          if (thread.clock > thread.limit) yield scene.frames.flagsAt(page, 1);
          scene.frames.setFlags(page, scene.frames.peekFlags(page) & ~FrameFlag.TRACKED);
          yield* scene.free(thread, page);
        }
        wish.evicted += count;
        if (thread.clock > thread.limit) yield ended.adding;
        ended.add(thread, 1);
        return count;
      },
      freeReadingOn: (): Op => 0,
      isLow: () => false,
      *wakeIfUseful(): Routine<void> {},
      daemons: [],
      batches: { begun, ended },
    };
  }
}

/** A case of such a scene: what runs at the same time, what to tell of the end, what is wrong with it. */
export function groupsCase(
  name: string,
  options: EpcGroupsOptions,
  build: (scene: EpcGroupsScene) => {
    readonly routines: readonly Routine<unknown>[];
    state(): string;
    readonly hopes?: () => string[];
  },
): Case {
  return {
    name,
    setup: (): World => {
      const scene = new EpcGroupsScene(options);
      const { routines, state, hopes } = build(scene);
      routines.forEach((routine, cpu) => void scene.machine.start(scene.thread(cpu), routine));
      const check = (): void => {
        const found = [...scene.violations(), ...(hopes?.() ?? [])];
        if (found.length > 0) throw new InvariantViolation(found[0] as string, found);
      };
      return { machine: scene.machine, state, check };
    },
  };
}

/** First in, first out. */
export function fifo({ frames }: { readonly frames: FrameTable }): EvictionPolicy {
  const list = frames.createList('reclaimable');
  return {
    insert: (page) => frames.append(list, page),
    remove: (page) => frames.unlink(page),
    isolate(victims, max) {
      let count = 0;
      for (let page = frames.first(list); page !== NONE && count < max; page = frames.first(list)) {
        frames.unlink(page);
        victims[count++] = page;
      }
      return count;
    },
    putBack: (page) => frames.append(list, page),
    isEmpty: () => frames.first(list) === NONE,
    oldest: () => frames.first(list),
    after: (page) => frames.next(page),
  };
}

/** Lets every page go; it is never torn down. */
const owner: PageOwner = {
  kind: KIND,
  pinAt: () => 0,
  get: () => Pin.PINNED,
  *young(): Routine<boolean> {
    return false;
  },
  prepare: unused,
  block: unused,
  write: unused,
  putAt: () => 0,
  put: () => false,
  release: unused,
  *kill(): Routine<typeof Killed.REFUSED> {
    return Killed.REFUSED;
  },
};

function unused(): never {
  throw new Error(`The reclaimer of the scene does not ask; a page is ${Verdict.EVICTED} at once.`);
}
