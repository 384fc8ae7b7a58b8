import type { Enclave } from '@epckit/enclave';
import type { AccessKind, Op, PageTable, Routine } from '@epckit/interface';
import { Access, Cost, EpcmCheck, errnoNames, Mode, op, PageType, Prot } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { runHitsUntil } from '@epckit/mm';
import type { AccessOutcomeId } from '../access.js';
import { AccessOutcome, createAccessRecord } from '../access.js';
import type { Epc } from '../create-epc.js';
import type { Process } from '../process.js';
import type { UserCpu } from '../user-cpu.js';
import { RunFailure } from './run-failure.js';
import type { ScenarioEnclave, TraceColumns } from './scenario.js';

const outcomeWords: Readonly<Record<number, string>> = {
  [AccessOutcome.SIGBUS]: 'SIGBUS: no EPC page is free and none can be reclaimed',
  [AccessOutcome.RETRY_LIMIT]: 'no progress: every page is reclaimed before it can be used',
};

/** Faults of one access after which a program is said to make no progress. */
const MAX_FAULTS = 100_000;

/** Times in the life of a program, in cycles of its thread. */
export interface ProgramTimes {
  /** Built: pages added, initialized, mapped. */
  built: number;
  /** Trace replayed. */
  ended: number;
}

/**
 * A program of a scenario: builds its enclave, enters it, replays its trace page run by page run, leaves it
 * and releases it.
 */
export class Program {
  /** Its enclave. */
  readonly enclave: Enclave;
  /** Times in its life. */
  readonly times: ProgramTimes = { built: 0, ended: 0 };
  /** References done. */
  accesses = 0;
  /** Version array pages when the trace has ended. */
  vaPages = 0;
  readonly #epc: Epc;
  readonly #settings: ScenarioEnclave;
  readonly #trace: TraceColumns;
  readonly #cpu: UserCpu;
  readonly #process: Process;
  readonly #onProgress: (references: number) => void;
  readonly #computing: Op;
  readonly #record = createAccessRecord();
  /** Runs to replay. */
  readonly #runs: number;

  constructor(
    epc: Epc,
    settings: ScenarioEnclave,
    trace: TraceColumns,
    onProgress: (references: number) => void,
  ) {
    this.#epc = epc;
    this.#settings = settings;
    this.#trace = trace;
    this.#onProgress = onProgress;
    this.#cpu = epc.cpus[settings.cpu] as UserCpu;
    this.#process = epc.createProcess(settings.name);
    this.#computing = op(epc.machine.objects.range(`computation of ${settings.name}`, 1), Mode.ADD);
    this.#runs = Math.min(settings.runs ?? trace.length, trace.length);
    this.enclave = epc.driver.open();
  }

  /** Pages that are added: those of the trace and one TCS. */
  get pageCount(): number {
    return this.#trace.pageNumber.length + 1;
  }

  /** Thread that the program runs on. */
  get thread(): MachineThread {
    return this.#cpu.thread;
  }

  /** The whole life of the program. */
  *main(): Routine<void> {
    yield* this.build();
    for (let i = 0; i < this.#settings.repeat; i++) yield* this.replay();
    yield* this.release();
  }

  /** Leaves the enclave and closes it. */
  *release(): Routine<void> {
    yield* this.#cpu.exit();
    this.times.ended = this.thread.clock;
    this.vaPages = this.enclave.paging?.slots.pageCount ?? 0;
    yield* this.#epc.driver.mapper.closeFile(this.thread, this.enclave);
    this.#process.mm.forget(this.enclave.id);
  }

  /** Makes the enclave, maps and enters it. */
  *build(): Routine<void> {
    const { driver } = this.#epc;
    const { thread } = this.#cpu;
    yield* this.#cpu.enterKernel(this.#process);
    const { mm } = this.#process;
    const tcs = this.#trace.pageNumber.length;
    const pageCount = 2 ** Math.ceil(Math.log2(Math.max(2, this.pageCount)));
    const range = { pageCount, basePage: driver.chooseBasePage(pageCount), attributes: 4 };
    const isMeasured = this.#settings.measured;
    const data = { page: 0, count: tcs, type: PageType.REG, prot: Prot.R | Prot.W | Prot.X, isMeasured };
    const thread0 = { page: tcs, count: 1, type: PageType.TCS, prot: 0, isMeasured };
    this.#check('CREATE', yield* driver.create.run(thread, this.enclave, range));
    this.#check('ADD_PAGES', (yield* driver.addPages.run(thread, mm, this.enclave, data)).result);
    this.#check('ADD_PAGES', (yield* driver.addPages.run(thread, mm, this.enclave, thread0)).result);
    this.#check('INIT', yield* driver.init.run(thread, this.enclave, {}));
    const everything = { start: 0, end: tcs, prot: data.prot };
    this.#check('mmap', yield* driver.mapper.map(thread, mm, this.enclave, everything));
    const entry = { start: tcs, end: tcs + 1, prot: Prot.R | Prot.W };
    this.#check('mmap', yield* driver.mapper.map(thread, mm, this.enclave, entry));
    this.times.built = thread.clock;
    yield* this.#enter();
  }

  *#enter(): Routine<void> {
    const tcs = this.#trace.pageNumber.length;
    this.#require(yield* this.#access(tcs, Access.READ));
    const result = yield* this.#cpu.enter(this.enclave, tcs);
    if (result !== 0) throw this.#failed('EENTER', `result ${result}`);
  }

