import type { CpuId, LeafResult, PageIndex } from '@epckit/interface';
import { Attribute, LeafFault, Mode, NONE, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { isCanonicalPage } from './check-secs.js';
import type { ConflictRow } from './conflicts.js';
import { ConflictRows } from './conflicts.js';
import { HardwareMisuse } from './errors.js';
import { FaultOperand } from './faults.js';
import type { TcsFields } from './page-contents.js';
import type { Parts } from './parts.js';
import { keepSaveArea, refuseSaveArea } from './save-area.js';
import { frameCountOf } from './tag-contents.js';

/** TCS.FLAGS.DBGOPTIN. */
const DBGOPTIN = 1n;
/** TCS.FLAGS.AEXNOTIFY. */
const AEXNOTIFY = 2n;

/** How the two entries differ. */
interface EntryKind {
  readonly tcs: ConflictRow;
  readonly owner: ConflictRow;
  /** ERESUME: takes the frame before the next free one. */
  readonly resumes: boolean;
}
const EENTER: EntryKind = { tcs: ConflictRows.EENTER_TCS, owner: ConflictRows.EENTER_OWNER, resumes: false };
const ERESUME: EntryKind = {
  tcs: ConflictRows.ERESUME_TCS,
  owner: ConflictRows.ERESUME_OWNER,
  resumes: true,
};

/** EENTER (SDM vol. 3D): the processor enters through a TCS and is counted in the current epoch. */
export function eenter(parts: Parts, cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
  return enter(parts, EENTER, cpu, tcs, linearPage);
}

/** ERESUME (SDM vol. 3D): returns to the frame that the last asynchronous exit saved. */
export function eresume(parts: Parts, cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
  return enter(parts, ERESUME, cpu, tcs, linearPage);
}

/** EEXIT (SDM vol. 3D). #GP outside an enclave. */
export function eexit(parts: Parts, cpu: CpuId): LeafResult {
  if (!parts.tracking.isInside(cpu)) return LeafFault.GP;
  leave(parts, cpu, 0);
  return SgxCode.SUCCESS;
}

/** Asynchronous exit (SDM vol. 3D, chapter 40): saves a frame and leaves. @returns false outside an enclave */
export function aex(parts: Parts, cpu: CpuId): boolean {
  if (!parts.tracking.isInside(cpu)) return false;
  leave(parts, cpu, 1);
  return true;
}

/** EDECCSSA (SDM vol. 3D): drops a save state frame; the processor stays inside and tracking is not touched. */
export function edeccssa(parts: Parts, cpu: CpuId): LeafResult {
  const { tracking, epcm, contents } = parts;
  if (!parts.features.aexNotify || !tracking.isInside(cpu)) return LeafFault.GP;
  const tcs = threadOf(parts, cpu);
  const handle = epcm.contents(tcs);
  const frame = contents.frame(handle);
  if (frame === 0) return LeafFault.GP;
  const refusal = refuseSaveArea(parts, cpu, epcm.link(tcs), contents.thread(handle), frame - 1);
  if (refusal !== 0) return refusal;
  epcm.setContents(tcs, contents.addFrames(handle, -1));
  if (parts.tlbs !== null) {
    parts.tlbs.dropSaveArea(cpu);
    keepSaveArea(parts, cpu, epcm.link(tcs), contents.thread(handle), frame - 1);
  }
  parts.accesses.entry(tcs, Mode.WRITE);
  return SgxCode.SUCCESS;
}

function enter(parts: Parts, kind: EntryKind, cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
  const { epcm, contents, accesses, tracking } = parts;
  const refusal = refuseTcs(parts, kind, cpu, tcs, linearPage);
  if (refusal !== 0) return refusal;
  const secs = epcm.link(tcs);
  const handle = epcm.contents(tcs);
  const fields = contents.thread(handle);
  const frame = kind.resumes ? contents.frame(handle) - 1 : contents.frame(handle);
  const denial = refuseThread(parts, kind, cpu, tcs, fields, frame);
  if (denial !== 0) return denial;

  if (parts.tcsState) {
    epcm.setActive(tcs, true);
    if (kind.resumes) epcm.setContents(tcs, contents.addFrames(handle, -1));
  }
  tracking.enter(cpu, epcm.link(secs), secs, tcs);
  if (parts.tlbs !== null) {
    parts.tlbs.flush(cpu);
    keepSaveArea(parts, cpu, secs, fields, frame);
  }
  accesses.entry(tcs, Mode.WRITE);
  accesses.tracking(secs, Mode.ADD);
  return SgxCode.SUCCESS;
}

/** Rows 2 to 5. ERESUME tests PENDING and MODIFIED earlier than EENTER; the outcome is the same. */
function refuseTcs(
  parts: Parts,
  kind: EntryKind,
  cpu: CpuId,
  tcs: PageIndex,
  linearPage: number,
): LeafResult {
  const { epcm, locks, accesses, faults } = parts;
  if (parts.tracking.activeSecs(cpu) !== NONE) return LeafFault.GP;
  if (!epcm.isEpc(tcs)) return faults.notEpc(FaultOperand.PAGE, tcs);
  let conflict = locks.judge(cpu, kind.tcs, tcs);
  if (conflict !== 0) return conflict;
  accesses.entry(tcs, Mode.READ);
  const secs = epcm.isChild(tcs) ? epcm.link(tcs) : NONE;
  if (secs !== NONE) conflict = locks.judge(cpu, kind.owner, secs);
  if (conflict !== 0) return conflict;
  if (secs === NONE || epcm.isBlocked(tcs)) return faults.at(FaultOperand.PAGE);
  if (epcm.linearPage(tcs) !== linearPage || epcm.type(tcs) !== PageType.TCS)
    return faults.at(FaultOperand.PAGE);
  if ((epcm.flags(tcs) & (SecInfo.PENDING | SecInfo.MODIFIED)) !== 0) return faults.at(FaultOperand.PAGE);
  accesses.entry(secs, Mode.READ);
  return SgxCode.SUCCESS;
}

/**
 * Rows 6 to 14. Rows 6, 7, 10, 12 and 13 need the fields of the TCS: contents that have none pass them.
 * [model] An enclave whose broken memory was used cannot be entered: #GP.
 */
function refuseThread(
  parts: Parts,
  kind: EntryKind,
  cpu: CpuId,
  tcs: PageIndex,
  fields: TcsFields | null,
  frame: number,
): LeafResult {
  const { epcm, secsTable } = parts;
  const secs = epcm.link(tcs);
  const slot = epcm.link(secs);
  if (fields !== null && (hasLooseOffsets(fields) || fields.flags > (DBGOPTIN | AEXNOTIFY)))
    return LeafFault.GP;
  if (!secsTable.isInitialised(slot) || secsTable.isDead(slot)) return LeafFault.GP;
  if (!runsHere(parts, slot)) return LeafFault.GP;
  if (fields !== null && wantsOtherNotice(parts, slot, fields)) return LeafFault.GP;
  if (!parts.tcsState) return SgxCode.SUCCESS;
  if (kind.resumes ? frame < 0 : frame >= frameCountOf(fields)) return LeafFault.GP;
  const refusal = refuseSaveArea(parts, cpu, secs, fields, frame);
  if (refusal !== 0) return refusal;
  if (fields !== null && hasWildAddresses(parts, slot, fields)) return LeafFault.GP;
  return epcm.isActive(tcs) ? LeafFault.GP : SgxCode.SUCCESS;
}

function hasLooseOffsets({ saveArea, fsBase, gsBase }: TcsFields): boolean {
  return ((saveArea | fsBase | gsBase) & 0xfffn) !== 0n;
}

/** Row 9. The model is 64-bit only. */
function runsHere({ secsTable, platform }: Parts, slot: number): boolean {
  const isWide = secsTable.has(slot, Attribute.MODE64BIT);
  return isWide && platform.osfxsr && (secsTable.entry(slot).xfrm & ~platform.xcr0) === 0n;
}

/** Row 10. */
function wantsOtherNotice({ secsTable }: Parts, slot: number, { flags }: TcsFields): boolean {
  const isNotified = secsTable.has(slot, Attribute.AEXNOTIFY);
  return (flags & DBGOPTIN) === 0n && ((flags & AEXNOTIFY) !== 0n) !== isNotified;
}

/** Row 13. */
function hasWildAddresses({ secsTable, features }: Parts, slot: number, fields: TcsFields): boolean {
  const { basePage } = secsTable.entry(slot);
  return [fields.entry, fields.fsBase, fields.gsBase].some((offset) => {
    return !isCanonicalPage((basePage + Number(offset >> 12n)) % 2 ** 52, features);
  });
}

/** TCS of the thread that runs. @throws HardwareMisuse if nobody has entered: `within` only says so */
function threadOf({ tracking }: Parts, cpu: CpuId): PageIndex {
  const tcs = tracking.activeTcs(cpu);
  if (tcs !== NONE) return tcs;
  throw new HardwareMisuse(
    'There is no thread that could leave the enclave or drop a frame.',
    [`cpu ${cpu} is inside by \`within\`, not by EENTER`],
    'Enter with eenter, and leave with eexit or aex; within is for leaves that need no thread.',
  );
}

function leave(parts: Parts, cpu: CpuId, savedFrames: number): void {
  const { epcm, tracking, accesses, contents } = parts;
  const secs = tracking.activeSecs(cpu);
  const tcs = threadOf(parts, cpu);
  if (parts.tcsState) {
    epcm.setActive(tcs, false);
    if (savedFrames !== 0) epcm.setContents(tcs, contents.addFrames(epcm.contents(tcs), savedFrames));
  }
  tracking.leave(cpu, epcm.link(secs));
  if (parts.tlbs !== null) parts.tlbs.flush(cpu);
  accesses.entry(tcs, Mode.WRITE);
  accesses.tracking(secs, Mode.ADD);
}
