import type { CpuId, PageIndex } from './ids.js';
import type { LeafId } from './leaf.js';
import type { Op, Routine, Thread } from './routine.js';
import type { LeafResult } from './sgx-code.js';

/** Page types as in EPCM.PT (SDM vol. 3D, 38.19). */
export const PageType = {
  /** control structure of an enclave */
  SECS: 0,
  /** entry point of a thread */
  TCS: 1,
  /** code or data */
  REG: 2,
  /** version array: 512 versions of evicted pages */
  VA: 3,
  /** on its way out (EMODT) */
  TRIM: 4,
  /** first page of a shadow stack; number unconfirmed */
  SS_FIRST: 5,
  /** further page of a shadow stack; number unconfirmed */
  SS_REST: 6,
} as const;
/** Value of {@link PageType}. */
export type PageTypeId = (typeof PageType)[keyof typeof PageType];

/** Bits of SECINFO.FLAGS (SDM vol. 3D, 38.11); the page type is in bits 15:8. */
export const SecInfo = {
  /** enclave code may read the page */
  R: 1,
  /** enclave code may write the page */
  W: 2,
  /** enclave code may execute the page */
  X: 4,
  /** waits for EACCEPT after EAUG */
  PENDING: 8,
  /** waits for EACCEPT after EMODT */
  MODIFIED: 0x10,
  /** waits for EACCEPT after EMODPR */
  PR: 0x20,
  /** position of the {@link PageType} */
  TYPE_SHIFT: 8,
} as const;

/** SECINFO of a page that EAUG adds without being told a type: REG, readable and writable. */
export const AUGMENTED_SECINFO = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);

/**
 * Values of an EPC page operand that name no EPC page. Leaves take any other negative number for
 * {@link PageOperand.NULL}.
 */
export const PageOperand = {
  /** address 0, or no operand; the same value as {@link NONE} */
  NULL: -1,
  /** an address that is not 0, page-aligned, and outside the EPC */
  OUTSIDE: -2,
  /** an address that is not aligned to 4096 bytes */
  MISALIGNED: -3,
} as const;

/** Attributes of a SECS that the model looks at (SDM vol. 3D, 38.7). */
export const Attribute = {
  /** EINIT has succeeded */
  INIT: 1,
  /** EDBGRD and EDBGWR are allowed */
  DEBUG: 2,
  /** 64-bit enclave */
  MODE64BIT: 4,
  /** may derive the provisioning key */
  PROVISIONKEY: 0x10,
  /** may derive the launch key */
  EINITTOKENKEY: 0x20,
  /** control-flow enforcement inside */
  CET: 0x40,
  /** key separation and sharing: CONFIGID and the extended identity are in use */
  KSS: 0x80,
  /** threads may ask to be told of asynchronous exits; position unconfirmed */
  AEXNOTIFY: 0x400,
} as const;

/**
 * What ECREATE takes from the source SECS. Linear addresses are page numbers (address / 4096); one that is not
 * an integer stands for an address that is not page-aligned.
 */
export interface SecsSource {
  /** First page of ELRANGE, a multiple of {@link pageCount}. */
  readonly basePage: number;
  /** Size of ELRANGE in pages: a power of two, at least 2. */
  readonly pageCount: number;
  /** Bits of {@link Attribute}. */
  readonly attributes: number;
  /** SSA frame size in pages. */
  readonly ssaFrameSize: number;
  /** XFRM; `3n` (x87 and SSE) if left out. */
  readonly xfrm?: bigint | undefined;
  /** MISCSELECT; 0 if left out. */
  readonly miscSelect?: number | undefined;
  /** CET_ATTRIBUTES; 0 if left out. */
  readonly cetAttributes?: number | undefined;
  /** CET_LEG_BITMAP_OFFSET in bytes; `0n` if left out. */
  readonly cetBitmapOffset?: bigint | undefined;
  /** CONFIGID, 64 bytes; zeros if left out. */
  readonly configId?: Uint8Array | undefined;
  /** CONFIGSVN; 0 if left out. */
  readonly configSvn?: number | undefined;
  /** Are all reserved bytes 0? `true` if left out. */
  readonly isReservedZero?: boolean | undefined;
}

