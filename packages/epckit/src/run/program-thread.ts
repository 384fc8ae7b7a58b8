import type { AccessKind, Op, PageTable, Routine } from '@epckit/interface';
import { Access, Cost, EpcmCheck, LeafFault, Mode, op } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { runHitsUntil } from '@epckit/mm';
import type { AccessOutcomeId } from '../access.js';
import { AccessOutcome, createAccessRecord } from '../access.js';
import type { UserCpu } from '../user-cpu.js';
import type { TracePart } from './deal.js';
import type { FaultObserver } from './fault-latency.js';
import type { Program } from './program.js';

const outcomeWords: Readonly<Record<number, string>> = {
  [AccessOutcome.SIGBUS]: 'SIGBUS: no EPC page is free and none can be reclaimed',
  [AccessOutcome.OOM]: 'OOM: no EPC page can be had for a new page',
  [AccessOutcome.RETRY_LIMIT]: 'no progress: every page is reclaimed before it can be used',
};

/** Faults of one access after which a program is said to make no progress. */
const MAX_FAULTS = 100_000;

/** A thread of a program: enters the enclave through a TCS of its own, replays its part of the trace, leaves. */
export class ProgramThread {
  /** CPU that it runs on, alone. */
  readonly cpu: UserCpu;
  /** References done. */
  accesses = 0;
  /** Time of its first access. */
  entered = 0;
  /** Time at which it had left the enclave. */
  ended = 0;
  readonly #program: Program;
  readonly #part: TracePart;
  /** Page of its TCS. */
  readonly #tcs: number;
  readonly #computing: Op;
  readonly #record = createAccessRecord();

  /** References of its part of the trace. */
  readonly #references: number;
  /** Cycles from a miss until the kernel begins to handle the fault. */
  readonly #entryCycles: number;

  constructor(program: Program, cpu: UserCpu, tcs: number, part: TracePart) {
    const { costs } = program.epc.machine;
    this.#references = referencesOf(part);
    this.#entryCycles = (costs[Cost.AEX] as number) + (costs[Cost.FAULT_KERNEL] as number);
    this.#program = program;
    this.cpu = cpu;
    this.#tcs = tcs;
    this.#part = part;
    const name = `computation of ${cpu.thread.name}`;
    this.#computing = op(program.epc.machine.objects.range(name, 1), Mode.ADD);
  }

  /** Thread of the machine. */
  get thread(): MachineThread {
    return this.cpu.thread;
  }

  /** Nothing happens until `cycle`. */
  *waitUntil(cycle: number): Routine<void> {
    this.thread.waitUntil(cycle, Cost.EVENT_WAIT);
    if (this.thread.clock > this.thread.limit) yield this.#computing;
  }

