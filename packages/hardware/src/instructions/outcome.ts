import { ExitReason } from '@epckit/interface';

/** Exception vectors that instructions and accesses raise. */
export const Vector = {
  /** invalid opcode */
  UD: 6,
  /** device not available */
  NM: 7,
  /** general protection */
  GP: 13,
  /** page fault */
  PF: 14,
  /** machine check */
  MC: 18,
} as const;
/** Value of {@link Vector}. */
export type VectorId = (typeof Vector)[keyof typeof Vector];

/** An exception. Registers are as before, or as the asynchronous exit has left them. */
export interface FaultOutcome {
  /** Tells outcomes apart. */
  readonly kind: 'fault';
  /** Which exception. */
  readonly vector: VectorId;
  /** Error code that is pushed; 0 for vectors without one. */
  readonly errorCode: number;
  /** CR2 of a page fault, null otherwise. */
  readonly cr2: bigint | null;
  /** Was the processor in an enclave, and so left it before the fault? */
  readonly isExit: boolean;
}

/** A VM exit; the instruction is not completed and RIP is not advanced. */
export interface ExitOutcome {
  /** Tells outcomes apart. */
  readonly kind: 'exit';
  /** 60 ENCLS, 70 ENCLV, 71 SGX conflict. */
  readonly reason: number;
  /** Qualification of reason 71: `SgxConflict`; 0 otherwise. Bit positions are unconfirmed, hence two fields. */
  readonly code: number;
  /** Qualification of reason 71: the code that the leaf would have returned, or 0. */
  readonly error: number;
  /** Conflict codes 2 and 3: guest-linear address of the operand; 0 otherwise. */
  readonly linearAddress: bigint;
  /**
   * Guest-physical address. Conflict codes 2 and 3: where the operand lies, counted from the EPC's start [model];
   * codes 0 and 1: ENCLAVECONTEXT of the SECS.
   */
  readonly physicalAddress: bigint;
}

/**
 * The instruction is over without an event. `done`: registers hold the results. `abort`: a transaction was aborted,
 * which software sees at its fallback address.
 */
export interface PlainOutcome {
  /** Tells outcomes apart. */
  readonly kind: 'done' | 'abort';
}

/** How an instruction ended. */
export type Outcome = PlainOutcome | FaultOutcome | ExitOutcome;

/** The instruction has completed. */
export const DONE: Outcome = Object.freeze({ kind: 'done' });
/** The instruction has aborted a transaction. */
export const ABORT: Outcome = Object.freeze({ kind: 'abort' });

/** A fault; outside an enclave unless the processor finds otherwise. */
export function fault(vector: VectorId, errorCode = 0, cr2: bigint | null = null): FaultOutcome {
  return { kind: 'fault', vector, errorCode, cr2, isExit: false };
}

/** #GP(0). */
export const GP: FaultOutcome = Object.freeze(fault(Vector.GP));
/** #UD. */
export const UD: FaultOutcome = Object.freeze(fault(Vector.UD));
/** #NM. */
export const NM: FaultOutcome = Object.freeze(fault(Vector.NM));

/** A VM exit because the host intercepts the instruction. */
export function interception(reason: typeof ExitReason.ENCLS | typeof ExitReason.ENCLV): ExitOutcome {
  return { kind: 'exit', reason, code: 0, error: 0, linearAddress: 0n, physicalAddress: 0n };
}

/** A VM exit because of a conflict (reason 71). */
export function conflictExit(
  code: number,
  error: number,
  linearAddress: bigint,
  physicalAddress: bigint,
): ExitOutcome {
  return { kind: 'exit', reason: ExitReason.SGX_CONFLICT, code, error, linearAddress, physicalAddress };
}

/**
 * Ends an instruction early. Thrown where an operand is refused and caught by the processor only, so that each leaf
 * reads as the list of its rows.
 */
export class Refusal {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    this.outcome = outcome;
  }
}