/** Flexible launch control of a processor: software may say whose enclaves start without a token. */
export interface LaunchControl {
  /**
   * Writes the four hash MSRs (IA32_SGXLEPUBKEYHASH0 … 3) of a CPU. Plain, and the EINIT that it is for follows without a
   * point in between. `hash`: 64 hexadecimal digits in the order of memory.
   */
  writeHash(cpu: CpuId, hash: string): void;
}

/**
 * What EINIT takes from SIGSTRUCT (SDM vol. 3D, 38.13). A field that is left out is not checked, or 0 where it
 * is only stored: `{}` accepts whatever was built.
 */
export interface SigStruct {
  /** Expected measurement (ENCLAVEHASH) as 64 hexadecimal digits, or undefined: accept whatever was measured. */
  readonly measurement?: string | undefined;
  /** Is the layout legal: headers, vendor, exponent 3, reserved bytes? `true` if left out. */
  readonly isWellFormed?: boolean | undefined;
  /** Does the RSA signature verify? `true` if left out. */
  readonly isAuthentic?: boolean | undefined;
  /**
   * MRSIGNER: SHA-256 of MODULUS as 64 hexadecimal digits. If left out the processor's launch control is
   * taken to agree and MRSIGNER becomes 0.
   */
  readonly signer?: string | undefined;
  /** ATTRIBUTES that the enclave must have where {@link attributeMask} is set. */
  readonly attributes?: number | undefined;
  /** ATTRIBUTEMASK; 0 if left out: nothing is compared. */
  readonly attributeMask?: number | undefined;
  /** Upper half of ATTRIBUTES: XFRM to compare where {@link xfrmMask} is set. */
  readonly xfrm?: bigint | undefined;
  /** Upper half of ATTRIBUTEMASK; 0 if left out. */
  readonly xfrmMask?: bigint | undefined;
  /** MISCSELECT to compare where {@link miscMask} is set. */
  readonly miscSelect?: number | undefined;
  /** MISCMASK; 0 if left out. */
  readonly miscMask?: number | undefined;
  /** CET_ATTRIBUTES to compare where {@link cetMask} is set. */
  readonly cetAttributes?: number | undefined;
  /** CET_ATTRIBUTES_MASK; 0 if left out. */
  readonly cetMask?: number | undefined;
  /** Is ISVFAMILYID 0? `true` if left out. */
  readonly isFamilyIdZero?: boolean | undefined;
  /** ISVPRODID, stored. */
  readonly productId?: number | undefined;
  /** ISVSVN, stored. */
  readonly securityVersion?: number | undefined;
}

/** What EINIT takes from an EINITTOKEN (SDM vol. 3D, 38.14). */
export interface InitToken {
  /** VALID, bit 0. */
  readonly isValid: boolean;
  /** Reserved bytes 0, and not a token of a debug launch enclave for a production enclave? `true` if left out. */
  readonly isWellFormed?: boolean | undefined;
  /** Is its CPUSVN one that the processor has? `true` if left out. */
  readonly isCpuSvnKnown?: boolean | undefined;
  /** Does its MAC verify? `true` if left out. */
  readonly isAuthentic?: boolean | undefined;
  /** MRENCLAVE as 64 hexadecimal digits. */
  readonly measurement: string;
  /** MRSIGNER as 64 hexadecimal digits. */
  readonly signer: string;
  /** ATTRIBUTES. */
  readonly attributes: number;
  /** Upper half of ATTRIBUTES: XFRM. Not compared if left out. */
  readonly xfrm?: bigint | undefined;
}

/** What ERDINFO writes (SDM vol. 3D, 38; offsets unconfirmed). Caller-owned and reused. */
export interface RdInfo {
  /** STATUS bit 0 CHILDPRESENT, bit 1 VIRTCHILDPRESENT. */
  status: number;
  /** {@link SecInfo} bits and page type. */
  flags: number;
  /** FLAGS bit 63. */
  blocked: boolean;
  /** ENCLAVECONTEXT. */
  context: number;
}

/** Eight bytes that EDBGRD fills. Caller-owned and reused. */
export interface DebugWord {
  /** The bytes as a little-endian number below 2^64. */
  value: bigint;
}