  /** Replays the trace once: the hit path until it misses or another CPU is due, then a fault. */
  *replay(): Routine<void> {
    const { page, type, count } = this.#trace;
    const { thread } = this.#cpu;
    const table = this.#process.mm.table(this.enclave.id) as PageTable;
    const cyclesPerReference = this.#epc.machine.costs[Cost.COMPUTE] as number;
    const done = new Float64Array(1);
    for (let run = 0; run < this.#runs; ) {
      if (!this.#cpu.isInside) yield* this.#comeBack();
      const budget = (thread.limit - thread.clock) / Math.max(cyclesPerReference, 1e-9) + 1;
      run = runHitsUntil(table.pte, page, type, count, run, this.#runs, Math.max(budget, 1), done);
      const references = done[0] as number;
      thread.spendCycles(Cost.COMPUTE, references * cyclesPerReference);
      this.accesses += references;
      if (run === this.#runs) break;
      if (thread.clock > thread.limit) yield this.#computing;
      else this.#require(yield* this.#access(page[run] as number, type[run] as AccessKind));
      this.#epc.machine.returnToUser();
      this.#onProgress(references);
    }
  }

  /** An interrupt threw the thread out and its TCS page was gone when it returned. */
  *#comeBack(): Routine<void> {
    const tcs = this.#trace.pageNumber.length;
    for (let attempt = 0; attempt < MAX_FAULTS; attempt++) {
      if (yield* this.#cpu.resume()) return;
      this.#require(yield* this.#access(tcs, Access.READ));
    }
    throw this.#failed('ERESUME', 'no progress: the TCS page is reclaimed before it can be used');
  }

  /** Makes a page accessible, whatever it takes. */
  #access(page: number, kind: AccessKind): Routine<AccessOutcomeId> {
    return this.#epc.accesses.access(this.#cpu, this.enclave, page, kind, MAX_FAULTS, this.#record);
  }

  /** The page is accessible now. @throws RunFailure if the program would be killed */
  #require(outcome: AccessOutcomeId): void {
    const isReached = outcome === AccessOutcome.OK || outcome === AccessOutcome.HIT;
    const isTcs = outcome === AccessOutcome.EPCM && this.#record.check === EpcmCheck.TYPE;
    if (!isReached && !isTcs) throw this.#failed('an access', outcomeWords[outcome] ?? 'refused by the EPCM');
  }

  #check(what: string, result: number): void {
    if (result !== 0) throw this.#failed(what, errnoNames[-result] ?? `result ${result}`);
  }

  #failed(what: string, result: string): RunFailure {
    const { name } = this.#settings;
    const pages = this.#epc.frames.pageCount;
    // One SECS and the version array pages of each enclave that is built, or half built.
    const pinned = (enclave: Enclave): number => 1 + (enclave.paging?.slots.pageCount ?? 0);
    const others = this.#epc.driver.enclaves().filter((enclave) => enclave !== this.enclave);
    const otherPages = others.reduce((sum, enclave) => sum + pinned(enclave), 0);
    const own = Math.ceil(this.pageCount / 512) + 1;
    const details = [
      `EPC: ${pages} pages`,
      `'${name}' alone needs ${own} that stay while it has pages in the EPC: SECS and version arrays`,
    ];
    if (others.length > 0) details.push(`the other enclaves have ${otherPages} such pages now`);
    const message = `Enclave '${name}' cannot run: ${what} fails (${result}).`;
    return new RunFailure(name, message, details, 'Give the machine more EPC.');
  }
}
