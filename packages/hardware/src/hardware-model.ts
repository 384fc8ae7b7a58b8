import type {
  AccessKind,
  CpuId,
  LeafOverlaps,
  LeafResult,
  PageIndex,
  SgxHardware,
  TrackingState,
} from '@epckit/interface';
import type { FaultOperandId } from './faults.js';
import type { SgxFeatures } from './features.js';
import type { Platform } from './platform.js';
import type { EnclaveEntry } from './secs-table.js';
import type { StaleTranslation } from './tlbs.js';
import type { PageMapping, TranslatedId } from './translate.js';

/** The contract plus what instructions, reports, invariants and replays look at. */
export interface HardwareModel extends SgxHardware {
  /** Number of logical processors. */
  readonly cpuCount: number;
  /** What the processor can do. */
  readonly features: SgxFeatures;
  /** Launch key, security versions, pending events, control registers. */
  readonly platform: Platform;
  /** Announced leaves, for worlds in which a leaf takes time. */
  readonly overlaps: LeafOverlaps;
  /**
   * The leaf that `cpu` has announced is one of a guest: it cannot have begun any more once `isReachable` says that the
   * host has taken an operand away, which waits for leaves that run. Not called while no leaf is announced.
   */
  boundAnnouncement(cpu: CpuId, isReachable: () => boolean): void;
  /** The leaf that `cpu` has announced is not executed: a guest has left before it. */
  withdraw(cpu: CpuId): void;
  /** Grows with every change of an EPCM entry: VALID, type, permissions, BLOCKED. */
  readonly changes: number;
  /** Number of SECS and VA pages that are outside the EPC and can still be loaded. */
  readonly savedImages: number;
  /** EID that ECREATE gave out last, 0 for none. */
  readonly lastEnclaveId: number;
  /** Version that EWB gave out last, 0 for none; for invariants. */
  readonly lastVersion: number;
  /** Which operand the last page fault of a leaf was about. */
  readonly faultOperand: FaultOperandId;
  /** Linear page of the last fault about a save state area. */
  readonly faultLinearPage: number;
  /** Pages that left the EPC although a processor could still reach them (I9); empty without TLBs. */
  readonly staleTranslations: readonly StaleTranslation[];

  /** EADD of 4096 real bytes, otherwise as {@link SgxHardware.eadd}. @throws HardwareMisuse in the tag mode */
  eaddBytes(
    cpu: CpuId,
    target: PageIndex,
    secs: PageIndex,
    linearPage: number,
    secinfo: number,
    bytes: Uint8Array,
  ): LeafResult;
  /** First operand of EACCEPT, EMODPE and EACCEPTCOPY: a SECINFO in a readable page of the enclave. @returns 0 or the fault */
  refuseSecinfoPage(cpu: CpuId, page: PageIndex, linearPage: number): LeafResult;
  /**
   * An access of user code on `cpu`: TLB, page table, EPCM. Fills the TLB if the processor keeps one. The caller
   * does what follows from the outcome, such as {@link SgxHardware.aex} before a fault is handled.
   */
  access(cpu: CpuId, linearPage: number, mapping: PageMapping | null, kind: AccessKind): TranslatedId;
  /**
   * Runs `action` as if `cpu` were inside the enclave of `secs`. No entry is made or counted: for scripts and traces
   * that play leaves of enclave code without a thread inside. Exits need one: they throw HardwareMisuse.
   */
  within<T>(cpu: CpuId, secs: PageIndex, action: () => T): T;
  /** Moves a processor into or out of a guest with "enable EPC virtualization extensions". */
  setExtended(cpu: CpuId, extended: boolean): void;
  /** The memory of an EPC page is broken from now on, until the power is lost. */
  poison(page: PageIndex): void;

  /** Valid child pages of a SECS in the EPC. Plain and cheap. @throws HardwareMisuse if `secs` is no SECS */
  secsChildren(secs: PageIndex): number;
  /** VIRTCHILDCNT of a SECS. @throws HardwareMisuse if `secs` is no SECS */
  virtualChildren(secs: PageIndex): number;
  /** ENCLAVECONTEXT of a SECS. @throws HardwareMisuse if `secs` is no SECS */
  enclaveContext(secs: PageIndex): number;
  /** Enclave range, attributes and EID of a SECS. @throws HardwareMisuse if `secs` is no SECS */
  enclave(secs: PageIndex): EnclaveEntry;
  /** MRENCLAVE of a SECS so far, 64 hexadecimal digits. @throws HardwareMisuse if `secs` is no SECS */
  measurement(secs: PageIndex): string;
  /** Tracking state by EID, also while the SECS is outside the EPC; null if the enclave is gone. Allocates. */
  trackingOf(enclaveId: number): TrackingState | null;
  /** EPC page that `cpu` entered through, or `-1` outside. */
  tcsOf(cpu: CpuId): PageIndex;
  /** Version in a slot of a version array page, 0 if empty; for invariants. */
  versionIn(vaPage: PageIndex, slot: number): number;
}
