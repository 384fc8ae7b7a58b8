import type { Enclave } from '@epckit/enclave';
import type { TranslatedId } from '@epckit/hardware';
import { PageFaultCode, pageFaultCode, Translated } from '@epckit/hardware';
import type { AccessKind, LeafResult, PageTable, Routine } from '@epckit/interface';
import { Access, Cost, FAULT_FLAG, LeafFault, NONE, SgxCode } from '@epckit/interface';
import type { AccessOutcomeId, Entry, Epc, Process, UserCpu } from '../../src/index.js';
import { AccessOutcome, createAccessRecord } from '../../src/index.js';
import type { Code, Instruction } from './enclave-code.js';

/** What a call of the vDSO leaves behind (`struct sgx_enclave_run`), and what the enclave gave. */
export interface Run {
  /** `EEXIT`: as wanted. `ERESUME`: an exception inside. `EENTER`: the entry itself faulted. */
  readonly function: 'EENTER' | 'ERESUME' | 'EEXIT';
  /** Exception vector, 0 for none. */
  readonly vector: number;
  /** Its error code. */
  readonly code: number;
  /** Address that it is about. */
  readonly address: number;
  /** What the enclave code returned; 0 unless it came to its end. */
  readonly value: number;
}

/** Called when the enclave was left (`user_handler`). 3 lets the vDSO resume, anything up to 0 is its result. */
export type UserHandler = (run: Run) => number;

/** What an instruction raised. */
interface Exception {
  readonly vector: number;
  readonly code: number;
  readonly page: number;
}

/** Enclave code that an exception has stopped. */
interface Stopped {
  readonly entry: Entry;
  readonly code: Code;
  readonly instruction: Instruction;
}

/** Faults after which an access is said to make no progress. */
const MAX_FAULTS = 100_000;
const PAGE_FAULT = 14;
/** Number of the ENCLU leaf. */
const ERESUME = 3;
const PAGE_BYTES = 4096;

/**
 * A thread of the process that calls the enclave through the vDSO (`vdso_sgx_enter_enclave`): exceptions of enclave
 * code come back as values, the code stays where it was until {@link resume}.
 */
export class EnclaveThread {
  readonly cpu: UserCpu;
  readonly #epc: Epc;
  readonly #process: Process;
  readonly #enclave: Enclave;
  readonly #text: number;
  readonly #stopped = new Map<number, Stopped>();
  readonly #record = createAccessRecord();

  /** @param text page that every entry fetches code from */
  constructor(epc: Epc, cpu: UserCpu, process: Process, enclave: Enclave, text: number) {
    this.#epc = epc;
    this.cpu = cpu;
    this.#process = process;
    this.#enclave = enclave;
    this.#text = text;
  }

  /** EENTER through a TCS page and runs `code` to its EEXIT, or to an exception. */
  *enter(tcs: number, code: Code, handler: UserHandler = () => 0): Routine<Run> {
    let run = yield* this.#enter(tcs, code);
    while (handler(run) === ERESUME) run = yield* this.resume(tcs);
    return run;
  }