/**
 * What EWB writes outside the EPC and ELDx reads back: contents, PCMD and PAGEINFO.LINADDR. Caller-owned and
 * reused; EWB fills every field.
 */
export interface PagingBlob {
  /** Tag that stands for the 4096 encrypted bytes. */
  contents: number;
  /** PCMD.SECINFO.FLAGS: permissions, PENDING, MODIFIED, PR and page type. */
  secinfo: number;
  /** PCMD.ENCLAVEID: a hint, not authenticated. */
  enclaveId: number;
  /** PAGEINFO.LINADDR as a page number, `0` for SECS and VA. */
  linearPage: number;
  /** Low 32 bits of PCMD.MAC. */
  macLow: number;
  /** High 32 bits of PCMD.MAC. */
  macHigh: number;
}

/** Kinds of access by enclave code. */
export const Access = {
  /** data read */
  READ: 0,
  /** data write */
  WRITE: 1,
  /** instruction fetch */
  EXECUTE: 2,
} as const;
/** Value of {@link Access}. */
export type AccessKind = (typeof Access)[keyof typeof Access];

/** Outcome of the EPCM check when a translation is made (SDM vol. 3D, 38.3; first match). */
export const EpcmCheck = {
  /** access allowed */
  OK: 0,
  /** the entry is not valid */
  INVALID: 1,
  /** EBLOCK forbids new translations */
  BLOCKED: 2,
  /** not accepted yet after EAUG */
  PENDING: 3,
  /** not accepted yet after EMODT */
  MODIFIED: 4,
  /** SECS, TCS, VA or TRIM: never directly accessible */
  TYPE: 5,
  /** the page belongs to another enclave */
  OWNER: 6,
  /** the page belongs to another linear address */
  ADDRESS: 7,
  /** R, W or X is missing */
  PERMISSION: 8,
  /** the memory is broken: the access ends in a machine check */
  POISON: 9,
} as const;
/** Value of {@link EpcmCheck}. */
export type EpcmCheckResult = (typeof EpcmCheck)[keyof typeof EpcmCheck];

/** Hidden tracking state of a SECS, as far as the SDM lets it be observed. */
export interface TrackingState {
  /** Successful ETRACKs since ECREATE; goes on when the SECS was evicted and is back. */
  readonly epoch: number;
  /** CPUs inside that entered in the current epoch. */
  readonly current: number;
  /** CPUs inside that entered in the epoch before. */
  readonly previous: number;
  /** Valid child pages in the EPC. */
  readonly children: number;
}

/** One valid or free EPCM entry, for reports and invariants. */
export interface EpcmEntry {
  /** VALID; everything else means nothing while it is false. */
  readonly valid: boolean;
  /** PT. */
  readonly type: PageTypeId;
  /** {@link SecInfo} bits R, W, X, PENDING, MODIFIED, PR. */
  readonly flags: number;
  /** BLOCKED. */
  readonly blocked: boolean;
  /** SECS page, or `-1`. */
  readonly secs: PageIndex;
  /** ENCLAVEADDRESS as a page number. */
  readonly linearPage: number;
  /** Tag of the page's contents, an integer from 0 to 2^40 - 1; for a TCS page plus 2^40 · CSSA. */
  readonly contents: number;
}

/**
 * The processor's side of the EPC: one plain function per leaf, checks in the SDM's order, result by value.
 *
 * A leaf is atomic when it is just called. A caller that wants it to take time brackets it: {@link acquire}
 * at its start, the leaf and {@link complete} at its end; meanwhile leaves of other CPUs conflict as the
 * SDM's concurrency tables say. Operands are EPC page indices; `-1` stands for an address outside the EPC.
 * No function blocks or calls back (except the probe); leaves on child pages do not allocate.
 */
