import type { CpuId, LeafResult, PageIndex, PagingBlob } from '@epckit/interface';
import { LeafFault, Mode, PageType, SgxCode } from '@epckit/interface';
import { ConflictRows } from './conflicts.js';
import type { Parts } from './parts.js';
import { SLOT_COUNT } from './version-arrays.js';

/** EBLOCK (SDM vol. 3D): forbids new translations to a child page and notes the epoch. */
export function eblock(parts: Parts, cpu: CpuId, page: PageIndex): LeafResult {
  const { epcm, tracking, locks, accesses } = parts;
  if (!epcm.isEpc(page)) return LeafFault.PF;
  let conflict = locks.judge(cpu, ConflictRows.EBLOCK_TARGET, page);
  if (conflict !== 0) return conflict;
  accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return SgxCode.PG_INVLD;
  if (epcm.isSecs(page)) return SgxCode.PG_IS_SECS;
  if (!epcm.isChild(page)) return SgxCode.NOTBLOCKABLE;
  const secs = epcm.link(page);
  conflict = locks.judge(cpu, ConflictRows.EBLOCK_OWNER, secs);
  if (conflict !== 0) return conflict;
  if (epcm.isBlocked(page)) return SgxCode.BLSTATE;

  epcm.block(page, tracking.epoch(epcm.link(secs)));
  accesses.tracking(secs, Mode.READ);
  accesses.entry(page, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** ETRACK (SDM vol. 3D): begins a tracking cycle. */
export function etrack(parts: Parts, cpu: CpuId, secs: PageIndex): LeafResult {
  const { epcm, tracking, locks, accesses } = parts;
  if (!epcm.isEpc(secs)) return LeafFault.PF;
  let conflict = locks.judge(cpu, ConflictRows.ETRACK_SECS, secs);
  if (conflict !== 0) return conflict;
  conflict = locks.judge(cpu, ConflictRows.ETRACK_TRACK, secs);
  if (conflict !== 0) return conflict;
  accesses.entry(secs, Mode.READ);
  if (!epcm.isSecs(secs)) return LeafFault.PF;
  accesses.tracking(secs, Mode.READ);
  if (!tracking.advance(epcm.link(secs))) return SgxCode.PREV_TRK_INCMPL;
  accesses.tracking(secs, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** EWB (SDM vol. 3D): writes a page out and frees its entry. */
export function ewb(
  parts: Parts,
  cpu: CpuId,
  page: PageIndex,
  vaPage: PageIndex,
  slot: number,
  blob: PagingBlob,
): LeafResult {
  const refusal = refuseEwb(parts, cpu, page, vaPage, slot);
  if (refusal !== 0) return refusal;
  const { epcm, versions, accesses } = parts;
  const version = parts.crypto.takeVersion();
  sealPage(parts, page, version, blob);
  const array = epcm.link(vaPage);
  const overwritten = versions.get(array, slot);
  if (overwritten !== 0) parts.images.forget(overwritten);
  versions.set(array, slot, version);
  releaseEntry(parts, page, version);
  accesses.slots(vaPage, Mode.WRITE);
  accesses.entry(page, Mode.WRITE);
  return overwritten === 0 ? SgxCode.SUCCESS : SgxCode.VA_SLOT_OCCUPIED;
}

/** Rows 1 to 15 of EWB; row 16 needs a guest. */
function refuseEwb(parts: Parts, cpu: CpuId, page: PageIndex, vaPage: PageIndex, slot: number): LeafResult {
  const { epcm, locks, accesses } = parts;
  if (!epcm.isEpc(page)) return LeafFault.PF;
  if ((slot & (SLOT_COUNT - 1)) !== slot) return LeafFault.GP;
  if (!epcm.isEpc(vaPage)) return LeafFault.PF;
  if (vaPage === page) return LeafFault.GP;
  let conflict = locks.judge(cpu, ConflictRows.EWB_SOURCE, page);
  if (conflict !== 0) return conflict;
  conflict = locks.judge(cpu, ConflictRows.EWB_VA, vaPage);
  if (conflict !== 0) return conflict;
  accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return LeafFault.PF;
  accesses.entry(vaPage, Mode.READ);
  if (!epcm.isVersionArray(vaPage)) return LeafFault.PF;
  if (epcm.isChild(page)) return refuseChild(parts, cpu, page);
  if (!epcm.isSecs(page)) return SgxCode.SUCCESS;
  accesses.children(page, Mode.READ);
  return parts.secsTable.children(epcm.link(page)) === 0 ? SgxCode.SUCCESS : SgxCode.CHILD_PRESENT;
}

/** Rows 12 to 14: a child page must be blocked, and no translation to it may be left. */
function refuseChild(parts: Parts, cpu: CpuId, page: PageIndex): LeafResult {
  const { epcm, tracking, accesses } = parts;
  const secs = epcm.link(page);
  const conflict = parts.locks.judge(cpu, ConflictRows.EWB_OWNER, secs);
  if (conflict !== 0) return conflict;
  if (!epcm.isBlocked(page)) return SgxCode.PAGE_NOT_BLOCKED;
  accesses.tracking(secs, Mode.READ);
  return tracking.isTracked(epcm.link(secs), epcm.trackEpoch(page)) ? SgxCode.SUCCESS : SgxCode.NOT_TRACKED;
}

/** Fills the blob. SECS and VA pages are bound to no enclave; their contents tag is the version itself. */
function sealPage(parts: Parts, page: PageIndex, version: number, blob: PagingBlob): void {
  const { epcm, secsTable, crypto } = parts;
  const secinfo = epcm.secinfo(page);
  const linearPage = epcm.linearPage(page);
  const isChild = epcm.isChild(page);
  const boundTo = isChild ? secsTable.enclaveId(epcm.link(epcm.link(page))) : 0;
  const contents = isChild ? epcm.contents(page) : version;
  crypto.seal(version, boundTo, linearPage, secinfo, contents);
  blob.contents = contents;
  blob.secinfo = secinfo;
  blob.enclaveId = epcm.isSecs(page) ? secsTable.enclaveId(epcm.link(page)) : boundTo;
  blob.linearPage = linearPage;
  blob.macLow = crypto.macLow;
  blob.macHigh = crypto.macHigh;
}

/** Frees the entry; what does not fit into a tag is kept under the version. */
function releaseEntry(parts: Parts, page: PageIndex, version: number): void {
  const { epcm, accesses } = parts;
  const link = epcm.link(page);
  if (epcm.isChild(page)) {
    parts.secsTable.addChildren(epcm.link(link), -1);
    accesses.children(link, Mode.ADD);
  } else {
    parts.images.save(epcm.type(page), version, link);
    if (epcm.type(page) === PageType.VA) accesses.slots(page, Mode.READ);
  }
  epcm.free(page);
}
