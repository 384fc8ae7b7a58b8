import type { Trap } from '../kvm-leaves.js';

/** Vectors that KVM injects. */
export const Vector = {
  /** the instruction does not exist */
  UD: 6,
  /** an operand or a rule forbids it */
  GP: 13,
  /** page fault */
  PF: 14,
} as const;

/** Bits of a page fault's error code. */
export const PageFault = {
  /** the translation exists */
  PRESENT: 1,
  /** a write */
  WRITE: 2,
  /** the EPCM refuses */
  SGX: 1 << 15,
} as const;

/** The guest gets an exception; its instruction has not been executed. */
export interface Injected {
  /** Tells outcomes apart. */
  readonly kind: 'inject';
  /** One of {@link Vector}. */
  readonly vector: number;
  /** Error code; 0 for #UD, which has none. */
  readonly errorCode: number;
  /** Address for CR2 if this is #PF, else null. */
  readonly address: bigint | null;
}

/** The guest goes on behind the instruction. */
export interface Skipped {
  /** Tells outcomes apart. */
  readonly kind: 'skip';
  /** Result code: RAX, with ZF set unless it is 0 and CF, PF, AF, SF and OF clear. Null: registers are not touched. */
  readonly rax: number | null;
}

/** KVM cannot go on: user space has to, and usually stops the virtual machine. */
export interface LeftToUserSpace {
  /** Tells outcomes apart. */
  readonly kind: 'userspace';
  /** `emulation`: the instruction could not be emulated; `unknown`: an exit that nobody has asked for. */
  readonly reason: 'emulation' | 'unknown';
}

/** How the exit of a leaf ends. */
export type EnclsOutcome = Injected | Skipped | LeftToUserSpace;

/** An exception without an address. */
export function inject(vector: number): Injected {
  return { kind: 'inject', vector, errorCode: 0, address: null };
}

/** The instruction is done, and has left nothing in registers. */
export const DONE: Skipped = Object.freeze({ kind: 'skip', rax: null });
/** The instruction could not be emulated. */
export const EMULATION_FAILED: LeftToUserSpace = Object.freeze({ kind: 'userspace', reason: 'emulation' });

/** Which processors guest and host are, as far as faults show it. */
export interface FaultModels {
  /** The processor has SGX2: the EPCM refuses with #PF, else with #GP. */
  readonly hostHasSgx2: boolean;
  /** The guest has been told of SGX2. */
  readonly guestHasSgx2: boolean;
}

/**
 * The fault of a leaf that the host has executed for the guest, as the guest's own processor would show it (Linux
 * `sgx_inject_fault`).
 *
 * @param address guest address of the operand
 */
export function injectTrap(trap: Readonly<Trap>, models: FaultModels, address: bigint): EnclsOutcome {
  const { hostHasSgx2, guestHasSgx2 } = models;
  const isPageFault = trap.vector === Vector.PF;
  // Without SGX2 the EPCM never refuses with #PF: the host address was bad.
  if (isPageFault && !hostHasSgx2) return EMULATION_FAILED;
  if ((isPageFault || !hostHasSgx2) && guestHasSgx2) {
    const errorCode = PageFault.PRESENT | PageFault.WRITE | PageFault.SGX;
    return { kind: 'inject', vector: Vector.PF, errorCode, address };
  }
  return inject(Vector.GP);
}
