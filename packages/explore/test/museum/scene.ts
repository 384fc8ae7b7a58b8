import type { Enclave, FaultResultId } from '@epckit/enclave';
import { checkEnclaves } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { checkEpcm } from '@epckit/hardware';
import type { PageTable, Probe, Routine } from '@epckit/interface';
import { Access, InvariantViolation, PageType, Prot } from '@epckit/interface';
import type { Checking, MachineThread } from '@epckit/machine';
import { checkPools } from '@epckit/numa';
import type { AccessOutcomeId, Epc, FailureSource, Preset, Process, UserCpu } from 'epckit';
import { AccessOutcome, createAccessRecord, createEpc, linux6 } from 'epckit';
import type { Case, Mark, World } from '../../src/index.js';

/** What a scene is set up with. */
export interface SceneOptions {
  /** Pages of the EPC. Default: 8. */
  readonly epcPages?: number;
  /** Pages of a batch. Default: 16. */
  readonly batchPages?: number;
  /** The daemon is woken while fewer pages are free. Default: 0, nobody wakes it. */
  readonly lowPages?: number;
  /** Recipes. Default: Linux 6.12. */
  readonly preset?: Preset;
  /** Calls that fail. Default: none. */
  readonly failures?: FailureSource;
  /** Listens to trace points. Default: nobody. */
  readonly probe?: Probe;
  /** Are unordered accesses errors? Default: true. */
  readonly reportsRaces?: boolean;
}

/** An enclave to build: REG pages from 0, and a TCS page after them. */
export interface Built {
  readonly pages: number;
  readonly hasTcs?: boolean;
  /** Pages of the range. Default: 2. */
  readonly range?: number;
  /** Rights of pages and mapping. Default: R and W. */
  readonly prot?: number;
}

/** One process on two CPUs, and enclaves in a small EPC. Unless told otherwise nobody wakes the daemon: batches are run by hand. */
export class Scene {
  readonly epc: Epc;
  readonly process: Process;

  constructor({ epcPages = 8, batchPages = 16, preset = linux6, ...rest }: SceneOptions = {}) {
    const { failures = null, probe = null, reportsRaces = true, lowPages = 0 } = rest;
    this.epc = createEpc({
      ...preset,
      machine: { cpus: [{ node: 0 }, { node: 0 }], sections: [{ node: 0, pageCount: epcPages }] },
      checking: true,
      reclaim: { batchPages, lowPages, highPages: lowPages },
      failures,
      probe,
    });
    (this.epc.machine.checking as Checking).reportsRaces = reportsRaces;
    this.epc.boot();
    this.process = this.epc.createProcess('P');
    this.run(this.cpu(0).load(this.process));
  }

  cpu(id: number): UserCpu {
    return this.epc.cpus[id] as UserCpu;
  }

  thread(cpu = 0): MachineThread {
    return this.cpu(cpu).thread;
  }

  /** Direct world: before the threads start, or instead of them. */
  run<T>(routine: Routine<T>, cpu = 0): T {
    return this.epc.machine.run(this.thread(cpu), routine);
  }

  /** One batch of the reclaimer. */
  batch(cpu = 0): Routine<number> {
    return this.epc.reclaimer.batch(this.thread(cpu));
  }

  /** An initialised enclave, mapped as a whole by the process. */
  build({ pages, hasTcs = false, range = 2, prot = Prot.R | Prot.W }: Built): Enclave {
    const { driver } = this.epc;
    const thread = this.thread();
    const { mm } = this.process;
    const enclave = driver.open();
    const source = { pageCount: range, basePage: driver.chooseBasePage(range), attributes: 4 };
    const data = { page: 0, count: pages, type: PageType.REG, prot, isMeasured: false };
    const tcs = { page: pages, count: 1, type: PageType.TCS, prot: 0, isMeasured: false };
    this.run(driver.create.run(thread, enclave, source));
    if (pages > 0) this.run(driver.addPages.run(thread, mm, enclave, data));
    if (hasTcs) this.run(driver.addPages.run(thread, mm, enclave, tcs));
    this.run(driver.init.run(thread, enclave, {}));
    this.run(driver.mapper.map(thread, mm, enclave, { start: 0, end: range, prot }));
    return enclave;
  }

  /** An access from outside until it is done; a page that the kernel or the EPCM refuses throws. */
  *access(cpu: number, enclave: Enclave, page: number): Routine<AccessOutcomeId> {
    const user = this.cpu(cpu);
    yield* user.load(this.process);
    const forEver = Number.POSITIVE_INFINITY;
    const record = createAccessRecord();
    const outcome = yield* this.epc.accesses.access(user, enclave, page, Access.READ, forEver, record);
    if (outcome === AccessOutcome.SIGBUS) throw new InvariantViolation('SIGBUS for a page that exists.');
    if (outcome === AccessOutcome.EPCM) throw new InvariantViolation('SIGSEGV for a page that exists.');
    return outcome;
  }

  /** One page fault. */
  *fault(cpu: number, enclave: Enclave, page: number): Routine<FaultResultId> {
    const { mm } = this.process;
    const thread = this.thread(cpu);
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const vma = mm.table(enclave.id)?.vmaOf(page);
    if (vma === undefined) throw new InvariantViolation('The page is not mapped.');
    const result = yield* this.epc.driver.faults.fault(thread, mm, vma, enclave, page);
    mm.lock.releaseRead(thread);
    return result;
  }

  /** Makes a page mapped and old, before the threads start. */
  touch(enclave: Enclave, page: number): void {
    this.run(this.fault(0, enclave, page));
    this.table(enclave).testAndClearYoung(this.thread(), page);
  }

  /** Page table of the process. */
  table(enclave: Enclave): PageTable {
    return this.process.mm.table(enclave.id) as PageTable;
  }

  /** Broken invariants of a machine at rest, in words. */
  broken(): string[] {
    const { driver, frames, hardware, pools } = this.epc;
    const found = [
      ...checkEnclaves(driver, frames, hardware),
      ...checkFrames(frames),
      ...checkEpcm(hardware),
      ...checkPools(pools, frames),
    ];
    return found.map((violation) => JSON.stringify(violation));
  }
}

/** A scene with what its threads do. */
export interface Play {
  readonly scene: Scene;
  /** One routine per CPU. */
  readonly routines: readonly Routine<unknown>[];
  /** Digest of the final state. */
  state?(): string;
  /** What is wrong in the end besides the invariants. */
  wrong?(): string[];
}

/** A scene as something to search. */
export function sceneCase(name: string, set: (mark: Mark) => Play): Case {
  return {
    name,
    setup: (mark): World => {
      const { scene, routines, state, wrong } = set(mark);
      routines.forEach((routine, cpu) => {
        scene.epc.machine.start(scene.thread(cpu), routine);
      });
      return {
        machine: scene.epc.machine,
        ...(state === undefined ? {} : { state }),
        check: () => {
          const found = [...(wrong?.() ?? []), ...scene.broken()];
          if (found.length > 0) throw new InvariantViolation(found[0] as string, found);
        },
      };
    },
  };
}
