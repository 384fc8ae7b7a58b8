import type { InitToken, LeafId, LeafResult, PageIndex, SecsSource, SigStruct } from '@epckit/interface';
import { EpckitError } from '@epckit/interface';

/** A leaf or an access met a page that the host has not mapped. */
export interface EptViolation {
  /** Tells exits apart. */
  readonly kind: 'ept';
  /** EPC page of the guest. */
  readonly page: PageIndex;
}

/** ECREATE is executed by the host. */
export interface EcreateExit {
  /** Tells exits apart. */
  readonly kind: 'ecreate';
  /** Operand, an EPC page of the guest. */
  readonly secs: PageIndex;
  /** What the guest has put into the source SECS. */
  readonly source: SecsSource;
}

/** EINIT is executed by the host. */
export interface EinitExit {
  /** Tells exits apart. */
  readonly kind: 'einit';
  /** Operand, an EPC page of the guest. */
  readonly secs: PageIndex;
  /** SIGSTRUCT of the guest. */
  readonly signature: SigStruct;
  /** EINITTOKEN of the guest. */
  readonly token: InitToken | undefined;
}

/** Another leaf that the bitmap intercepts. */
export interface EnclsExit {
  /** Tells exits apart. */
  readonly kind: 'encls';
  /** The leaf. */
  readonly leaf: LeafId;
}

/** A leaf met a conflict that the host may have caused (exit reason 71). */
export interface ConflictVmExit {
  /** Tells exits apart. */
  readonly kind: 'conflict';
  /** One of `ConflictExit`. */
  readonly result: LeafResult;
  /** The leaf. */
  readonly leaf: LeafId;
  /** Main operand, an EPC page of the guest. */
  readonly page: PageIndex;
  /** ENCLAVECONTEXT of the SECS, 0 where there is none. */
  readonly context: number;
}

/** The guest has been stopped: it never gets on. */
export interface HaltedExit {
  /** Tells exits apart. */
  readonly kind: 'halted';
}

/** Why the last leaf on a CPU has left the guest. */
export type GuestExit = EptViolation | EcreateExit | EinitExit | EnclsExit | ConflictVmExit | HaltedExit;

/** The guest kernel that the thread belongs to does not run any more. Thrown through its routines, never out of them. */
export class GuestHalted extends EpckitError {
  constructor(reason: string) {
    super('EPCKIT_GUEST_HALTED', reason);
  }
}
