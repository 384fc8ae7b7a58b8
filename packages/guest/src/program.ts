import type { Enclave } from '@epckit/enclave';
import type { AccessKind, AddressSpace, ObjectRegistry, PageTable, Routine } from '@epckit/interface';
import { Access, Attribute, Cost, EpckitError, EpcmCheck, Mode, op, PageType, Prot } from '@epckit/interface';
import type { GuestAccessId } from './accesses.js';
import { createGuestAccessRecord, GuestAccess } from './accesses.js';
import type { GuestKernel } from './guest-kernel.js';
import type { PageTrace } from './page-trace.js';
import { Entered, type VirtualCpu } from './virtual-cpu.js';
import type { VirtualMachine } from './virtual-machine.js';

/** What a program of a guest builds. */
export interface GuestProgramOptions {
  /** Name of the process. */
  readonly name: string;
  /** Pages with data; the TCS pages come after them. */
  readonly dataPages: number;
  /** Threads that can be inside at a time: TCS pages. Default: 1. */
  readonly threads?: number;
  /** Measure every page. Default: false. */
  readonly isMeasured?: boolean;
}

/** Why a program of a guest cannot go on. */
export class GuestProgramFailure extends EpckitError {
  constructor(program: string, step: string, what: string) {
    super('EPCKIT_GUEST_PROGRAM', `Program '${program}' of a guest has failed in ${step}: ${what}.`);
  }
}

/** Faults of one access after which a program is said to make no progress. */
const MAX_FAULTS = 100_000;
/** Range in which no enclave of a guest begins twice. */
const MIN_RANGE = 2;

/**
 * A program of a guest: a process with one enclave. It builds the enclave, replays page traces in it, builds it again
 * when the EPC was lost, and ends. All routines run on a virtual CPU, inside `VirtualMachine.onCpu`.
 */
export class GuestProgram {
  /** Name of the process. */
  readonly name: string;
  /** Process. */
  readonly mm: AddressSpace;
  /** References done by all threads. */
  accesses = 0;
  /** How often the enclave was built again because the EPC was lost. */
  rebuilds = 0;
  readonly #kernel: GuestKernel;
  readonly #options: Required<GuestProgramOptions>;
  readonly #costs: Float64Array;
  readonly #computing: number;
  #enclave: Enclave | null = null;

  constructor(vm: VirtualMachine, options: GuestProgramOptions, machine: ProgramMachine) {
    this.name = options.name;
    this.#kernel = vm.kernel;
    this.#options = { threads: 1, isMeasured: false, ...options };
    this.mm = vm.kernel.createProcess(options.name);
    this.#costs = machine.costs;
    this.#computing = op(machine.objects.range(`computation of ${vm.name}: ${options.name}`, 1), Mode.ADD);
  }

