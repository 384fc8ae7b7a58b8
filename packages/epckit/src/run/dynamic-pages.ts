import type { Enclave, FaultResultId } from '@epckit/enclave';
import type { AccessKind, LeafId, Routine } from '@epckit/interface';
import {
  Access,
  AUGMENTED_SECINFO,
  Cost,
  EpcmCheck,
  Leaf,
  LeafFault,
  PageType,
  SecInfo,
  SgxCode,
} from '@epckit/interface';
import type { AccessOutcomeId, AccessRecord } from '../access.js';
import { AccessOutcome } from '../access.js';
import type { Epc } from '../create-epc.js';
import type { UserCpu } from '../user-cpu.js';

/** Performs one access of a program, whatever it takes; see `Accesses.access`. */
export interface ProgramAccess {
  /** Accesses a page of the enclave. */
  access(
    cpu: UserCpu,
    enclave: Enclave,
    page: number,
    kind: AccessKind,
    maxFaults: number,
    record: AccessRecord,
  ): Routine<AccessOutcomeId>;
}

/** Rights that EMODPE adds to a page of code: EAUG gives R and W. */
const EXECUTABLE = SecInfo.R | SecInfo.X | (PageType.REG << SecInfo.TYPE_SHIFT);

/**
 * Accesses of a program whose pages are added on first touch (SGX2): the access faults, the kernel adds the page
 * (EAUG), and code of the enclave accepts it (EACCEPT) before the access is repeated. Pages with code that is executed
 * are made executable then (EMODPE).
 *
 * [model] The thread that faulted accepts. Another thread that comes in between finds the page as if it were accepted.
 */
export class AcceptingAccesses implements ProgramAccess {
  readonly #epc: Epc;
  /** Per page: is it executed? */
  readonly #isExecuted: Uint8Array;

  /** @param isExecuted - one entry per page of the trace, 1 if the trace executes the page */
  constructor(epc: Epc, isExecuted: Uint8Array) {
    this.#epc = epc;
    this.#isExecuted = isExecuted;
  }

  *access(
    cpu: UserCpu,
    enclave: Enclave,
    page: number,
    kind: AccessKind,
    maxFaults: number,
    record: AccessRecord,
  ): Routine<AccessOutcomeId> {
    let faultsBefore: readonly FaultResultId[] = [];
    for (let left = maxFaults; ; left--) {
      const result = yield* this.#epc.accesses.access(cpu, enclave, page, kind, maxFaults, record);
      if (faultsBefore.length > 0) record.faults.unshift(...faultsBefore);
      const isRefused = result === AccessOutcome.EPCM;
      const isNew = isRefused && record.check === EpcmCheck.PENDING;
      const isCode = isRefused && record.check === EpcmCheck.PERMISSION && this.#isExecuted[page] === 1;
      if (!isNew && !isCode) return result;
      if (left <= 0) return AccessOutcome.RETRY_LIMIT;
      faultsBefore = [...record.faults];
      if (!cpu.isInside && !(yield* cpu.resume())) yield* this.#reachTcs(cpu, maxFaults, record);
      else if (isNew) yield* this.#accept(cpu, enclave, page);
      else yield* this.#makeExecutable(cpu, enclave, page);
    }
  }

  /** An interrupt threw the thread out and its TCS page was gone when it returned. */
  *#reachTcs(cpu: UserCpu, maxFaults: number, record: AccessRecord): Routine<void> {
    const { entry } = cpu;
    if (entry === null) return;
    yield* this.#epc.accesses.access(cpu, entry.enclave, entry.tcs, Access.READ, maxFaults, record);
  }

  /** EACCEPT, and EMODPE for code. Nothing happens if the page is reclaimed meanwhile: the access is repeated. */
  *#accept(cpu: UserCpu, enclave: Enclave, page: number): Routine<void> {
    const epc = yield* this.#reach(cpu, enclave, page, Cost.EACCEPT, Leaf.EACCEPT);
    if (epc < 0) return;
    const secinfo = AUGMENTED_SECINFO | SecInfo.PENDING;
    const result = this.#epc.hardware.eaccept(cpu.id, epc, enclave.linearPage(page), secinfo);
    const isCode = this.#isExecuted[page] === 1;
    if (result === SgxCode.SUCCESS && isCode) yield* this.#makeExecutable(cpu, enclave, page);
  }

  *#makeExecutable(cpu: UserCpu, enclave: Enclave, page: number): Routine<void> {
    const epc = yield* this.#reach(cpu, enclave, page, Cost.EMODPE, Leaf.EMODPE);
    if (epc >= 0) this.#epc.hardware.emodpe(cpu.id, epc, enclave.linearPage(page), EXECUTABLE);
  }

  /** The point before a leaf. @returns EPC page that the leaf finds; negative: none, or the thread is outside */
  *#reach(
    cpu: UserCpu,
    enclave: Enclave,
    page: number,
    cost: typeof Cost.EACCEPT | typeof Cost.EMODPE,
    leaf: LeafId,
  ): Routine<number> {
    const { thread } = cpu;
    const table = cpu.process?.mm.table(enclave.id);
    if (table === undefined) return LeafFault.PF;
    if (thread.clock > thread.limit) yield table.pteAt(page);
    const epc = table.frame(page);
    if (epc < 0 || !cpu.isInside) return LeafFault.PF;
    if (thread.spend(cost) > thread.limit) yield this.#epc.hardware.leafAt(epc, cpu.id, leaf);
    return cpu.isInside ? table.frame(page) : LeafFault.PF;
  }
}

/** Which pages do runs execute? One entry per page. */
export function executedPages(
  parts: readonly { readonly page: Uint32Array; readonly type: Uint8Array }[],
  pageCount: number,
): Uint8Array {
  const isExecuted = new Uint8Array(pageCount);
  for (const { page, type } of parts) {
    for (let run = 0; run < page.length; run++)
      if (type[run] === Access.EXECUTE) isExecuted[page[run] as number] = 1;
  }
  return isExecuted;
}
