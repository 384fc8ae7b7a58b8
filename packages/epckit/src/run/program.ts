import type { Enclave } from '@epckit/enclave';
import type { Routine } from '@epckit/interface';
import { errnoNames, PageType, Prot } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Epc } from '../create-epc.js';
import type { Process } from '../process.js';
import type { TracePart } from './deal.js';
import { dealTrace } from './deal.js';
import type { ProgramAccess } from './dynamic-pages.js';
import { AcceptingAccesses, executedPages } from './dynamic-pages.js';
import type { FaultObserver } from './fault-latency.js';
import { createLatencies } from './fault-latency.js';
import type { EnclaveFailure } from './group-report.js';
import { ProgramThread } from './program-thread.js';
import { RunFailure } from './run-failure.js';
import type { ScenarioEnclave, TraceColumns } from './scenario.js';
import { threadCpus } from './scenario.js';
import { shareTraces } from './thread-traces.js';

/** Times in the life of a program, in cycles of its threads. */
export interface ProgramTimes {
  /** Building began: the start time, or 0 if building is no part of the run. */
  began: number;
  /** Built: pages added, initialized, mapped. */
  built: number;
  /** Trace replayed by all threads. */
  ended: number;
}

/**
 * A program of a scenario: builds its enclave, enters it with each thread, replays its trace page run by page
 * run, leaves it and releases it.
 */
export class Program {
  /** Its enclave. */
  readonly enclave: Enclave;
  /** Process that it runs in. */
  readonly process: Process;
  /** Stack that it runs on. */
  readonly epc: Epc;
  /** Times in its life. */
  readonly times: ProgramTimes = { began: 0, built: 0, ended: 0 };
  /** Its threads; the first one builds. */
  readonly threads: readonly ProgramThread[];
  /** Latencies of accesses that faulted. */
  readonly latency = createLatencies();
  /** How its threads access memory. */
  readonly memory: ProgramAccess;
  /** Told of faults, or null. */
  readonly counters: FaultObserver | null;
  /** Called with references done since the last call. */
  readonly onProgress: (references: number) => void;
  /** Its threads stop replaying at this time. */
  stopAt = Number.POSITIVE_INFINITY;
  /** Time at which the run begins. */
  began = 0;
  /** Does the run go on without it if it cannot go on? Otherwise {@link RunFailure} is thrown. */
  mayFail = false;
  /** Why it could not go on; null: it can. */
  failure: EnclaveFailure | null = null;
  /** Version array pages when the trace has ended. */
  vaPages = 0;
  readonly #settings: ScenarioEnclave;
  /** Pages that its threads touch; its TCSs follow. */
  readonly #tracePages: number;
  /** Of these, the first ones are added while building. */
  readonly #builtPages: number;
  /** Threads that wait until the enclave is built. */
  readonly #building: ReturnType<Epc['machine']['waitQueue']>;
  #isBuilt = false;
  #running: number;

