/**
 * Codes that leaf functions return in RAX (SDM vol. 3D; newer names first, older names in the comment).
 */
export const SgxCode = {
  /** no error */
  SUCCESS: 0,
  /** EINIT: SIGSTRUCT is malformed */
  INVALID_SIG_STRUCT: 1,
  /** EINIT, EGETKEY: an attribute is not allowed */
  INVALID_ATTRIBUTE: 2,
  /** EBLOCK: already blocked (SGX_BLKSTATE) */
  BLSTATE: 3,
  /** EINIT: the measurement differs from SIGSTRUCT */
  INVALID_MEASUREMENT: 4,
  /** EBLOCK: a page of this type cannot be blocked */
  NOTBLOCKABLE: 5,
  /** EBLOCK, ETRACKC, ERDINFO: the EPC page is not valid */
  PG_INVLD: 6,
  /** a leaf on another CPU uses the page (older name: SGX_LOCKFAIL) */
  EPC_PAGE_CONFLICT: 7,
  /** EINIT: the signature does not verify */
  INVALID_SIGNATURE: 8,
  /** ELDx: contents, metadata or version were changed */
  MAC_COMPARE_FAIL: 9,
  /** EWB: the page was not blocked before */
  PAGE_NOT_BLOCKED: 10,
  /** EWB, EACCEPT: a CPU may still have a translation */
  NOT_TRACKED: 11,
  /** EWB: the slot held a version, which is overwritten; the page was written nevertheless */
  VA_SLOT_OCCUPIED: 12,
  /** EREMOVE, EWB: the SECS has pages in the EPC */
  CHILD_PRESENT: 13,
  /** EREMOVE: a thread is inside the enclave */
  ENCLAVE_ACT: 14,
  /** EBLOCK: the epoch is being changed */
  ENTRYEPOCH_LOCKED: 15,
  /** EINIT: the launch token is not accepted (older name: SGX_INVALID_LICENSE) */
  INVALID_EINITTOKEN: 16,
  /** ETRACK, ETRACKC: the tracking cycle before has not ended */
  PREV_TRK_INCMPL: 17,
  /** EBLOCK: the page is a SECS */
  PG_IS_SECS: 18,
  /** EACCEPT, EACCEPTCOPY: the page is not what the enclave expects */
  PAGE_ATTRIBUTES_MISMATCH: 19,
  /** EMODPR, EMODT: the page is in a state that forbids the change */
  PAGE_NOT_MODIFIABLE: 20,
  /** EDBGRD, EDBGWR: the page cannot be read or written by a debugger */
  PAGE_NOT_DEBUGGABLE: 21,
  /** EDECVIRTCHILD: the count is zero (value unconfirmed) */
  INVALID_COUNTER: 25,
  /** ERDINFO: not an EPC page (value unconfirmed) */
  PG_NONEPC: 26,
  /** ETRACKC: pages of this type are not tracked */
  TRACK_NOT_REQUIRED: 27,
  /** EVERIFYREPORT2: the report does not verify (unconfirmed) */
  INVALID_REPORTMACSTRUCT: 28,
  /** EUPDATESVN: no random number was to be had */
  INSUFFICIENT_ENTROPY: 29,
  /** EUPDATESVN: the EPC is in use */
  EPC_NOT_READY: 30,
  /** EUPDATESVN: nothing new */
  NO_UPDATE: 31,
  /** EINIT, EGETKEY: the CPU security version is too high */
  INVALID_CPUSVN: 32,
  /** EGETKEY: the security version of the enclave is too high */
  INVALID_ISVSVN: 64,
  /** EINIT: interrupted, to be repeated */
  UNMASKED_EVENT: 128,
  /** EGETKEY: there is no such key */
  INVALID_KEYNAME: 256,
} as const;
/** Name of a code without the `SGX_` prefix. */
export type SgxCodeName = keyof typeof SgxCode;

/** Reverse look-up: `sgxCodeNames[11] === 'NOT_TRACKED'`. */
export const sgxCodeNames: Readonly<Record<number, SgxCodeName>> = Object.freeze(
  Object.fromEntries(Object.entries(SgxCode).map(([name, value]) => [value, name])) as Record<
    number,
    SgxCodeName
  >,
);

/**
 * Set in a {@link LeafResult} when the leaf faulted; the low bits hold the vector
 * (Linux `SGX_ENCLS_FAULT_FLAG`).
 */
