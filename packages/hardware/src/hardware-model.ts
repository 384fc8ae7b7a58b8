import type { PageIndex, SgxHardware, TrackingState } from '@epckit/interface';
import type { EnclaveEntry } from './secs-table.js';

/** The contract plus what reports, invariants and replays look at. */
export interface HardwareModel extends SgxHardware {
  /** Number of logical processors. */
  readonly cpuCount: number;
  /** Grows with every change of an EPCM entry: VALID, type, permissions, BLOCKED. */
  readonly changes: number;
  /** Number of SECS and VA pages that are outside the EPC and can still be loaded. */
  readonly savedImages: number;

  /** Valid child pages of a SECS in the EPC. Plain and cheap. @throws HardwareMisuse if `secs` is no SECS */
  secsChildren(secs: PageIndex): number;
  /** Enclave range, attributes and EID of a SECS. @throws HardwareMisuse if `secs` is no SECS */
  enclave(secs: PageIndex): EnclaveEntry;
  /** Measurement of a SECS so far, 64 hexadecimal digits. @throws HardwareMisuse if `secs` is no SECS */
  measurement(secs: PageIndex): string;
  /** Tracking state by EID, also while the SECS is outside the EPC; null if the enclave is gone. Allocates. */
  trackingOf(enclaveId: number): TrackingState | null;
  /** EPC page that `cpu` entered through, or `-1` outside. */
  tcsOf(cpu: number): PageIndex;
}