  *#enter(tcs: number, code: Code): Routine<Run> {
    yield* this.cpu.load(this.#process);
    for (;;) {
      const refusal = yield* this.#reachTcs(tcs);
      if (refusal !== null) return this.#run('EENTER', refusal);
      const result = yield* this.cpu.enter(this.#enclave, tcs);
      if (result === SgxCode.SUCCESS) break;
      // The page went between the two: the instruction faults and is executed again.
      if (result === LeafFault.PF && this.#table().frame(tcs) === NONE) continue;
      return this.#run('EENTER', leafException(result, tcs));
    }
    const entry = this.cpu.entry as Entry;
    const fetch: Instruction = { do: 'access', kind: Access.EXECUTE, page: this.#text };
    return yield* this.#proceed({ entry, code, instruction: fetch }, true);
  }

  /** ERESUME through a TCS page whose code an exception has stopped: the instruction is executed again. */
  resume(tcs: number): Routine<Run> {
    return this.#resume(tcs, null);
  }

  /** ERESUME after a handler has changed where it goes on: the code that was stopped is given up. */
  resumeAt(tcs: number, code: Code): Routine<Run> {
    return this.#resume(tcs, code);
  }

  *#resume(tcs: number, code: Code | null): Routine<Run> {
    const stopped = this.#stopped.get(tcs);
    if (stopped === undefined) throw new Error(`TCS ${tcs} has no code to resume.`);
    this.#stopped.delete(tcs);
    yield* this.cpu.load(this.#process);
    yield* this.#comeBack(stopped.entry);
    const fetch: Instruction = { do: 'access', kind: Access.EXECUTE, page: this.#text };
    if (code === null) return yield* this.#proceed(stopped, false);
    return yield* this.#proceed({ ...stopped, code, instruction: fetch }, true);
  }

  /** Executes the instruction, then the rest of the code. */
  *#proceed({ entry, code, instruction: first }: Stopped, isAtBegin: boolean): Routine<Run> {
    let instruction = first;
    for (let isFirst = isAtBegin; ; isFirst = false) {
      const done = yield* this.#execute(entry, instruction);
      if (typeof done !== 'number') {
        if (this.cpu.isInside) yield* this.cpu.exitAsynchronously();
        this.#stopped.set(entry.tcs, { entry, code, instruction });
        return this.#run('ERESUME', done);
      }
      const next = isFirst ? code.next() : code.next(done);
      if (next.done === true) {
        do yield* this.#insideOf(entry);
        while (!(yield* this.cpu.exit()));
        return { function: 'EEXIT', vector: 0, code: 0, address: 0, value: next.value };
      }
      instruction = next.value;
    }
  }

  /** One instruction, inside. @returns what it gives, or the exception */
  *#execute(entry: Entry, instruction: Instruction): Routine<number | Exception> {
    const { page } = instruction;
    const kind = instruction.do === 'access' ? instruction.kind : Access.READ;
    if (instruction.do !== 'access') {
      this.cpu.thread.spend(instruction.do === 'eaccept' ? Cost.EACCEPT : Cost.EMODPE);
    }
    for (;;) {
      yield* this.#insideOf(entry);
      const outcome = yield* this.#access(page, kind);
      if (isKilled(outcome)) return this.#pageFault(page, kind, outcome);
      // Thrown out by its own fault or by an interrupt, and not back: the access was not one of enclave code.
      if (!this.cpu.isInside) continue;
      if (instruction.do !== 'access') return this.#leaf(instruction);
      if (outcome === AccessOutcome.EPCM) return this.#pageFault(page, kind, outcome);
      return this.#touch(page, kind, instruction.value ?? 0);
    }
  }

  /** The access itself: contents are one number per page. */
  #touch(page: number, kind: AccessKind, value: number): number {
    const { hardware } = this.#epc;
    const epc = this.#table().frame(page);
    if (kind === Access.WRITE) hardware.setContents(epc, value);
    return kind === Access.WRITE ? value : hardware.entry(epc).contents;
  }

  /** EACCEPT or EMODPE on the page that the walk has found. */
  #leaf(instruction: Exclude<Instruction, { do: 'access' }>): number | Exception {
    const { hardware } = this.#epc;
    const { page, secinfo } = instruction;
    const [epc, linear] = [this.#table().frame(page), this.#enclave.linearPage(page)];
    const result = hardware[instruction.do](this.cpu.id, epc, linear, secinfo);
    return (result & FAULT_FLAG) === 0 ? result : leafException(result, page);
  }

  *#access(page: number, kind: AccessKind): Routine<AccessOutcomeId> {
    const { accesses, machine } = this.#epc;
    const outcome = yield* accesses.access(this.cpu, this.#enclave, page, kind, MAX_FAULTS, this.#record);
    if (outcome === AccessOutcome.RETRY_LIMIT) throw new Error(`Page ${page} is never there.`);
    this.#compareWithHardware(page, kind, outcome);
    machine.returnToUser();
    return outcome;
  }

  /**
   * Error code of the page fault. The facade's record has none: it follows from the outcome, and for a mapping that
   * forbids the access from whether there is an entry.
   */
  #pageFault(page: number, kind: AccessKind, outcome: AccessOutcomeId): Exception {
    const isPresent = isDenied(outcome) && this.#table().frame(page) !== NONE;
    return { vector: PAGE_FAULT, code: pageFaultCode(translatedOf(outcome), kind, isPresent), page };
  }

