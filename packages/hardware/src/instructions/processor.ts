import type { AccessKind, CpuId } from '@epckit/interface';
import type { AccessOutcome } from './access.js';
import { judgeAccess } from './access.js';
import type { ThreadSlot } from './entry.js';
import { gateEncls, gateEnclu, gateEnclv } from './gates.js';
import type { InitVerifiers } from './init.js';
import type { ProcessorComponents } from './instruction.js';
import { Instruction } from './instruction.js';
import { flowOf } from './leaf-table.js';
import type { LogicalProcessor } from './logical-processor.js';
import { createLogicalProcessor } from './logical-processor.js';
import type { FaultOutcome, Outcome } from './outcome.js';
import { Refusal, Vector } from './outcome.js';
import type { Registers } from './registers.js';
import { exitAsynchronously } from './thread.js';

/** Switches of {@link createProcessor}. */
export interface ProcessorOptions extends InitVerifiers {
  /** State of the logical processors in the beginning; see {@link createLogicalProcessor}. */
  readonly state?: Partial<LogicalProcessor> | undefined;
  /**
   * Does SGX survive a machine check, as on newer servers? `false` if left out: SDM-2016 disables SGX until the reset.
   * [model]
   */
  readonly survivesMachineChecks?: boolean | undefined;
}

/**
 * ENCLS, ENCLV and ENCLU as a processor executes them: registers and memory instead of page indices, and every check in
 * the order of the SDM. Each call is one instruction and atomic; nothing is changed by an instruction that faults or
 * leaves the guest, except by the asynchronous exit that a fault inside an enclave causes.
 */
export interface Processor {
  /** State of a logical processor, for software to change. */
  logical(cpu: CpuId): LogicalProcessor;
  /** ENCLS with the leaf in EAX. */
  encls(cpu: CpuId, registers: Registers): Outcome;
  /** ENCLV with the leaf in EAX. */
  enclv(cpu: CpuId, registers: Registers): Outcome;
  /** ENCLU with the leaf in EAX. @throws HardwareMisuse for EREPORT and EGETKEY in an enclave */
  enclu(cpu: CpuId, registers: Registers): Outcome;
  /** An access by user code at a linear address. A fault inside an enclave is an asynchronous exit first. */
  access(cpu: CpuId, registers: Registers, address: bigint, kind: AccessKind): AccessOutcome;
  /** An interrupt, or anything else that is no exception: an asynchronous exit. @returns was the processor inside? */
  interrupt(cpu: CpuId, registers: Registers): boolean;
  /** CPUID SGX1: no machine check has disabled SGX. */
  readonly isSgxAvailable: boolean;
  /** A machine check somewhere in the package. */
  machineCheck(): void;
  /** Reset: the EPC is empty, all processors are outside, SGX is there again. Registers of software are not touched. */
  reset(): void;
}

const ENCLV_LEAVES = 0x100;
const ENCLU_LEAVES = 0x200;

/** Makes the instructions of a package. One per hardware: it knows which threads are inside. */
export function createProcessor(components: ProcessorComponents, options: ProcessorOptions = {}): Processor {
  return new ModelledProcessor(components, options);
}

class ModelledProcessor implements Processor {
  readonly #components: ProcessorComponents;
  readonly #options: ProcessorOptions;
  readonly #logical: readonly LogicalProcessor[];
  readonly #slots: readonly ThreadSlot[];
  #isSgxAvailable = true;

  constructor(components: ProcessorComponents, options: ProcessorOptions) {
    const cpus = Array.from({ length: components.hardware.cpuCount });
    this.#components = components;
    this.#options = options;
    this.#logical = cpus.map(() => createLogicalProcessor(options.state));
    this.#slots = cpus.map(() => ({ thread: null }));
  }

  get isSgxAvailable(): boolean {
    return this.#isSgxAvailable;
  }
  logical(cpu: CpuId): LogicalProcessor {
    return this.#logical[cpu] as LogicalProcessor;
  }

  encls(cpu: CpuId, registers: Registers): Outcome {
    return this.#run(cpu, registers, gateEncls, 0);
  }
  enclv(cpu: CpuId, registers: Registers): Outcome {
    return this.#run(cpu, registers, gateEnclv, ENCLV_LEAVES);
  }
  enclu(cpu: CpuId, registers: Registers): Outcome {
    return this.#run(cpu, registers, gateEnclu, ENCLU_LEAVES);
  }

  access(cpu: CpuId, registers: Registers, address: bigint, kind: AccessKind): AccessOutcome {
    const outcome = judgeAccess(this.#components, cpu, address, kind);
    if (outcome.kind === 'done') return outcome;
    const delivered = this.#deliver(cpu, registers, outcome);
    if (outcome.vector === Vector.MC) this.machineCheck();
    return delivered;
  }
  interrupt(cpu: CpuId, registers: Registers): boolean {
    return this.#leave(cpu, registers, null);
  }
  machineCheck(): void {
    if (this.#options.survivesMachineChecks !== true) this.#isSgxAvailable = false;
  }
  reset(): void {
    this.#components.hardware.powerCycle();
    for (const slot of this.#slots) slot.thread = null;
    this.#isSgxAvailable = true;
  }

  #run(cpu: CpuId, registers: Registers, gate: typeof gateEncls, firstLeaf: number): Outcome {
    const { hardware } = this.#components;
    const lp = this.logical(cpu);
    const leaf = Number(registers.rax & 0xffff_ffffn);
    const isInside = hardware.insideOf(cpu) >= 0;
    hardware.setExtended(cpu, lp.vmx === 'non-root' && lp.hasEpcExtensions);
    const state = { lp, features: hardware.features, hasSgx1: this.#isSgxAvailable, leaf, isInside };
    const outcome = gate(state) ?? this.#flow(cpu, registers, firstLeaf + leaf, lp.cpl === 3);
    return outcome.kind === 'fault' ? this.#deliver(cpu, registers, outcome) : outcome;
  }
  #flow(cpu: CpuId, registers: Registers, leaf: number, isUser: boolean): Outcome {
    const instruction = new Instruction(this.#components, cpu, leaf, registers, isUser);
    const slot = this.#slots[cpu] as ThreadSlot;
    const surroundings = { components: this.#components, slot, verifiers: this.#options };
    try {
      return flowOf(leaf)(instruction, surroundings);
    } catch (error) {
      if (error instanceof Refusal) return error.outcome;
      throw error;
    }
  }

  /** A fault inside an enclave is an asynchronous exit, and loses the low bits of its address. */
  #deliver(cpu: CpuId, registers: Registers, event: FaultOutcome): FaultOutcome {
    if (!this.#leave(cpu, registers, event)) return event;
    return { ...event, cr2: event.cr2 === null ? null : event.cr2 & ~0xfffn, isExit: true };
  }
  /** [model] A thread that did not enter through this processor exits without saved registers. */
  #leave(cpu: CpuId, registers: Registers, event: FaultOutcome | null): boolean {
    const slot = this.#slots[cpu] as ThreadSlot;
    if (slot.thread === null || this.#components.hardware.insideOf(cpu) < 0) {
      slot.thread = null;
      return this.#components.hardware.aex(cpu);
    }
    exitAsynchronously(this.#components, cpu, slot.thread, registers, event);
    slot.thread = null;
    return true;
  }
}
