import type { Enclave, EnclaveDriver, FaultResultId } from '@epckit/enclave';
import { FaultResult } from '@epckit/enclave';
import type { AccessKind, EpcmCheckResult, Routine, SgxHardware } from '@epckit/interface';
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
    record.faults.length = 0;
    record.check = EpcmCheck.OK;
    const table = mm.table(enclave.id);
    if (table === undefined) return AccessOutcome.MAPERR;
    for (;;) {
      if (thread.clock > thread.limit) yield table.pteAt(page);
      const walk = mm.walk(enclave.id, page, kind);
      if (walk === Walk.HIT) return this.#checked(enclave, page, kind, record);
      if (walk !== Walk.NOT_PRESENT) return walkOutcomes[walk] as AccessOutcomeId;
      if (record.faults.length === maxFaults) return AccessOutcome.RETRY_LIMIT;
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
      const tcs = wasInside ? cpu.mappedTcs() : NONE;
      if (tcs !== NONE) {
        if (thread.spend(Cost.ERESUME) > thread.limit) yield this.#hardware.leafAt(tcs);
        cpu.eresume(tcs);
      }
      record.faults.push(fault);
      if (fault === FaultResult.SIGBUS) return AccessOutcome.SIGBUS;
      if (fault === FaultResult.OOM) return AccessOutcome.OOM;
      if (table.pte[page] !== 0) continue;
      // Nothing was mapped: who can make progress gets a chance, a search waits for a change.
      this.#machine.returnToUser();
      if (thread.turn('fault', page)) yield thread.changeWaiting;
    }
  }

  /** The entry is there: the EPCM decides. */
  #checked(enclave: Enclave, page: number, kind: AccessKind, record: AccessRecord): AccessOutcomeId {
    const epc = enclave.records.epc(page);
    const linear = enclave.linearPage(page);
    record.check = epc === NONE ? EpcmCheck.INVALID : this.#hardware.check(enclave.secs, epc, linear, kind);
    if (record.check !== EpcmCheck.OK) return AccessOutcome.EPCM;
    return record.faults.length === 0 ? AccessOutcome.HIT : AccessOutcome.OK;
  }
}

/** A record to pass to {@link Accesses.access}. */
export function createAccessRecord(): AccessRecord {
  return { faults: [], check: EpcmCheck.OK };
}