export const FAULT_FLAG = 0x40000000;

/**
 * Set in a {@link LeafResult} when a guest's leaf left the guest instead of completing; bits 7:0 hold the
 * {@link ExitReason}. The host acts and the guest repeats the leaf: {@link isExit}, `servedByHost`.
 * Native hardware never returns it. Experimental: one guest uses it.
 *
 * @experimental
 */
export const EXIT_FLAG = 0x20000000;

/** Why a guest's leaf left the guest with reason 71 (SDM vol. 3C, SGX conflict; numbers from VMM headers). */
export const SgxConflict = {
  /** ETRACK or ETRACKC is running on the enclave */
  TRACKING_RESOURCE: 0,
  /** the tracking cycle before has not ended */
  TRACKING_REFERENCE: 1,
  /** a page is in use; natively the leaf faults */
  EPC_PAGE_EXCEPTION: 2,
  /** a page is in use; natively the leaf returns code 7 */
  EPC_PAGE_ERROR: 3,
} as const;
/** Value of {@link SgxConflict}. */
export type SgxConflictId = (typeof SgxConflict)[keyof typeof SgxConflict];

/** Basic reasons of VM exits that leaves cause (SDM vol. 3D, appendix C). */
export const ExitReason = {
  /** an operand has no translation in the extended page table */
  EPT_VIOLATION: 48,
  /** ENCLS is intercepted */
  ENCLS: 60,
  /** ENCLV is intercepted */
  ENCLV: 70,
  /** a conflict that the host is to resolve */
  SGX_CONFLICT: 71,
} as const;

/** {@link LeafResult} of a guest's leaf that meets a conflict: exit reason in bits 7:0, its code in bits 9:8. */
export const ConflictExit = {
  /** see {@link SgxConflict} */
  TRACKING_RESOURCE: EXIT_FLAG | (SgxConflict.TRACKING_RESOURCE << 8) | ExitReason.SGX_CONFLICT,
  /** see {@link SgxConflict} */
  TRACKING_REFERENCE: EXIT_FLAG | (SgxConflict.TRACKING_REFERENCE << 8) | ExitReason.SGX_CONFLICT,
  /** see {@link SgxConflict} */
  EPC_PAGE_EXCEPTION: EXIT_FLAG | (SgxConflict.EPC_PAGE_EXCEPTION << 8) | ExitReason.SGX_CONFLICT,
  /** see {@link SgxConflict} */
  EPC_PAGE_ERROR: EXIT_FLAG | (SgxConflict.EPC_PAGE_ERROR << 8) | ExitReason.SGX_CONFLICT,
} as const;

/** {@link LeafResult} of a guest's leaf that the host executes instead (ENCLS exiting). */
export const ENCLS_EXIT = EXIT_FLAG | ExitReason.ENCLS;
/** {@link LeafResult} of a guest's leaf with an operand that the host has not mapped. */
export const EPT_EXIT = EXIT_FLAG | ExitReason.EPT_VIOLATION;

/** Faults of leaf functions as {@link LeafResult} values. */
export const LeafFault = {
  /** #UD: the leaf does not exist here */
  UD: FAULT_FLAG | 6,
  /** #NM: device not available */
  NM: FAULT_FLAG | 7,
  /** #GP: an operand or a conflict forbids it */
  GP: FAULT_FLAG | 13,
  /** #PF: not an EPC page, or its EPCM entry is not as needed */
  PF: FAULT_FLAG | 14,
} as const;

/**
 * Outcome of a leaf: `0` or an {@link SgxCode}; a {@link LeafFault}; or {@link EXIT_FLAG} with an exit reason.
 * A conflict with a leaf on another CPU is one of these, as the SDM's concurrency tables say.
 */
export type LeafResult = number;

/** Has the leaf left the guest instead of completing? Always false natively. */
export function isExit(result: LeafResult): boolean {
  return (result & EXIT_FLAG) !== 0;
}

/**
 * Does Linux warn about this result (`encls_failed`)? Any code, and any fault but #PF, which only says that
 * the EPC contents were lost. An exit is no result yet. Control flow looks at zero or not, never at this.
 */
export function leafFailed(result: LeafResult): boolean {
  return result !== SgxCode.SUCCESS && result !== LeafFault.PF && !isExit(result);
}