export interface SgxHardware {
  /** Number of EPC pages. */
  readonly pageCount: number;
  /** Goes up with every change of the EPCM. */
  readonly changes: number;
  /**
   * Op to yield before a leaf whose main operand is `page` (`page`, `secs` and `vaPage` as for {@link acquire}).
   * With `cpu` and `leaf` it also announces the leaf, so that the explored world can let others overlap with it.
   */
  leafAt(page: PageIndex, cpu?: CpuId, leaf?: LeafId, secs?: PageIndex, vaPage?: PageIndex): Op;
  /**
   * Takes what `leaf` holds while it runs (SDM concurrency tables). One leaf at a time per CPU. `page` is the
   * main operand (RCX: the SECS for ECREATE, EINIT and ETRACK, the TCS for entries); `secs` and `vaPage` are
   * `-1` where the leaf has no such operand. A conflict is reported to the probe as the leaf's end.
   *
   * Experimental: no routine brackets its leaves yet.
   *
   * @experimental
   * @returns 0, or the outcome that a conflicting leaf gets; nothing is held then
   */
  acquire(cpu: CpuId, leaf: LeafId, page: PageIndex, secs: PageIndex, vaPage: PageIndex): LeafResult;
  /**
   * Gives back what {@link acquire} took. Experimental as {@link acquire}.
   *
   * @experimental
   */
  complete(cpu: CpuId): void;
  /**
   * Lets the host act on the exit that the last leaf on the thread's CPU has answered ({@link EXIT_FLAG}); the caller
   * repeats the leaf, see `servedByHost`. Native hardware never exits and does not have it.
   *
   * @experimental
   */
  serve?(thread: Thread): Routine<void>;

