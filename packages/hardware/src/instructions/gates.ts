import { ExitReason } from '@epckit/interface';
import type { SgxFeatures } from '../features.js';
import type { LogicalProcessor } from './logical-processor.js';
import type { Outcome } from './outcome.js';
import { ABORT, GP, interception, NM, UD } from './outcome.js';

/** What the checks before the leaf flow look at. */
export interface Gate {
  readonly lp: LogicalProcessor;
  readonly features: SgxFeatures;
  /** CPUID SGX1: a machine check has not disabled SGX. */
  readonly hasSgx1: boolean;
  /** EAX. */
  readonly leaf: number;
  /** Is the processor in an enclave? */
  readonly isInside: boolean;
}

/** A row of the checks before the leaf flow: what the instruction ends with, or null. */
type GateRow = (gate: Gate) => Outcome | null;

/** ENCLS, in order. The row of expand-down data segments exists outside 64-bit mode only. [model] */
const ENCLS: readonly GateRow[] = [
  ({ lp }) => when(lp.isInTransaction, ABORT),
  (gate) => when(isImpossible(gate) || !gate.hasSgx1, UD),
  ({ lp }) => when(lp.cpl > 0, UD),
  ({ lp, leaf }) => when(isIntercepted(lp, lp.enclsExiting, leaf), interception(ExitReason.ENCLS)),
  ({ lp }) => when(isOff(lp), GP),
  ({ leaf, features }) => when(!hasEncls(leaf, features), GP),
  ({ lp }) => when(!lp.isPaged, GP),
];

/** ENCLV, in order. [model] A machine check that has cleared SGX1 has cleared CPUID 0x12.0 EAX bit 5 too. */
const ENCLV: readonly GateRow[] = [
  ({ lp }) => when(lp.isInTransaction, ABORT),
  (gate) => when(isImpossible(gate) || !gate.hasSgx1 || !gate.features.enclv, UD),
  ({ lp }) => when(lp.vmx === 'off' || lp.isCompatibility, UD),
  ({ lp }) => when(lp.cpl > 0, UD),
  ({ lp }) => when(lp.vmx === 'non-root' && lp.enclvExiting === null, UD),
  ({ lp, leaf }) => when(isIntercepted(lp, lp.enclvExiting, leaf), interception(ExitReason.ENCLV)),
  ({ lp }) => when(isOff(lp), GP),
  ({ leaf }) => when(leaf > LAST_ENCLV, GP),
  ({ lp }) => when(!lp.isPaged, GP),
];

/** ENCLU, in order. */
const ENCLU: readonly GateRow[] = [
  ({ lp }) => when(lp.isInTransaction, ABORT),
  (gate) => when(isImpossible(gate) || !gate.hasSgx1, UD),
  ({ lp }) => when(lp.isTaskSwitched, NM),
  ({ lp }) => when(lp.cpl < 3, UD),
  ({ lp }) => when(isOff(lp), GP),
  ({ leaf, features }) => when(!hasEnclu(leaf, features), GP),
  ({ lp }) => when(!lp.isPaged || !lp.reportsNumericErrors, GP),
  ({ leaf, isInside }) => when(isInside === isEntry(leaf), GP),
];

const LAST_ENCLV = 2;
const LAST_INTERCEPTED = 63;
const EENTER = 2;
const ERESUME = 3;

/** Checks of ENCLS before the leaf (SDM vol. 3D, ENCLS). @returns null if the leaf runs */
export function gateEncls(gate: Gate): Outcome | null {
  return first(ENCLS, gate);
}
/** Checks of ENCLV before the leaf (SDM vol. 3D, ENCLV). @returns null if the leaf runs */
export function gateEnclv(gate: Gate): Outcome | null {
  return first(ENCLV, gate);
}
/** Checks of ENCLU before the leaf (SDM vol. 3D, ENCLU). @returns null if the leaf runs */
export function gateEnclu(gate: Gate): Outcome | null {
  return first(ENCLU, gate);
}

function first(rows: readonly GateRow[], gate: Gate): Outcome | null {
  for (const row of rows) {
    const outcome = row(gate);
    if (outcome !== null) return outcome;
  }
  return null;
}

function when(holds: boolean, outcome: Outcome): Outcome | null {
  return holds ? outcome : null;
}

function isImpossible({ lp }: Gate): boolean {
  return !lp.isProtected || lp.isVirtual8086 || lp.isInSmm;
}

function isOff(lp: LogicalProcessor): boolean {
  return !lp.isFeatureLocked || !lp.isSgxEnabled;
}

/** Bit 63 of the bitmap covers all leaves from 63 on, also those that do not exist. */
function isIntercepted(lp: LogicalProcessor, bitmap: bigint | null, leaf: number): boolean {
  if (lp.vmx !== 'non-root' || bitmap === null) return false;
  return ((bitmap >> BigInt(Math.min(leaf, LAST_INTERCEPTED))) & 1n) === 1n;
}

function hasEncls(leaf: number, { sgx2, enclsC, eupdatesvn }: SgxFeatures): boolean {
  if (leaf <= 0x0c) return true;
  if (leaf <= 0x0f) return sgx2;
  if (leaf <= 0x13) return enclsC;
  return leaf === 0x18 && eupdatesvn;
}

/** EVERIFYREPORT2 (8) is not modelled: CPUID 0x12.0 EAX bit 7 is 0. */
function hasEnclu(leaf: number, { sgx2, aexNotify }: SgxFeatures): boolean {
  if (leaf <= 4) return true;
  if (leaf <= 7) return sgx2;
  return leaf === 9 && aexNotify;
}

function isEntry(leaf: number): boolean {
  return leaf === EENTER || leaf === ERESUME;
}
