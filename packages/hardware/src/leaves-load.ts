import type { CpuId, LeafResult, PageIndex, PagingBlob } from '@epckit/interface';
import { LeafFault, Mode, NONE, SecInfo, SgxCode } from '@epckit/interface';
import { ConflictRows } from './conflicts.js';
import { isChildType } from './epcm.js';
import type { Parts } from './parts.js';
import { SLOT_COUNT } from './version-arrays.js';

/** ELDU (SDM vol. 3D): loads an evicted page into a free one, not blocked, and empties the slot. */
export function eldu(
  parts: Parts,
  cpu: CpuId,
  target: PageIndex,
  secs: PageIndex,
  vaPage: PageIndex,
  slot: number,
  blob: Readonly<PagingBlob>,
): LeafResult {
  const isChild = isChildType(blob.secinfo >>> SecInfo.TYPE_SHIFT);
  let refusal = refuseTarget(parts, cpu, target, vaPage, slot);
  if (refusal !== 0) return refusal;
  refusal = refuseSecs(parts, cpu, secs, isChild);
  if (refusal !== 0) return refusal;
  const { epcm, accesses } = parts;
  const array = epcm.link(vaPage);
  accesses.slots(vaPage, Mode.READ);
  const version = parts.versions.get(array, slot);
  if (!isAuthentic(parts, secs, version, blob)) return SgxCode.MAC_COMPARE_FAIL;
  const link = isChild ? secs : parts.images.take(blob.secinfo >>> SecInfo.TYPE_SHIFT, version);
  if (link === undefined) return SgxCode.MAC_COMPARE_FAIL;

  parts.versions.set(array, slot, 0);
  epcm.install(target, blob.secinfo, link, blob.linearPage, isChild ? blob.contents : 0);
  accesses.slots(vaPage, Mode.WRITE);
  accesses.entry(target, Mode.WRITE);
  if (isChild) {
    parts.secsTable.addChildren(epcm.link(secs), 1);
    accesses.children(secs, Mode.ADD);
  } else {
    announceImage(parts, target);
  }
  return SgxCode.SUCCESS;
}

/** Rows 1 to 9. */
function refuseTarget(
  parts: Parts,
  cpu: CpuId,
  target: PageIndex,
  vaPage: PageIndex,
  slot: number,
): LeafResult {
  const { epcm, locks, accesses } = parts;
  if (!epcm.isEpc(target)) return LeafFault.PF;
  if ((slot & (SLOT_COUNT - 1)) !== slot) return LeafFault.GP;
  if (!epcm.isEpc(vaPage)) return LeafFault.PF;
  let conflict = locks.judge(cpu, ConflictRows.ELDU_TARGET, target);
  if (conflict !== 0) return conflict;
  conflict = locks.judge(cpu, ConflictRows.ELDU_VA, vaPage);
  if (conflict !== 0) return conflict;
  accesses.entry(target, Mode.READ);
  if (epcm.isValid(target)) return LeafFault.PF;
  accesses.entry(vaPage, Mode.READ);
  return epcm.isVersionArray(vaPage) ? SgxCode.SUCCESS : LeafFault.PF;
}

/** Rows 10 to 14. */
function refuseSecs(parts: Parts, cpu: CpuId, secs: PageIndex, isChild: boolean): LeafResult {
  const { epcm } = parts;
  if (!isChild) return secs === NONE ? SgxCode.SUCCESS : LeafFault.GP;
  if (!epcm.isEpc(secs)) return LeafFault.PF;
  const conflict = parts.locks.judge(cpu, ConflictRows.ELDU_SECS, secs);
  if (conflict !== 0) return conflict;
  parts.accesses.entry(secs, Mode.READ);
  return epcm.isSecs(secs) ? SgxCode.SUCCESS : LeafFault.PF;
}

/** Row 15. PCMD.ENCLAVEID is not looked at: the EID comes from the SECS, or is 0. */
function isAuthentic(parts: Parts, secs: PageIndex, version: number, blob: Readonly<PagingBlob>): boolean {
  if (version === 0) return false;
  const { epcm, crypto } = parts;
  const enclaveId = secs === NONE ? 0 : parts.secsTable.enclaveId(epcm.link(secs));
  crypto.seal(version, enclaveId, blob.linearPage, blob.secinfo, blob.contents);
  return crypto.macLow === blob.macLow && crypto.macHigh === blob.macHigh;
}

/** A SECS comes back with its counters, a VA page with its slots. */
function announceImage(parts: Parts, target: PageIndex): void {
  const { epcm, accesses } = parts;
  if (epcm.isVersionArray(target)) {
    accesses.slots(target, Mode.WRITE);
  } else {
    accesses.tracking(target, Mode.WRITE);
    accesses.children(target, Mode.WRITE);
  }
}
