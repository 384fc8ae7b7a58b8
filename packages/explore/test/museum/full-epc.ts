import type { Enclave } from '@epckit/enclave';
import { checkEnclaves } from '@epckit/enclave';
import { checkFrames } from '@epckit/frames';
import { checkEpcm } from '@epckit/hardware';
import type { PageIndex, Probe, Routine } from '@epckit/interface';
import { Access, InvariantViolation, PageType, Prot } from '@epckit/interface';
import type { Checking, MachineThread } from '@epckit/machine';
import { checkPools } from '@epckit/numa';
import type { Epc, Preset, UserCpu } from 'epckit';
import { AccessOutcome, createAccessRecord, createEpc, linux6 } from 'epckit';
import type { Case, Mark, World } from '../../src/index.js';
import { silentProbe } from './silent-probe.js';

/** Mark: the frame of the evicted page has a new owner while its batch is not over. */
export const REUSED = 'frame reused during the batch';

/** Mark: an access got SIGBUS. */
export const SIGBUS = 'SIGBUS';

/** What is searched, and how it is judged. */
export interface FullEpcOptions {
  /** Recipes to replace. */
  readonly recipes?: Preset;
  /** Is SIGBUS an error? The page exists and its frame comes. Default: false, as in Linux (L-01). */
  readonly refusesSigbus?: boolean;
  /** Judge references alone: free pages keep their owner in this variant. Default: every invariant. */
  readonly onlyReferences?: boolean;
  /** Are unordered accesses errors? Default: true. */
  readonly reportsRaces?: boolean;
}

/**
 * A full EPC of four pages: the version arrays of enclaves X and Y, X's SECS and X's only page. CPU 0 runs one
 * batch of the reclaimer, which frees X's page and then its SECS; CPU 1 accesses the evicted page of Y, whose
 * SECS must be loaded first.
 */
export function fullEpcCase(name: string, options: FullEpcOptions = {}): Case {
  return { name, setup: (mark) => new FullEpc(mark, options).world() };
}

class FullEpc {
  readonly #epc: Epc;
  readonly #mark: Mark;
  readonly #options: FullEpcOptions;
  readonly #x: Enclave;
  readonly #y: Enclave;
  /** EPC page that holds X's page. */
  readonly #victim: PageIndex;
  #isReclaiming = false;

  constructor(mark: Mark, options: FullEpcOptions) {
    this.#mark = mark;
    this.#options = options;
    this.#epc = createEpc({
      ...linux6,
      machine: { cpus: [{ node: 0 }, { node: 0 }], sections: [{ node: 0, pageCount: 4 }] },
      checking: true,
      // Nobody wakes the daemon: the batch on CPU 0 is the only reclaimer.
      reclaim: { lowPages: 0, highPages: 0 },
      probe: this.#probe(),
      ...options.recipes,
    });
    (this.#epc.machine.checking as Checking).reportsRaces = options.reportsRaces ?? true;
    this.#epc.boot();
    this.#y = this.#build('Y', this.#cpu(1));
    this.#run(this.#cpu(1), this.#epc.reclaimer.batch(this.#cpu(1).thread));
    this.#x = this.#build('X', this.#cpu(0));
    this.#victim = this.#x.records.epc(0);
    if (this.#epc.pools.free !== 0) throw new InvariantViolation('The EPC is not full.');
  }

  world(): World {
    const { machine, reclaimer } = this.#epc;
    const [first, second] = [this.#cpu(0).thread, this.#cpu(1).thread];
    machine.start(first, this.#reclaim(reclaimer.batch(first)));
    machine.start(second, this.#access());
    return { machine, check: () => this.#check(), state: () => this.#state() };
  }

  *#reclaim(batch: Routine<number>): Routine<void> {
    this.#isReclaiming = true;
    yield* batch;
    this.#isReclaiming = false;
  }

  *#access(): Routine<void> {
    const cpu = this.#cpu(1);
    const record = createAccessRecord();
    const forEver = Number.POSITIVE_INFINITY;
    const outcome = yield* this.#epc.accesses.access(cpu, this.#y, 0, Access.READ, forEver, record);
    if (outcome !== AccessOutcome.SIGBUS) return;
    this.#mark(SIGBUS);
    if (this.#options.refusesSigbus === true) throw new InvariantViolation('SIGBUS for a page that exists.');
  }

  /** The window: the victim's frame has a new owner while the batch that freed it is not over. */
  #probe(): Probe {
    return {
      ...silentProbe,
      pageAllocated: (_thread, page) => {
        if (this.#isReclaiming && page === this.#victim) this.#mark(REUSED);
      },
    };
  }

  #build(name: string, cpu: UserCpu): Enclave {
    const { driver } = this.#epc;
    const { thread } = cpu;
    const process = this.#epc.createProcess(name);
    const enclave = driver.open();
    const range = { pageCount: 2, basePage: driver.chooseBasePage(2), attributes: 4 };
    const page = { page: 0, count: 1, type: PageType.REG, prot: Prot.R | Prot.W, isMeasured: false };
    this.#run(cpu, cpu.load(process));
    this.#run(cpu, driver.create.run(thread, enclave, range));
    this.#run(cpu, driver.addPages.run(thread, process.mm, enclave, page));
    this.#run(cpu, driver.init.run(thread, enclave, {}));
    this.#run(cpu, driver.mapper.map(thread, process.mm, enclave, { start: 0, end: 1, prot: page.prot }));
    return enclave;
  }

  #run<T>(cpu: UserCpu, routine: Routine<T>): T {
    return this.#epc.machine.run(cpu.thread as MachineThread, routine);
  }

  #cpu(id: number): UserCpu {
    return this.#epc.cpus[id] as UserCpu;
  }

  /** Invariants of a machine at rest. */
  #check(): void {
    const broken =
      this.#options.onlyReferences === true ? this.#brokenReferences() : this.#brokenInvariants();
    if (broken.length === 0) return;
    throw new InvariantViolation('The final state is wrong.', broken);
  }

  #brokenInvariants(): string[] {
    const { driver, frames, hardware, pools } = this.#epc;
    const broken = [
      ...checkEnclaves(driver, frames, hardware),
      ...checkFrames(frames),
      ...checkEpcm(hardware),
      ...checkPools(pools, frames),
    ];
    return broken.map((violation) => JSON.stringify(violation));
  }

  /** I-7: one reference for the file, one per address space, none for a batch that is over. */
  #brokenReferences(): string[] {
    const names = new Map([
      [this.#x, 'X'],
      [this.#y, 'Y'],
    ]);
    return [...names]
      .filter(([enclave]) => enclave.refs.value !== 1 + enclave.addressSpaces().length)
      .map(
        ([enclave, name]) =>
          `enclave ${name} has ${enclave.refs.value} references, its file and process hold 2`,
      );
  }

  #state(): string {
    const enclaves = [this.#x, this.#y].map(({ records, secs, refs }) => [records.epc(0), secs, refs.value]);
    return JSON.stringify([enclaves, this.#epc.pools.free]);
  }
}