  /** The hardware's own judgement of the same access is the facade's; not asked after a fault that failed. */
  #compareWithHardware(page: number, kind: AccessKind, outcome: AccessOutcomeId): void {
    if (!this.cpu.isInside || (isKilled(outcome) && !isDenied(outcome))) return;
    const epc = this.#table().frame(page);
    const rights = (this.#table().pte[page] ?? 0) >> 1;
    const mapping = epc === NONE ? null : { page: epc, rights: rights & 7 };
    const linear = this.#enclave.linearPage(page);
    const translated = this.#epc.hardware.access(this.cpu.id, linear, mapping, kind);
    if (translated === translatedOf(outcome)) return;
    throw new Error(`Access outcome ${outcome}, but the hardware says ${translated}.`);
  }

  /** Inside through the TCS again, if the thread is not. */
  *#insideOf(entry: Entry): Routine<void> {
    if (!this.cpu.isInside) yield* this.#comeBack(entry);
  }

  /** ERESUME as often as it takes: its TCS page may have to be loaded, or go again. */
  *#comeBack(entry: Entry): Routine<void> {
    this.cpu.entry = entry;
    for (;;) {
      const refusal = yield* this.#reachTcs(entry.tcs);
      if (refusal !== null) throw new Error(`ERESUME raises vector ${refusal.vector}, ${refusal.code}.`);
      if (yield* this.cpu.resume()) return;
    }
  }

  /** The entry of a TCS page is made. @returns null, or the exception */
  *#reachTcs(tcs: number): Routine<Exception | null> {
    const outcome = yield* this.#access(tcs, Access.READ);
    return isKilled(outcome) ? this.#pageFault(tcs, Access.READ, outcome) : null;
  }

  #table(): PageTable {
    const table = this.#process.mm.table(this.#enclave.id);
    if (table === undefined) throw new Error('The enclave is not mapped.');
    return table;
  }

  #run(leaf: 'EENTER' | 'ERESUME', { vector, code, page }: Exception): Run {
    const address = vector === PAGE_FAULT ? this.#enclave.linearPage(page) * PAGE_BYTES : 0;
    return { function: leaf, vector, code, address, value: 0 };
  }
}

/** The kernel would send a signal; through the vDSO it is an exception. */
function isKilled(outcome: AccessOutcomeId): boolean {
  return translatedOf(outcome) === Translated.PAGE_FAULT;
}

/** The mapping forbids the access: no fault was handled. */
function isDenied(outcome: AccessOutcomeId): boolean {
  return outcome === AccessOutcome.ACCERR || outcome === AccessOutcome.MAPERR;
}

function translatedOf(outcome: AccessOutcomeId): TranslatedId {
  if (outcome === AccessOutcome.EPCM) return Translated.EPCM_FAULT;
  const isDone = outcome === AccessOutcome.HIT || outcome === AccessOutcome.OK;
  return isDone ? Translated.FILLED : Translated.PAGE_FAULT;
}

function leafException(result: LeafResult, page: number): Exception {
  const vector = result & 0xff;
  const refused = PageFaultCode.SGX | PageFaultCode.USER | PageFaultCode.PRESENT;
  return { vector, code: vector === PAGE_FAULT ? refused : 0, page };
}