  /** Enters the enclave. */
  *enter(): Routine<void> {
    const { process, enclave } = this.#program;
    yield* this.cpu.enterKernel(process);
    this.entered = this.thread.clock;
    this.#require(yield* this.#access(this.#tcs, Access.READ));
    for (let attempt = 0; attempt < MAX_FAULTS; attempt++) {
      const result = yield* this.cpu.enter(enclave, this.#tcs);
      if (result === 0) return;
      if (result !== LeafFault.PF) throw this.#program.failed('EENTER', `result ${result}`);
      // The TCS page was reclaimed between access and entry.
      this.#require(yield* this.#access(this.#tcs, Access.READ));
    }
    throw this.#program.failed('EENTER', 'no progress: the TCS page is reclaimed before it can be used');
  }

  /**
   * Replays its part of the trace once: the hit path until it misses or another CPU is due, then a fault. Computing and
   * the way into the kernel touch nothing but the enclave, and the thread promises so.
   */
  *replay(): Routine<void> {
    const { page, type, count, to } = this.#part;
    const { thread } = this;
    const { epc, process, enclave, stopAt } = this.#program;
    const table = process.mm.table(enclave.id) as PageTable;
    const cyclesPerReference = epc.machine.costs[Cost.COMPUTE] as number;
    const done = new Float64Array(1);
    let left = this.#references;
    for (let run = this.#part.from; run < to && thread.clock < stopAt; ) {
      if (!this.cpu.isInside) yield* this.#comeBack();
      const budget = this.#referencesUntil(Math.min(thread.limit, stopAt - 1));
      run = runHitsUntil(table.pte, page, type, count, run, to, budget, done);
      const references = done[0] as number;
      thread.spendCycles(Cost.COMPUTE, references * cyclesPerReference);
      this.accesses += references;
      left -= references;
      if (run === to || thread.clock >= stopAt) break;
      const quiet = Math.min(this.#entryCycles, left * cyclesPerReference, stopAt - thread.clock);
      thread.promiseQuiet(enclave.id, thread.clock + quiet);
      if (thread.clock > thread.limit && references > 0) yield this.#computing;
      else this.#require(yield* this.#access(page[run] as number, type[run] as AccessKind));
      epc.machine.returnToUser();
      this.#program.onProgress(references);
      if (this.#program.failure !== null) break;
    }
  }

  /** Leaves the enclave for good. */
  *leave(): Routine<void> {
    while (!(yield* this.cpu.exit())) yield* this.#comeBack();
    this.ended = this.thread.clock;
  }

  /** The process dies: the thread is outside the enclave and will not come back. */
  *abandon(): Routine<void> {
    if (this.cpu.isInside) yield* this.cpu.exitAsynchronously();
    this.cpu.entry = null;
    this.ended = this.thread.clock;
    if (this.entered === 0) this.entered = this.ended;
  }

  /** References that begin at `time` or before, at least one. */
  #referencesUntil(time: number): number {
    const { costs } = this.#program.epc.machine;
    const cycles = time - this.thread.clock;
    // Runs without a cost all begin now.
    return cycles < 0
      ? 1
      : Math.floor(cycles / (costs[Cost.COMPUTE] as number)) + 1 || Number.POSITIVE_INFINITY;
  }

  /** The thread was thrown out, and its TCS page may be gone. */
  *#comeBack(): Routine<void> {
    for (let attempt = 0; attempt < MAX_FAULTS; attempt++) {
      if (yield* this.cpu.resume()) return;
      this.#require(yield* this.#access(this.#tcs, Access.READ));
    }
    throw this.#program.failed('ERESUME', 'no progress: the TCS page is reclaimed before it can be used');
  }

  #isMapped(page: number): boolean {
    const { process, enclave } = this.#program;
    return (process.mm.table(enclave.id)?.frame(page) ?? -1) >= 0;
  }

  /** Makes a page accessible, whatever it takes. */
  #access(page: number, kind: AccessKind): Routine<AccessOutcomeId> {
    const { memory, enclave, counters } = this.#program;
    const access = memory.access(this.cpu, enclave, page, kind, MAX_FAULTS, this.#record);
    return counters === null || this.#isMapped(page) ? access : this.#timed(access, page, counters);
  }

  /** Notes how long an access takes that faults. */
  *#timed(access: Routine<AccessOutcomeId>, page: number, counters: FaultObserver): Routine<AccessOutcomeId> {
    const { thread } = this;
    const loads = counters.loadsOf(thread.id);
    const { eldu, eaug } = loads;
    const begin = thread.clock;
    counters.faultBegins(thread, this.#program.enclave.id, page);
    const outcome = yield* access;
    const kind = loads.eaug > eaug ? 'eaug' : loads.eldu > eldu ? 'load' : 'firstTouch';
    this.#program.latency[kind].add(thread.clock - begin);
    counters.faultEnds(thread, kind, this.#record.faults.length);
    return outcome;
  }

  /** The page is accessible now. @throws RunFailure if the program would be killed */
  #require(outcome: AccessOutcomeId): void {
    const isReached = outcome === AccessOutcome.OK || outcome === AccessOutcome.HIT;
    const isTcs = outcome === AccessOutcome.EPCM && this.#record.check === EpcmCheck.TYPE;
    if (isReached || isTcs) return;
    throw this.#program.failed('an access', outcomeWords[outcome] ?? 'refused by the EPCM');
  }
}

function referencesOf({ count, from, to }: TracePart): number {
  let references = 0;
  for (let run = from; run < to; run++) references += count[run] as number;
  return references;
}
