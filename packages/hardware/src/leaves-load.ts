import type { CpuId, LeafResult, PageIndex, PagingBlob } from '@epckit/interface';
import { LeafFault, Mode, NONE, PageType, SgxCode } from '@epckit/interface';
import type { ConflictRow } from './conflicts.js';
import { ConflictRows } from './conflicts.js';
import { FaultOperand } from './faults.js';
import { contextOf } from './leaves-build.js';
import { REFUSED } from './page-contents.js';
import type { Parts } from './parts.js';
import { typeOf } from './secinfo.js';
import { SLOT_COUNT } from './version-arrays.js';

/** How the four loads differ: their rows of the concurrency table, and whether a child page arrives blocked. */
export interface LoadKind {
  /** Row of the target. */
  readonly target: ConflictRow;
  /** Row of the VA page. */
  readonly va: ConflictRow;
  /** Row of the SECS. */
  readonly secs: ConflictRow;
  /** Is the leaf one of ENCLS_C: a conflict is a code? */
  readonly isConditional: boolean;
  /** Does a child page arrive blocked? */
  readonly isBlocked: boolean;
}

/** ELDB, ELDU, ELDBC and ELDUC. */
export const LoadKinds = {
  ELDB: {
    target: ConflictRows.ELDB_TARGET,
    va: ConflictRows.ELDB_VA,
    secs: ConflictRows.ELDB_SECS,
    isConditional: false,
    isBlocked: true,
  },
  ELDU: {
    target: ConflictRows.ELDU_TARGET,
    va: ConflictRows.ELDU_VA,
    secs: ConflictRows.ELDU_SECS,
    isConditional: false,
    isBlocked: false,
  },
  ELDBC: {
    target: ConflictRows.ELDBC_TARGET,
    va: ConflictRows.ELDBC_VA,
    secs: ConflictRows.ELDBC_SECS,
    isConditional: true,
    isBlocked: true,
  },
  ELDUC: {
    target: ConflictRows.ELDUC_TARGET,
    va: ConflictRows.ELDUC_VA,
    secs: ConflictRows.ELDUC_SECS,
    isConditional: true,
    isBlocked: false,
  },
} as const satisfies Readonly<Record<string, LoadKind>>;

/** ELDB, ELDU, ELDBC, ELDUC (SDM vol. 3D): loads an evicted page into a free one and empties the slot. */
export function load(
  parts: Parts,
  kind: LoadKind,
  cpu: CpuId,
  target: PageIndex,
  secs: PageIndex,
  vaPage: PageIndex,
  slot: number,
  blob: Readonly<PagingBlob>,
): LeafResult {
  if (kind.isConditional && !parts.features.enclsC) return LeafFault.GP;
  const { epcm, accesses, versions } = parts;
  const isChild = epcm.isChildType(typeOf(blob.secinfo));
  let refusal = refuseTarget(parts, kind, cpu, target, vaPage, slot);
  if (refusal !== 0) return refusal;
  refusal = refuseSecs(parts, kind, cpu, secs, isChild);
  if (refusal !== 0) return refusal;
  const array = epcm.link(vaPage);
  accesses.slots(vaPage, Mode.READ);
  const version = versions.get(array, slot);
  const isLoaded = isChild
    ? loadChild(parts, target, secs, version, blob)
    : loadImage(parts, target, version, blob);
  if (!isLoaded) return SgxCode.MAC_COMPARE_FAIL;
  if (isChild && kind.isBlocked) epcm.block(target, 0);
  versions.set(array, slot, 0);
  accesses.slots(vaPage, Mode.WRITE);
  accesses.entry(target, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** Rows 1 to 9. */
function refuseTarget(
  parts: Parts,
  kind: LoadKind,
  cpu: CpuId,
  target: PageIndex,
  vaPage: PageIndex,
  slot: number,
): LeafResult {
  const { epcm, locks, accesses, faults } = parts;
  if (!epcm.isEpc(target)) return faults.notEpc(FaultOperand.PAGE, target);
  if ((slot & (SLOT_COUNT - 1)) !== slot) return LeafFault.GP;
  if (!epcm.isEpc(vaPage)) return faults.notEpc(FaultOperand.VA, vaPage);
  let conflict = locks.judge(cpu, kind.target, target);
  if (conflict !== 0) return conflict;
  conflict = locks.judge(cpu, kind.va, vaPage);
  if (conflict !== 0) return conflict;
  accesses.entry(target, Mode.READ);
  if (epcm.isValid(target)) return faults.at(FaultOperand.PAGE);
  accesses.entry(vaPage, Mode.READ);
  return epcm.isVersionArray(vaPage) ? SgxCode.SUCCESS : faults.at(FaultOperand.VA);
}

/** Rows 10 to 14. Row 13 is missing in the SDM's flow. [model] */
function refuseSecs(parts: Parts, kind: LoadKind, cpu: CpuId, secs: PageIndex, isChild: boolean): LeafResult {
  const { epcm, faults } = parts;
  if (!isChild) return secs === NONE ? SgxCode.SUCCESS : LeafFault.GP;
  if (!epcm.isEpc(secs)) return faults.notEpc(FaultOperand.SECS, secs);
  const conflict = parts.locks.judge(cpu, kind.secs, secs);
  if (conflict !== 0) return conflict;
  parts.accesses.entry(secs, Mode.READ);
  return epcm.isSecs(secs) ? SgxCode.SUCCESS : faults.at(FaultOperand.SECS);
}

/** Row 15 for a child: code 9 ([corrected] the SDM's list of exceptions says #GP). PCMD.ENCLAVEID is not looked at: the EID comes from the SECS. */
function loadChild(
  parts: Parts,
  target: PageIndex,
  secs: PageIndex,
  version: number,
  blob: Readonly<PagingBlob>,
): boolean {
  const { epcm, secsTable, contents, accesses } = parts;
  if (version === 0) return false;
  const handle = contents.open(version, secsTable.enclaveId(epcm.link(secs)), blob);
  if (handle === REFUSED) return false;
  epcm.install(target, blob.secinfo, secs, blob.linearPage, handle);
  secsTable.addChildren(epcm.link(secs), 1);
  accesses.children(secs, Mode.ADD);
  return true;
}

/** Row 15 for a SECS, which comes back with its counters, or a VA page, which comes back with its slots. */
function loadImage(parts: Parts, target: PageIndex, version: number, blob: Readonly<PagingBlob>): boolean {
  const { epcm, secsTable, contents, images, accesses } = parts;
  if (version === 0 || !contents.isImageAuthentic(version, blob)) return false;
  const type = typeOf(blob.secinfo);
  const link = images.take(type, version);
  if (link === undefined) return false;
  epcm.install(target, blob.secinfo, link, 0, 0);
  if (type === PageType.VA) {
    accesses.slots(target, Mode.WRITE);
    return true;
  }
  secsTable.setContext(link, contextOf(target));
  accesses.tracking(target, Mode.WRITE);
  accesses.children(target, Mode.WRITE);
  return true;
}
