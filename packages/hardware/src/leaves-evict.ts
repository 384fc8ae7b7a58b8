import type { CpuId, LeafResult, PageIndex, PagingBlob } from '@epckit/interface';
import { ConflictExit, LeafFault, Mode, PageType, SgxCode } from '@epckit/interface';
import type { ConflictRow } from './conflicts.js';
import { ConflictRows } from './conflicts.js';
import { FaultOperand } from './faults.js';
import { imageOf } from './page-image.js';
import type { Parts } from './parts.js';
import { SLOT_COUNT } from './version-arrays.js';

/** EBLOCK (SDM vol. 3D): forbids new translations to a child page and notes the epoch. */
export function eblock(parts: Parts, cpu: CpuId, page: PageIndex): LeafResult {
  const { epcm, tracking, locks, accesses, faults } = parts;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
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
  const { epcm, locks, accesses, faults } = parts;
  if (!epcm.isEpc(secs)) return faults.notEpc(FaultOperand.PAGE, secs);
  let conflict = locks.judge(cpu, ConflictRows.ETRACK_SECS, secs);
  if (conflict !== 0) return conflict;
  conflict = locks.judge(cpu, ConflictRows.ETRACK_TRACK, secs);
  if (conflict !== 0) return conflict;
  accesses.entry(secs, Mode.READ);
  return epcm.isSecs(secs) ? track(parts, cpu, secs) : faults.at(FaultOperand.PAGE);
}

/** ETRACKC (SDM vol. 3D): ETRACK for the enclave of any of its pages; conflicts are codes. */
export function etrackc(parts: Parts, cpu: CpuId, page: PageIndex): LeafResult {
  if (!parts.features.enclsC) return LeafFault.GP;
  const { epcm, locks, accesses, faults } = parts;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
  let conflict = locks.judge(cpu, ConflictRows.ETRACKC_TARGET, page);
  if (conflict !== 0) return conflict;
  accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return SgxCode.PG_INVLD;
  const isSecs = epcm.isSecs(page);
  if (!isSecs && !epcm.isChild(page)) return SgxCode.TRACK_NOT_REQUIRED;
  const secs = isSecs ? page : epcm.link(page);
  conflict = locks.judge(cpu, ConflictRows.ETRACKC_TRACK, secs);
  return conflict !== 0 ? conflict : track(parts, cpu, secs);
}