  constructor(
    epc: Epc,
    settings: ScenarioEnclave,
    traces: readonly TraceColumns[],
    onProgress: (references: number) => void,
    counters: FaultObserver | null = null,
  ) {
    this.epc = epc;
    this.onProgress = onProgress;
    this.counters = counters;
    this.#settings = settings;
    this.process = epc.createProcess(settings.name, settings.cgroup);
    this.enclave = epc.driver.open();
    this.#building = epc.machine.waitQueue(`building of ${settings.name}`);
    const cpus = threadCpus(settings);
    const { pageNumber, parts } = partsOf(settings, traces, cpus.length);
    this.#tracePages = pageNumber.length;
    this.#builtPages = this.#tracePages - Math.round(this.#tracePages * (settings.dynamicShare ?? 0));
    this.memory =
      this.#builtPages === this.#tracePages
        ? epc.accesses
        : new AcceptingAccesses(epc, executedPages(parts, this.#tracePages));
    this.threads = parts.map((part, index) => {
      const cpu = epc.userThread(cpus[index] as number);
      return new ProgramThread(this, cpu, this.#tracePages + index, part);
    });
    this.#running = cpus.length;
  }

  /** Name in reports. */
  get name(): string {
    return this.#settings.name;
  }

  /** Pages of its range: those of its traces and one TCS per thread. */
  get pageCount(): number {
    return this.#tracePages + this.threads.length;
  }

  /** References done by all threads. */
  get accesses(): number {
    return this.threads.reduce((sum, { accesses }) => sum + accesses, 0);
  }

  /** Thread of the machine that builds it. */
  get thread(): MachineThread {
    return this.#first.thread;
  }

  get #first(): ProgramThread {
    return this.threads[0] as ProgramThread;
  }

  /**
   * The whole life of one of its threads.
   *
   * @param start - earliest time at which it does something
   * @param enter - earliest time at which it enters the enclave
   */
  *main(member: ProgramThread = this.#first, start = 0, enter = 0): Routine<void> {
    try {
      if (this.failure === null) yield* this.#live(member, start, enter);
    } catch (error) {
      this.#fail(member.thread, error);
    }
    if (this.failure !== null) yield* member.abandon();
    this.times.ended = Math.max(this.times.ended, member.ended);
    this.#running--;
    if (this.#running === 0) yield* this.#close(member.thread);
  }

  /** Makes the enclave before the run begins. */
  *prepare(): Routine<void> {
    try {
      yield* this.construct();
    } catch (error) {
      this.#fail(this.thread, error);
    }
  }

  /** Builds the enclave and enters it with the first thread. */
  *build(): Routine<void> {
    yield* this.construct();
    yield* this.#first.enter();
  }

  /** Replays the part of the first thread once. */
  replay(): Routine<void> {
    return this.#first.replay();
  }

  /** Makes the enclave and maps it. */
  *construct(): Routine<void> {
    const { driver } = this.epc;
    const { thread, cpu } = this.#first;
    this.times.began = thread.clock;
    yield* cpu.enterKernel(this.process);
    const { mm } = this.process;
    const tcs = this.#tracePages;
    const pageCount = 2 ** Math.ceil(Math.log2(Math.max(2, this.pageCount)));
    const range = { pageCount, basePage: driver.chooseBasePage(pageCount), attributes: 4 };
    const isMeasured = this.#settings.measured;
    const prot = Prot.R | Prot.W | Prot.X;
    const data = { page: 0, count: this.#builtPages, type: PageType.REG, prot, isMeasured };
    const entries = { page: tcs, count: this.threads.length, type: PageType.TCS, prot: 0, isMeasured };
    this.#check('CREATE', yield* driver.create.run(thread, this.enclave, range));
    for (const pages of data.count === 0 ? [entries] : [data, entries]) {
      this.#check('ADD_PAGES', (yield* driver.addPages.run(thread, mm, this.enclave, pages)).result);
    }
    this.#check('INIT', yield* driver.init.run(thread, this.enclave, {}));
    const everything = { start: 0, end: tcs, prot };
    this.#check('mmap', yield* driver.mapper.map(thread, mm, this.enclave, everything));
    const entry = { start: tcs, end: this.pageCount, prot: Prot.R | Prot.W };
    this.#check('mmap', yield* driver.mapper.map(thread, mm, this.enclave, entry));
    this.times.built = thread.clock;
    this.#isBuilt = true;
    this.#building.wake(thread);
  }

  /** Building was no part of the run, which begins now. */
  forgetBuilding(): void {
    this.times.began = this.thread.clock;
    this.times.built = this.thread.clock;
  }

  /** What a thread does unless the process dies. */
  *#live(member: ProgramThread, start: number, enter: number): Routine<void> {
    yield* member.waitUntil(start);
    if (!this.#isBuilt && member === this.#first) yield* this.construct();
    yield* this.#waitUntilBuilt(member);
    yield* member.waitUntil(enter);
    if (this.failure !== null) return;
    yield* member.enter();
    for (let i = 0; i < this.#settings.repeat && this.failure === null; i++) yield* member.replay();
    if (this.failure === null) yield* member.leave();
  }

  /** The process dies. @throws `error` if that is no part of the run */
  #fail(thread: MachineThread, error: unknown): void {
    const { cgroups } = this.epc;
    if (cgroups === null || !this.mayFail || !(error instanceof RunFailure)) throw error;
    this.failure ??= { ...error.failed, ...cgroups.refusalOf(thread), cycle: thread.clock - this.began };
    if (this.#isBuilt) return;
    this.times.built = thread.clock;
    this.#building.wake(thread);
  }

  *#waitUntilBuilt({ thread }: ProgramThread): Routine<void> {
    if (this.#isBuilt) return;
    this.#building.prepare(thread);
    while (!this.#isBuilt && this.failure === null) {
      yield* this.#building.sleep(thread);
      this.#building.prepare(thread);
    }
    this.#building.finish(thread);
  }

  /** The last thread closes the enclave. */
  *#close(thread: MachineThread): Routine<void> {
    this.vaPages = this.enclave.paging?.slots.pageCount ?? 0;
    yield* this.epc.driver.mapper.closeFile(thread, this.enclave);
    this.process.mm.forget(this.enclave.id);
  }

  #check(what: string, result: number): void {
    if (result !== 0) throw this.failed(what, errnoNames[-result] ?? `result ${result}`);
  }

  /** The error for a program that cannot go on. */
  failed(what: string, result: string): RunFailure {
    const pages = this.epc.frames.pageCount;
    // One SECS and the version array pages of each enclave that is built, or half built.
    const pinned = (enclave: Enclave): number => 1 + (enclave.paging?.slots.pageCount ?? 0);
    const others = this.epc.driver.enclaves().filter((enclave) => enclave !== this.enclave);
    const otherPages = others.reduce((sum, enclave) => sum + pinned(enclave), 0);
    const own = Math.ceil(this.pageCount / 512) + 1;
    const details = [
      `EPC: ${pages} pages`,
      `'${this.name}' alone needs ${own} that stay while it has pages in the EPC: SECS and version arrays`,
    ];
    if (others.length > 0) details.push(`the other enclaves have ${otherPages} such pages now`);
    const message = `Enclave '${this.name}' cannot run: ${what} fails (${result}).`;
    const failed = { call: what, result };
    return new RunFailure(this.name, message, details, 'Give the machine more EPC.', failed);
  }
}

/** The part of each thread, and the pages of all: dealt from one trace, or a trace for each. */
function partsOf(
  { runs, deal, moreThreads = [] }: ScenarioEnclave,
  traces: readonly TraceColumns[],
  threadCount: number,
): { readonly pageNumber: Float64Array; readonly parts: readonly TracePart[] } {
  const [trace] = traces as readonly [TraceColumns];
  if (moreThreads.length > 0) return shareTraces(traces, runs ?? Number.POSITIVE_INFINITY);
  const parts = dealTrace(trace, Math.min(runs ?? trace.length, trace.length), threadCount, deal ?? 'slices');
  return { pageNumber: trace.pageNumber, parts };
}