  /** ECREATE: `target` becomes a SECS. */
  ecreate(cpu: CpuId, target: PageIndex, source: SecsSource): LeafResult;
  /** EADD: `target` becomes a measured-in TCS or REG page at `linearPage`. `secinfo`: {@link SecInfo} bits and type. */
  eadd(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    linearPage: number,
    secinfo: number,
    contents: number,
  ): LeafResult;
  /** EEXTEND of the 256-byte chunk `chunk` (0 … 15) of `page`. */
  eextend(cpu: CpuId, page: PageIndex, secs: PageIndex, chunk: number): LeafResult;
  /** EINIT. Without a token, or with one that is not valid, launch control compares the signer. */
  einit(cpu: CpuId, secs: PageIndex, signature: SigStruct, token?: InitToken): LeafResult;
  /** EREMOVE. */
  eremove(cpu: CpuId, page: PageIndex): LeafResult;
  /** EPA: `target` becomes a version array page. */
  epa(cpu: CpuId, target: PageIndex): LeafResult;
  /** EBLOCK. */
  eblock(cpu: CpuId, page: PageIndex): LeafResult;
  /** ETRACK. */
  etrack(cpu: CpuId, secs: PageIndex): LeafResult;
  /**
   * Does EWB refuse the page as not tracked at the moment: for want of an ETRACK since EBLOCK or, `alsoInside`, because
   * somebody is inside who entered before it? For who must know what the next EWB costs, so it is no leaf. With
   * `alsoInside` only directly after a point. Hardware that leaves it out does not say.
   *
   * @experimental
   */
  isUntracked?(page: PageIndex, alsoInside: boolean): boolean;
  /** EWB of `page` into `blob`, its version into slot `slot` (0 … 511) of `vaPage`. */
  ewb(cpu: CpuId, page: PageIndex, vaPage: PageIndex, slot: number, blob: PagingBlob): LeafResult;
  /** ELDU of `blob` into `target`; `secs` is `-1` for SECS and VA pages. */
  eldu(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult;
  /** ELDB: as ELDU, but a child page arrives blocked. */
  eldb(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult;
  /** ELDBC: as ELDB, but a conflict is code 7. */
  eldbc(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult;
  /** ELDUC: as ELDU, but a conflict is code 7. */
  elduc(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    vaPage: PageIndex,
    slot: number,
    blob: Readonly<PagingBlob>,
  ): LeafResult;
  /** ETRACKC: ETRACK for the enclave of any page; a conflict is code 7. */
  etrackc(cpu: CpuId, page: PageIndex): LeafResult;
  /**
   * EAUG: `target` becomes a PENDING page at `linearPage` of an initialised enclave. `secinfo`: 0 for a REG page,
   * else {@link SecInfo} bits and type of a shadow-stack page.
   */
  eaug(cpu: CpuId, target: PageIndex, secs: PageIndex, linearPage: number, secinfo: number): LeafResult;
  /** EMODPR: takes away every permission that `secinfo` has not. */
  emodpr(cpu: CpuId, page: PageIndex, secinfo: number): LeafResult;
  /** EMODT: changes the type to the one in `secinfo`, TCS or TRIM. */
  emodt(cpu: CpuId, page: PageIndex, secinfo: number): LeafResult;
  /** EDBGRD of the 8 bytes at `offset` (a multiple of 8) into `word`. */
  edbgrd(cpu: CpuId, page: PageIndex, offset: number, word: DebugWord): LeafResult;
  /** EDBGWR of the 8 bytes at `offset` (a multiple of 8). */
  edbgwr(cpu: CpuId, page: PageIndex, offset: number, value: bigint): LeafResult;
  /** ERDINFO into `info`, which is written on success only. */
  erdinfo(cpu: CpuId, page: PageIndex, info: RdInfo): LeafResult;
  /** EUPDATESVN. */
  eupdatesvn(cpu: CpuId): LeafResult;
  /** EINCVIRTCHILD: one evicted child more of `secs`, which owns `page` or is it. */
  eincvirtchild(cpu: CpuId, page: PageIndex, secs: PageIndex): LeafResult;
  /** EDECVIRTCHILD: one evicted child less. */
  edecvirtchild(cpu: CpuId, page: PageIndex, secs: PageIndex): LeafResult;
  /** ESETCONTEXT: sets ENCLAVECONTEXT of `secs`. */
  esetcontext(cpu: CpuId, secs: PageIndex, context: number): LeafResult;
  /**
   * EACCEPT by the enclave that `cpu` is in: it expects `page` to be at `linearPage` with `secinfo`
   * ({@link SecInfo} bits R, W, X, PENDING, MODIFIED, PR and type).
   */
  eaccept(cpu: CpuId, page: PageIndex, linearPage: number, secinfo: number): LeafResult;
  /** EMODPE by the enclave that `cpu` is in: adds the permissions of `secinfo`. */
  emodpe(cpu: CpuId, page: PageIndex, linearPage: number, secinfo: number): LeafResult;
  /** EACCEPTCOPY by the enclave that `cpu` is in: `page` gets contents of `source` and permissions of `secinfo`. */
  eacceptcopy(
    cpu: CpuId,
    page: PageIndex,
    linearPage: number,
    source: PageIndex,
    sourceLinearPage: number,
    secinfo: number,
  ): LeafResult;
  /** EENTER through `tcs`, which software reaches at `linearPage`. */
  eenter(cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult;
  /** ERESUME through `tcs`. */
  eresume(cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult;
  /** EDECCSSA by the enclave that `cpu` is in. */
  edeccssa(cpu: CpuId): LeafResult;
  /** EEXIT. */
  eexit(cpu: CpuId): LeafResult;
  /** Asynchronous exit; does nothing if the CPU is not inside. @returns true if it was inside */
  aex(cpu: CpuId): boolean;

  /** SECS page of the enclave that `cpu` executes in, or `-1`. */
  insideOf(cpu: CpuId): PageIndex;
  /** May code of the enclave `secs` access `page` at `linearPage`? Judged as for a TLB miss. */
  check(secs: PageIndex, page: PageIndex, linearPage: number, kind: AccessKind): EpcmCheckResult;
  /** Puts new contents into a page that the enclave writes to. */
  setContents(page: PageIndex, contents: number): void;

  /** Reads an entry for reports and invariants. Allocates. */
  entry(page: PageIndex): EpcmEntry;
  /** Is the entry valid? Plain and cheap. */
  isValid(page: PageIndex): boolean;
  /** Reads the tracking state of a SECS for reports and invariants. Allocates. */
  tracking(secs: PageIndex): TrackingState;
  /** Number of occupied slots of a version array page, for reports and invariants. */
  occupiedSlots(vaPage: PageIndex): number;
  /** Loses all EPC contents (power cycle): every entry invalid, every CPU outside, new paging key. */
  powerCycle(): void;
}
