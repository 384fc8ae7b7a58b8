import type { Enclave, EnclaveDriver, FaultResultId } from '@epckit/enclave';
import { FaultResult } from '@epckit/enclave';
import type {
  AccessKind,
  AddressSpace,
  EpcmCheckResult,
  PageIndex,
  PageTable,
  Routine,
} from '@epckit/interface';
import { Cost, EpcmCheck, NONE, servedByHost, Walk } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import type { GuestEpc } from './guest-epc.js';
import type { GuestHardware } from './guest-hardware.js';
import type { VirtualCpu } from './virtual-cpu.js';

/** How an access of guest code ended. */
export const GuestAccess = {
  /** done */
  OK: 0,
  /** the process gets SIGBUS of the guest's kernel */
  SIGBUS: 1,
  /** no mapping covers the page, or it does not allow the access */
  NO_MAPPING: 2,
  /** both page tables have the page, the EPCM refuses: {@link GuestAccessRecord.check} says why */
  EPCM: 3,
  /** faulted as often as allowed and still no entry */
  FAULT_LIMIT: 4,
} as const;
/** Value of {@link GuestAccess}. */
export type GuestAccessId = (typeof GuestAccess)[keyof typeof GuestAccess];

/** What an access went through; caller-owned and reused. */
export interface GuestAccessRecord {
  /** Faults that the guest's kernel has handled. */
  faults: number;
  /** EPT violations that the host has handled. */
  violations: number;
  /** The EPCM's verdict. */
  check: EpcmCheckResult;
}

/** What accesses of a guest go through. */
export interface GuestAccessParts {
  /** Runs the routines. */
  readonly machine: Machine;
  /** The guest's view of the processor. */
  readonly hardware: GuestHardware;
  /** Guest-physical EPC. */
  readonly epc: GuestEpc;
  /** The guest's driver. */
  readonly driver: EnclaveDriver;
  /** The memory of a page is broken, and guest code has touched it. @throws GuestHalted */
  machineCheck(cpu: VirtualCpu, page: PageIndex): Routine<void>;
}

/** Accesses of guest code: the guest's page table, the extended page table, the EPCM. */
export class GuestAccesses {
  readonly #parts: GuestAccessParts;

  constructor(parts: GuestAccessParts) {
    this.#parts = parts;
  }

  /**
   * Accesses `page` of an enclave from guest code of the process that is loaded on `cpu`. A thread inside the enclave is
   * thrown out by each fault and each EPT violation, and resumes after it if it can.
   *
   * @param maxFaults faults and violations after which it gives up
   */
  *access(
    cpu: VirtualCpu,
    enclave: Enclave,
    page: number,
    kind: AccessKind,
    maxFaults: number,
    record: GuestAccessRecord,
  ): Routine<GuestAccessId> {
    const { thread } = cpu;
    const mm = cpu.process as AddressSpace;
    const table = mm.table(enclave.id);
    record.faults = 0;
    record.violations = 0;
    record.check = EpcmCheck.OK;
    if (table === undefined) return GuestAccess.NO_MAPPING;
    for (;;) {
      if (thread.clock > thread.limit) yield table.pteAt(page);
      const walk = mm.walk(enclave.id, page, kind);
      if (walk !== Walk.HIT && walk !== Walk.NOT_PRESENT) return GuestAccess.NO_MAPPING;
      const frame = walk === Walk.HIT ? table.frame(page) : NONE;
      if (frame !== NONE && this.#parts.epc.translate(frame) !== NONE) {
        record.check = this.#check(cpu, enclave, frame, page, kind);
        if (record.check === EpcmCheck.POISON) yield* this.#parts.machineCheck(cpu, frame);
        return record.check === EpcmCheck.OK ? GuestAccess.OK : GuestAccess.EPCM;
      }
      if (record.faults + record.violations >= maxFaults) return GuestAccess.FAULT_LIMIT;
      if (frame !== NONE) {
        record.violations++;
        yield* this.#violate(cpu, frame);
        continue;
      }
      const fault = yield* this.#fault(cpu, table, enclave, page);
      record.faults++;
      if (fault === FaultResult.SIGBUS || fault === FaultResult.OOM) return GuestAccess.SIGBUS;
      this.#parts.machine.returnToUser();
      if (thread.turn('guest fault', page)) yield thread.changeWaiting;
    }
  }

  /**
   * Performs an access if both page tables have the page: the hit path of traces, which sets accessed bits on both
   * levels. The EPCM is not asked, as translations of a thread inside are cached. Plain.
   */
  hits(cpu: VirtualCpu, enclave: Enclave, table: PageTable, page: number, kind: AccessKind): boolean {
    const mm = cpu.process as AddressSpace;
    if (mm.walk(enclave.id, page, kind) !== Walk.HIT) return false;
    return this.#parts.epc.translate(table.frame(page)) !== NONE;
  }

  /** The EPCM, for the enclave that runs. Code outside is taken for code of the enclave that the page is of. */
  #check(
    cpu: VirtualCpu,
    enclave: Enclave,
    frame: PageIndex,
    page: number,
    kind: AccessKind,
  ): EpcmCheckResult {
    const { hardware } = this.#parts;
    const inside = hardware.insideOf(cpu.id);
    const secs = inside === NONE ? hardware.entry(frame).secs : inside;
    return hardware.check(secs, frame, enclave.linearPage(page), kind);
  }

  /** AEX and VM exit, the host's fault, ERESUME. */
  *#violate(cpu: VirtualCpu, frame: PageIndex): Routine<void> {
    const { hardware } = this.#parts;
    const wasInside = cpu.isInside;
    if (wasInside) yield* cpu.exitAsynchronously();
    hardware.violate(cpu.id, frame);
    yield* servedByHost(hardware, cpu.thread);
    if (wasInside) yield* cpu.resume();
  }

  /** AEX, the guest kernel's fault handler, ERESUME. @returns result of the handler */
  *#fault(cpu: VirtualCpu, table: PageTable, enclave: Enclave, page: number): Routine<FaultResultId> {
    const { thread } = cpu;
    const { lock } = cpu.process as AddressSpace;
    const mm = cpu.process as AddressSpace;
    const wasInside = cpu.isInside;
    if (wasInside) yield* cpu.exitAsynchronously();
    thread.spend(Cost.FAULT_KERNEL);
    while (lock.mustWaitRead(thread)) yield lock.acquireRead;
    const vma = table.vmaOf(page);
    let fault: FaultResultId = FaultResult.NOPAGE;
    if (vma !== undefined) fault = yield* this.#parts.driver.faults.fault(thread, mm, vma, enclave, page);
    lock.releaseRead(thread);
    if (wasInside) yield* cpu.resume();
    return fault;
  }
}

/** A record to pass to {@link GuestAccesses.access}. */
export function createGuestAccessRecord(): GuestAccessRecord {
  return { faults: 0, violations: 0, check: EpcmCheck.OK };
}
