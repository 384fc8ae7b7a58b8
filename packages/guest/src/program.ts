import type { Enclave } from '@epckit/enclave';
import type {
  AccessKind,
  AddressSpace,
  LockFactory,
  ObjectRegistry,
  PageTable,
  Routine,
} from '@epckit/interface';
import {
  Access,
  Attribute,
  Cost,
  EpckitError,
  EpcmCheck,
  errnoNames,
  Mode,
  op,
  PageType,
  Prot,
} from '@epckit/interface';
import type { GuestAccessId } from './accesses.js';
import { createGuestAccessRecord, GuestAccess } from './accesses.js';
import { EnclaveUsers } from './enclave-users.js';
import { GuestHalted } from './exit.js';
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
  /** Called with each enclave of the program when it is opened, before it is built. Default: nothing. */
  readonly onOpened?: (enclave: Enclave) => void;
}

/** Why a program of a guest cannot go on. */
export class GuestProgramFailure extends EpckitError {
  /** What has failed, such as `ADD_PAGES`. */
  readonly step: string;
  /** How, such as `ENOMEM`. */
  readonly what: string;

  constructor(program: string, step: string, what: string) {
    super('EPCKIT_GUEST_PROGRAM', `Program '${program}' of a guest has failed in ${step}: ${what}.`);
    this.step = step;
    this.what = what;
  }
}

/** Faults of one access after which a program is said to make no progress. */
const MAX_FAULTS = 100_000;
/** Range in which no enclave of a guest begins twice. */
const MIN_RANGE = 2;