  /** The enclave. @throws GuestProgramFailure before it is built */
  get enclave(): Enclave {
    if (this.#enclave === null) throw this.#failed('a step before the build', 'there is no enclave');
    return this.#enclave;
  }

  /** Builds the enclave: open, CREATE, ADD_PAGES, INIT, mmap. */
  *build(cpu: VirtualCpu): Routine<void> {
    const { driver } = this.#kernel;
    const { thread } = cpu;
    const { dataPages, threads, isMeasured } = this.#options;
    yield* cpu.enterKernel(this.mm);
    const enclave = driver.open();
    this.#enclave = enclave;
    const pageCount = Math.max(MIN_RANGE, 2 ** Math.ceil(Math.log2(dataPages + threads)));
    const attributes = Attribute.MODE64BIT | Attribute.DEBUG;
    const basePage = driver.chooseBasePage(pageCount);
    this.#require('CREATE', yield* driver.create.run(thread, enclave, { pageCount, basePage, attributes }));
    const data = {
      page: 0,
      count: dataPages,
      type: PageType.REG,
      prot: Prot.R | Prot.W | Prot.X,
      isMeasured,
    };
    const entries = { page: dataPages, count: threads, type: PageType.TCS, prot: 0, isMeasured };
    for (const argument of [data, entries]) {
      const { result } = yield* driver.addPages.run(thread, this.mm, enclave, argument);
      this.#require('ADD_PAGES', result);
    }
    this.#require('INIT', yield* driver.init.run(thread, enclave, {}));
    yield* this.#map(cpu, enclave, 0, dataPages, Prot.R | Prot.W | Prot.X);
    yield* this.#map(cpu, enclave, dataPages, dataPages + threads, Prot.R | Prot.W);
  }

  /**
   * Enters through TCS number `tcs`, replays the trace, and leaves. After a loss of EPC the enclave is built again and
   * the trace goes on; other threads of the program must not run then.
   */
  *replay(cpu: VirtualCpu, trace: PageTrace, tcs = 0): Routine<void> {
    const { thread } = cpu;
    const { page, type, count } = trace;
    const perReference = this.#costs[Cost.COMPUTE] as number;
    yield* cpu.enterKernel(this.mm);
    yield* this.#inside(cpu, tcs);
    for (let run = 0; run < page.length; ) {
      if (!cpu.isInside) yield* this.#inside(cpu, tcs);
      const index = page[run] as number;
      const kind = type[run] as AccessKind;
      const { enclave } = this;
      const table = this.mm.table(enclave.id) as PageTable;
      if (!this.#kernel.accesses.hits(cpu, enclave, table, index, kind)) {
        if (yield* this.#reach(cpu, index, kind)) continue;
        yield* this.#rebuild(cpu);
        continue;
      }
      const references = count[run] as number;
      run++;
      this.accesses += references;
      if (thread.spendCycles(Cost.COMPUTE, references * perReference) > thread.limit) yield this.#computing;
    }
    yield* cpu.exit();
  }

  /** The process ends: munmap, close. */
  *end(cpu: VirtualCpu): Routine<void> {
    yield* cpu.enterKernel(this.mm);
    yield* this.#close(cpu);
  }

  /** The CPU is inside the enclave, whatever it takes. */
  *#inside(cpu: VirtualCpu, tcs: number): Routine<void> {
    for (let attempt = 0; attempt < MAX_FAULTS; attempt++) {
      if (cpu.isInside) return;
      const { enclave } = this;
      const at = this.#options.dataPages + tcs;
      const entered = yield* cpu.entry === null ? cpu.enter(enclave, at) : cpu.resume();
      if (entered === Entered.YES) return;
      const isReached = entered === Entered.NOT_MAPPED && (yield* this.#reach(cpu, at, Access.READ));
      if (!isReached) yield* this.#rebuild(cpu);
    }
    throw this.#failed('EENTER', 'no progress: the TCS page is reclaimed before it can be used');
  }

  /** Makes a page accessible. @returns false: the EPC was lost. @throws GuestProgramFailure if it cannot be had */
  *#reach(cpu: VirtualCpu, page: number, kind: AccessKind): Routine<boolean> {
    const record = createGuestAccessRecord();
    const { accesses } = this.#kernel;
    const outcome: GuestAccessId = yield* accesses.access(cpu, this.enclave, page, kind, MAX_FAULTS, record);
    if (outcome === GuestAccess.OK) return true;
    if (outcome === GuestAccess.EPCM && record.check === EpcmCheck.TYPE) return true;
    if (this.#kernel.hasLostEpc(this.enclave)) return false;
    throw this.#failed('an access', `outcome ${outcome}, EPCM ${record.check}, page ${page}`);
  }

  /** The EPC was lost: the enclave is given up and built again. */
  *#rebuild(cpu: VirtualCpu): Routine<void> {
    if (!this.#kernel.hasLostEpc(this.enclave)) throw this.#failed('EENTER', 'the enclave cannot be entered');
    this.rebuilds++;
    yield* this.#close(cpu);
    yield* this.build(cpu);
  }

  *#close(cpu: VirtualCpu): Routine<void> {
    const { driver } = this.#kernel;
    const { enclave } = this;
    if (cpu.isInside) yield* cpu.exitAsynchronously();
    cpu.entry = null;
    yield* driver.mapper.unmap(cpu.thread, this.mm, enclave, 0, enclave.pageCount);
    this.mm.forget(enclave.id);
    yield* driver.mapper.closeFile(cpu.thread, enclave);
    this.#enclave = null;
  }

  *#map(cpu: VirtualCpu, enclave: Enclave, start: number, end: number, prot: number): Routine<void> {
    const { mapper } = this.#kernel.driver;
    this.#require('mmap', yield* mapper.map(cpu.thread, this.mm, enclave, { start, end, prot }));
  }

  #require(step: string, result: number): void {
    if (result !== 0) throw this.#failed(step, `result ${result}`);
  }

  #failed(step: string, what: string): GuestProgramFailure {
    return new GuestProgramFailure(this.name, step, what);
  }
}

/** What a program needs of the machine. */
export interface ProgramMachine {
  /** Cycles per operation. */
  readonly costs: Float64Array;
  /** Gives out object numbers. */
  readonly objects: ObjectRegistry;
}
