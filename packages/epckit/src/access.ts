import type { Enclave, EnclaveDriver, FaultResultId } from '@epckit/enclave';
import { FaultResult } from '@epckit/enclave';
import type {
  AccessKind,
  EpcmCheckResult,
  PageIndex,
  PageTable,
  Routine,
  SgxHardware,
} from '@epckit/interface';
import { Cost, EpcmCheck, NONE, Walk } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import type { UserCpu } from './user-cpu.js';

/** How an access ended. */
export const AccessOutcome = {
  /** the page-table entry was there */
  HIT: 0,
  /** done after faults */
  OK: 1,
  /** the process gets SIGBUS */
  SIGBUS: 2,
  /** the out-of-memory killer is asked */
  OOM: 3,
  /** no mapping covers the page */
  MAPERR: 4,
  /** the mapping does not allow the access */
  ACCERR: 5,
  /** faulted as often as allowed and still no entry */
  RETRY_LIMIT: 6,
  /** the entry is there, the EPCM refuses: {@link AccessRecord.check} says why */
  EPCM: 7,
} as const;
/** Value of {@link AccessOutcome}. */
export type AccessOutcomeId = (typeof AccessOutcome)[keyof typeof AccessOutcome];

/** What an access went through besides its outcome; caller-owned and reused. */
export interface AccessRecord {
  /** Results of the faults that were taken; emptied when an access begins. */
  readonly faults: FaultResultId[];
  /** EPCM's verdict on the access. */
  check: EpcmCheckResult;
  /** The thread was inside an enclave when the access began, and is outside now that it has ended. */
  isOutside: boolean;
}

/** What an access goes through. */
export interface AccessComponents {
  /** Runs the routines. */
  readonly machine: Machine;
  /** Judges accesses by the EPCM. */
  readonly hardware: SgxHardware;
  /** Handles the faults. */
  readonly driver: EnclaveDriver;
}

const walkOutcomes: Readonly<Record<number, AccessOutcomeId>> = {
  [Walk.NO_MAPPING]: AccessOutcome.MAPERR,
  [Walk.NO_RIGHT]: AccessOutcome.ACCERR,
};

/** Accesses of user code: page table, faults, EPCM. The hit path of traces does not come here. */
export class Accesses {
  readonly #machine: Machine;
  readonly #hardware: SgxHardware;
  readonly #driver: EnclaveDriver;

  constructor(components: AccessComponents) {
    this.#machine = components.machine;
    this.#hardware = components.hardware;
    this.#driver = components.driver;
  }

  /**
   * Accesses `page` of an enclave from user code of the process that is loaded on `cpu`. A thread inside the
   * enclave leaves it for each fault and comes back after it.
   *
   * The thread stays outside if its TCS page is not mapped then, or if ERESUME fails: the access is repeated by
   * code outside, and {@link AccessRecord.isOutside} says so. An access to the TCS page and `UserCpu.resume`
   * bring the thread back.
   *
   * @param maxFaults faults after which it gives up
   * @param record receives what happened
   */
  *access(
    cpu: UserCpu,
    enclave: Enclave,
    page: number,
    kind: AccessKind,
    maxFaults: number,
    record: AccessRecord,
  ): Routine<AccessOutcomeId> {
    const { thread } = cpu;
    const { mm } = cpu.process as NonNullable<UserCpu['process']>;
    const beganInside = cpu.isInside;
    empty(record);
    const table = mm.table(enclave.id);
    if (table === undefined) return AccessOutcome.MAPERR;
    for (let hasFaulted = false; ; ) {
      if (thread.clock > thread.limit) yield table.pteAt(page);
      // Another thread has had the CPU at the point.
      while (cpu.isPreempted) {
        yield* cpu.resume();
        if (thread.clock > thread.limit) yield table.pteAt(page);
      }
      let outcome = this.#walk(cpu, table, enclave, page, kind, record);
      if (outcome === null && hasFaulted) {
        // Nothing is mapped: who can make progress gets a chance, a search waits for a change.
        hasFaulted = false;
        this.#machine.returnToUser();
        if (thread.turn('fault', page)) yield thread.changeWaiting;
        continue;
      }
      if (outcome === null && record.faults.length === maxFaults) outcome = AccessOutcome.RETRY_LIMIT;
      if (outcome === null) {
        const fault = yield* this.#fault(cpu, table, enclave, page);
        hasFaulted = true;
        record.faults.push(fault);
        if (fault === FaultResult.SIGBUS) outcome = AccessOutcome.SIGBUS;
        if (fault === FaultResult.OOM) outcome = AccessOutcome.OOM;
      }
      if (outcome === null) continue;
      record.isOutside = beganInside && !cpu.isInside;
      return outcome;
    }
  }

  /** The page walk and, at a hit, the EPCM check. @returns null: page fault */
  #walk(
    cpu: UserCpu,
    table: PageTable,
    enclave: Enclave,
    page: number,
    kind: AccessKind,
    record: AccessRecord,
  ): AccessOutcomeId | null {
    const { mm } = cpu.process as NonNullable<UserCpu['process']>;
    const walk = mm.walk(enclave.id, page, kind);
    if (walk === Walk.NOT_PRESENT) return null;
    if (walk !== Walk.HIT) return walkOutcomes[walk] as AccessOutcomeId;
    record.check = this.#check(cpu, table.frame(page), enclave.linearPage(page), kind);
    if (record.check !== EpcmCheck.OK) return AccessOutcome.EPCM;
    return record.faults.length === 0 ? AccessOutcome.HIT : AccessOutcome.OK;
  }

  /**
   * The EPCM on the page that the entry names, for the enclave that runs. Code outside is taken for code of the
   * enclave that owns the page, so that a trace can be replayed without entering.
   */
  #check(cpu: UserCpu, epc: PageIndex, linearPage: number, kind: AccessKind): EpcmCheckResult {
    const inside = this.#hardware.insideOf(cpu.id);
    const secs = inside === NONE ? this.#hardware.entry(epc).secs : inside;
    return this.#hardware.check(secs, epc, linearPage, kind);
  }

  /** AEX, the kernel's fault handler, ERESUME. @returns result of the handler */
  *#fault(cpu: UserCpu, table: PageTable, enclave: Enclave, page: number): Routine<FaultResultId> {
    const { thread } = cpu;
    const { mm } = cpu.process as NonNullable<UserCpu['process']>;
    const wasInside = cpu.isInside;
    if (wasInside) {
      if (thread.spend(Cost.AEX) > thread.limit) yield cpu.leavingAt;
      cpu.aex();
    }
    thread.spend(Cost.FAULT_KERNEL);
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const vma = table.vmaOf(page);
    let fault: FaultResultId = FaultResult.NOPAGE;
    if (vma !== undefined) fault = yield* this.#driver.faults.fault(thread, mm, vma, enclave, page);
    mm.lock.releaseRead(thread);
    if (wasInside) yield* cpu.resume();
    return fault;
  }
}

/** A record to pass to {@link Accesses.access}. */
export function createAccessRecord(): AccessRecord {
  return { faults: [], check: EpcmCheck.OK, isOutside: false };
}

function empty(record: AccessRecord): void {
  record.faults.length = 0;
  record.check = EpcmCheck.OK;
  record.isOutside = false;
}