/**
 * A program of a guest: a process with one enclave. It builds the enclave, replays page traces in it, builds it again
 * when the EPC was lost, and ends. All routines run on a virtual CPU, inside `VirtualMachine.onCpu`.
 *
 * Several threads may replay at once. When the EPC is lost all of them notice, as the loss has thrown them out: they
 * leave, the last one builds the enclave again, and all go on where they were.
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
  readonly #options: GuestProgramOptions;
  readonly #threads: number;
  readonly #users: EnclaveUsers;
  readonly #costs: Float64Array;
  readonly #computing: number;
  #enclave: Enclave | null = null;

  constructor(vm: VirtualMachine, options: GuestProgramOptions, machine: ProgramMachine) {
    this.name = options.name;
    this.#kernel = vm.kernel;
    this.#options = options;
    this.#threads = options.threads ?? 1;
    this.mm = vm.kernel.createProcess(options.name);
    this.#users = new EnclaveUsers(machine, `${vm.name}: ${options.name}`, () => this.#kernel.isHalted);
    this.#costs = machine.costs;
    this.#computing = op(machine.objects.range(`computation of ${vm.name}: ${options.name}`, 1), Mode.ADD);
  }

  /** The enclave. @throws GuestProgramFailure before it is built */
  get enclave(): Enclave {
    if (this.#enclave === null) throw this.#failed('a step before the build', 'there is no enclave');
    return this.#enclave;
  }

  /** Builds the enclave: open, CREATE, ADD_PAGES, INIT, mmap; from the beginning if the EPC is lost meanwhile. */
  *build(cpu: VirtualCpu): Routine<void> {
    yield* cpu.enterKernel(this.mm);
    for (;;) {
      const enclave = this.#kernel.driver.open();
      this.#enclave = enclave;
      this.#options.onOpened?.(enclave);
      const failed = yield* this.#buildOnce(cpu, enclave);
      if (failed === null) return;
      if (!this.#kernel.hasLostEpc(enclave)) throw failed;
      this.rebuilds++;
      yield* this.#close(cpu);
    }
  }

  /**
   * Enters through TCS number `tcs`, replays the trace, and leaves. After a loss of EPC the enclave is built again and
   * the trace goes on.
   */
  *replay(cpu: VirtualCpu, trace: PageTrace, tcs = 0): Routine<void> {
    yield* cpu.enterKernel(this.mm);
    yield* this.join(cpu);
    try {
      yield* this.#replay(cpu, trace, tcs);
    } finally {
      yield* this.leave(cpu);
    }
  }

  /** The thread on `cpu` uses the enclave from now on: a loss of EPC waits for it. It waits for a build in progress. */
  *join({ thread }: VirtualCpu): Routine<void> {
    this.#requireGoing(yield* this.#users.join(thread));
  }

  /** The thread on `cpu` does not use the enclave any more, if it did. */
  leave({ thread }: VirtualCpu): Routine<void> {
    return this.#users.leave(thread);
  }

  /**
   * A thread that has joined cannot enter the enclave, or have a page of it. If the EPC was lost there is another enclave
   * at the end, which it has to enter anew.
   *
   * @throws GuestProgramFailure if the EPC was not lost: `what` says what the thread cannot do
   */
  *recover(cpu: VirtualCpu, step: string, what: string): Routine<void> {
    if (!this.#kernel.hasLostEpc(this.enclave)) throw this.#failed(step, what);
    if (cpu.isInside) yield* cpu.exitAsynchronously();
    cpu.entry = null;
    this.#requireGoing(yield* this.#users.rebuild(cpu.thread, () => this.#rebuild(cpu)));
  }

  *#replay(cpu: VirtualCpu, trace: PageTrace, tcs: number): Routine<void> {
    const { thread } = cpu;
    const { page, type, count } = trace;
    const perReference = this.#costs[Cost.COMPUTE] as number;
    yield* this.#inside(cpu, tcs);
    for (let run = 0; run < page.length; ) {
      if (!cpu.isInside) yield* this.#inside(cpu, tcs);
      const index = page[run] as number;
      const kind = type[run] as AccessKind;
      const { enclave } = this;
      const table = this.mm.table(enclave.id) as PageTable;
      if (!this.#kernel.accesses.hits(cpu, enclave, table, index, kind)) {
        yield* this.#reach(cpu, index, kind);
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
      if (entered === Entered.NOT_MAPPED) yield* this.#reach(cpu, at, Access.READ);
      else yield* this.recover(cpu, 'EENTER', 'the enclave cannot be entered');
    }
    throw this.#failed('EENTER', 'no progress: the TCS page is reclaimed before it can be used');
  }

  /** Makes a page accessible, or builds the enclave again. @throws GuestProgramFailure if it cannot be had */
  *#reach(cpu: VirtualCpu, page: number, kind: AccessKind): Routine<void> {
    const record = createGuestAccessRecord();
    const { accesses } = this.#kernel;
    const outcome: GuestAccessId = yield* accesses.access(cpu, this.enclave, page, kind, MAX_FAULTS, record);
    if (outcome === GuestAccess.OK) return;
    if (outcome === GuestAccess.EPCM && record.check === EpcmCheck.TYPE) return;
    yield* this.recover(cpu, 'an access', `outcome ${outcome}, EPCM ${record.check}, page ${page}`);
  }

  /** Nobody uses the lost enclave any more: it is given up, and built again. */
  *#rebuild(cpu: VirtualCpu): Routine<void> {
    this.rebuilds++;
    yield* cpu.enterKernel(this.mm);
    yield* this.#close(cpu);
    yield* this.build(cpu);
  }

  /** One attempt. @returns null, or what has failed */
  *#buildOnce(cpu: VirtualCpu, enclave: Enclave): Routine<GuestProgramFailure | null> {
    const { driver } = this.#kernel;
    const { thread } = cpu;
    const { dataPages, isMeasured = false } = this.#options;
    const threads = this.#threads;
    const pageCount = Math.max(MIN_RANGE, 2 ** Math.ceil(Math.log2(dataPages + threads)));
    const attributes = Attribute.MODE64BIT | Attribute.DEBUG;
    const basePage = driver.chooseBasePage(pageCount);
    const created = yield* driver.create.run(thread, enclave, { pageCount, basePage, attributes });
    if (created !== 0) return this.#refused('CREATE', created);
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
      if (result !== 0) return this.#refused('ADD_PAGES', result);
    }
    const initialized = yield* driver.init.run(thread, enclave, {});
    if (initialized !== 0) return this.#refused('INIT', initialized);
    const mapped = yield* this.#map(cpu, enclave, 0, dataPages, Prot.R | Prot.W | Prot.X);
    if (mapped !== 0) return this.#refused('mmap', mapped);
    const entryResult = yield* this.#map(cpu, enclave, dataPages, dataPages + threads, Prot.R | Prot.W);
    return entryResult === 0 ? null : this.#refused('mmap', entryResult);
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

  #map(cpu: VirtualCpu, enclave: Enclave, start: number, end: number, prot: number): Routine<number> {
    return this.#kernel.driver.mapper.map(cpu.thread, this.mm, enclave, { start, end, prot });
  }

  #requireGoing(isGoing: boolean): void {
    if (!isGoing) throw new GuestHalted('the guest was stopped');
  }

  #refused(step: string, result: number): GuestProgramFailure {
    return this.#failed(step, errnoNames[-result] ?? `result ${result}`);
  }

  #failed(step: string, what: string): GuestProgramFailure {
    return new GuestProgramFailure(this.name, step, what);
  }
}

/** What a program needs of the machine. */
export interface ProgramMachine extends Pick<LockFactory, 'mutex' | 'waitQueue'> {
  /** Cycles per operation. */
  readonly costs: Float64Array;
  /** Gives out object numbers. */
  readonly objects: ObjectRegistry;
}
