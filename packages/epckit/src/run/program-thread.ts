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

  constructor(program: Program, cpu: UserCpu, tcs: number, part: TracePart) {
    this.#program = program;
    this.cpu = cpu;
    this.#tcs = tcs;
    this.#part = part;
    const name = `computation of ${program.name} on CPU ${cpu.id}`;
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

  /** Replays its part of the trace once: the hit path until it misses or another CPU is due, then a fault. */
  *replay(): Routine<void> {
    const { page, type, count, to } = this.#part;
    const { thread } = this;
    const { epc, process, enclave, stopAt } = this.#program;
    const table = process.mm.table(enclave.id) as PageTable;
    const cyclesPerReference = epc.machine.costs[Cost.COMPUTE] as number;
    const done = new Float64Array(1);
    for (let run = this.#part.from; run < to && thread.clock < stopAt; ) {
      if (!this.cpu.isInside) yield* this.#comeBack();
      const until = Math.min(thread.limit, stopAt);
      const budget = (until - thread.clock) / Math.max(cyclesPerReference, 1e-9) + 1;
      run = runHitsUntil(table.pte, page, type, count, run, to, Math.max(budget, 1), done);
      const references = done[0] as number;
      thread.spendCycles(Cost.COMPUTE, references * cyclesPerReference);
      this.accesses += references;
      if (run === to || thread.clock >= stopAt) break;
      if (thread.clock > thread.limit) yield this.#computing;
      else this.#require(yield* this.#access(page[run] as number, type[run] as AccessKind));
      epc.machine.returnToUser();
      this.#program.onProgress(references);
    }
  }

  /** Leaves the enclave for good. */
  *leave(): Routine<void> {
    yield* this.cpu.exit();
    this.ended = this.thread.clock;
  }

  /** An interrupt threw the thread out and its TCS page was gone when it returned. */
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
    const { epc, enclave, counters } = this.#program;
    const access = epc.accesses.access(this.cpu, enclave, page, kind, MAX_FAULTS, this.#record);
    return counters === null || this.#isMapped(page) ? access : this.#timed(access, page, counters);
  }

  /** Notes how long an access takes that faults. */
  *#timed(access: Routine<AccessOutcomeId>, page: number, counters: FaultObserver): Routine<AccessOutcomeId> {
    const { thread } = this;
    const loads = counters.loadsOn(this.cpu.id);
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