function track(parts: Parts, cpu: CpuId, secs: PageIndex): LeafResult {
  const { epcm, tracking, locks, accesses } = parts;
  accesses.tracking(secs, Mode.READ);
  if (!tracking.advance(epcm.link(secs))) {
    return locks.isExtended(cpu) ? ConflictExit.TRACKING_REFERENCE : SgxCode.PREV_TRK_INCMPL;
  }
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
  const version = parts.versionCounter.take();
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

/** Rows 1 to 16 of EWB. */
function refuseEwb(parts: Parts, cpu: CpuId, page: PageIndex, vaPage: PageIndex, slot: number): LeafResult {
  const { epcm, accesses, faults } = parts;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
  if ((slot & (SLOT_COUNT - 1)) !== slot) return LeafFault.GP;
  if (!epcm.isEpc(vaPage)) return faults.notEpc(FaultOperand.VA, vaPage);
  if (vaPage === page) return LeafFault.GP;
  let conflict = judge(parts, cpu, ConflictRows.EWB_SOURCE, page);
  if (conflict !== 0) return conflict;
  conflict = judge(parts, cpu, ConflictRows.EWB_VA, vaPage);
  if (conflict !== 0) return conflict;
  accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return faults.at(FaultOperand.PAGE);
  accesses.entry(vaPage, Mode.READ);
  if (!epcm.isVersionArray(vaPage)) return faults.at(FaultOperand.VA);
  if (epcm.isChild(page)) return refuseChild(parts, cpu, page);
  return epcm.isSecs(page) ? refuseSecs(parts, cpu, page) : SgxCode.SUCCESS;
}

function judge(parts: Parts, cpu: CpuId, row: ConflictRow, page: PageIndex): LeafResult {
  return parts.locks.judge(cpu, row, page);
}

/**
 * Rows 12 to 14: a child page must be blocked, and no translation to it may be left. [corrected] "EBLOCK is not
 * correct" of the SDM is #GP while ETRACK or ETRACKC runs, and code 11 is what the tracking says, not a race.
 */
function refuseChild(parts: Parts, cpu: CpuId, page: PageIndex): LeafResult {
  const { epcm, tracking, accesses } = parts;
  const secs = epcm.link(page);
  const conflict = judge(parts, cpu, ConflictRows.EWB_OWNER, secs);
  if (conflict !== 0) return conflict;
  if (!epcm.isBlocked(page)) return SgxCode.PAGE_NOT_BLOCKED;
  accesses.tracking(secs, Mode.READ);
  return tracking.isTracked(epcm.link(secs), epcm.trackEpoch(page)) ? SgxCode.SUCCESS : SgxCode.NOT_TRACKED;
}

/** Is NOT_TRACKED what row 14 gives at the moment? `alsoInside`: also because of threads that are inside. */
export function isUntracked(
  { epcm, tracking, accesses }: Parts,
  page: PageIndex,
  alsoInside: boolean,
): boolean {
  if (!epcm.isEpc(page) || !epcm.isChild(page) || !epcm.isBlocked(page)) return false;
  const secs = epcm.link(page);
  const slot = epcm.link(secs);
  const epoch = epcm.trackEpoch(page);
  if (!alsoInside) return epoch === tracking.epoch(slot);
  accesses.catchUp(secs);
  return !tracking.isTracked(slot, epoch);
}

/** Rows 15 and 16: no child in the EPC, nor one that a host has taken out of a guest's EPC. */
function refuseSecs(parts: Parts, cpu: CpuId, page: PageIndex): LeafResult {
  parts.accesses.children(page, Mode.READ);
  return hasChildren(parts, cpu, page) ? SgxCode.CHILD_PRESENT : SgxCode.SUCCESS;
}

/** Does a SECS have children, as `cpu` sees them? VIRTCHILDCNT counts in a guest with extensions only. */
export function hasChildren({ epcm, secsTable, locks }: Parts, cpu: CpuId, secs: PageIndex): boolean {
  const slot = epcm.link(secs);
  if (secsTable.children(slot) !== 0) return true;
  return locks.isExtended(cpu) && secsTable.virtualChildren(slot) !== 0;
}

/** Fills the blob. SECS and VA pages are bound to no enclave. */
function sealPage(parts: Parts, page: PageIndex, version: number, blob: PagingBlob): void {
  const { epcm, secsTable, contents } = parts;
  const secinfo = epcm.secinfo(page);
  const linearPage = epcm.linearPage(page);
  blob.secinfo = secinfo;
  blob.linearPage = linearPage;
  if (epcm.isChild(page)) {
    const enclaveId = secsTable.enclaveId(epcm.link(epcm.link(page)));
    blob.enclaveId = enclaveId;
    contents.seal(version, enclaveId, linearPage, secinfo, epcm.contents(page), blob);
    return;
  }
  blob.enclaveId = epcm.isSecs(page) ? secsTable.enclaveId(epcm.link(page)) : 0;
  sealImage(parts, page, version, blob);
}

/** Apart from {@link sealPage}, which would otherwise allocate what the closure needs for child pages too. */
function sealImage(parts: Parts, page: PageIndex, version: number, blob: PagingBlob): void {
  parts.contents.sealImage(version, parts.epcm.secinfo(page), () => imageOf(parts, page), blob);
}

/** Frees the entry; what does not fit into contents is kept under the version. */
function releaseEntry(parts: Parts, page: PageIndex, version: number): void {
  const { epcm, accesses } = parts;
  const link = epcm.link(page);
  if (epcm.isChild(page)) {
    parts.secsTable.addChildren(epcm.link(link), -1);
    accesses.children(link, Mode.ADD);
    if (parts.tlbs !== null) parts.tlbs.leave(page, parts.tracking);
  } else {
    parts.images.save(epcm.type(page), version, link);
    if (epcm.type(page) === PageType.VA) accesses.slots(page, Mode.READ);
  }
  epcm.free(page);
}
