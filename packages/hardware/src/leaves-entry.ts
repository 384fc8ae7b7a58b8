import type { CpuId, LeafResult, PageIndex } from '@epckit/interface';
import { LeafFault, Mode, NONE, PageType, SecInfo, SgxCode } from '@epckit/interface';
import type { ConflictRow } from './conflicts.js';
import { ConflictRows } from './conflicts.js';
import type { Parts } from './parts.js';
import { addCssa, cssaOf, isLastFrameUsed } from './tcs.js';

/** EENTER (SDM vol. 3D): the processor enters through a TCS and is counted in the current epoch. */
export function eenter(parts: Parts, cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
  const refusal = refuseTcs(parts, cpu, tcs, linearPage, ConflictRows.EENTER_TCS, ConflictRows.EENTER_OWNER);
  if (refusal !== 0) return refusal;
  if (parts.tcsState && (isLastFrameUsed(parts.epcm, tcs) || parts.epcm.isActive(tcs))) return LeafFault.GP;
  enter(parts, cpu, tcs);
  return SgxCode.SUCCESS;
}

/** ERESUME (SDM vol. 3D): returns to the frame that the last asynchronous exit saved. */
export function eresume(parts: Parts, cpu: CpuId, tcs: PageIndex, linearPage: number): LeafResult {
  const refusal = refuseTcs(
    parts,
    cpu,
    tcs,
    linearPage,
    ConflictRows.ERESUME_TCS,
    ConflictRows.ERESUME_OWNER,
  );
  if (refusal !== 0) return refusal;
  if (parts.tcsState) {
    if (cssaOf(parts.epcm, tcs) === 0 || parts.epcm.isActive(tcs)) return LeafFault.GP;
    addCssa(parts.epcm, tcs, -1);
  }
  enter(parts, cpu, tcs);
  return SgxCode.SUCCESS;
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

/** Rows 1 to 8 of both entries. The order of PENDING and address tests differs, their outcome does not. */
function refuseTcs(
  parts: Parts,
  cpu: CpuId,
  tcs: PageIndex,
  linearPage: number,
  tcsRow: ConflictRow,
  ownerRow: ConflictRow,
): LeafResult {
  const { epcm, locks, accesses } = parts;
  if (parts.tracking.activeSecs(cpu) !== NONE) return LeafFault.GP;
  if (!epcm.isEpc(tcs)) return LeafFault.PF;
  let conflict = locks.judge(cpu, tcsRow, tcs);
  if (conflict !== 0) return conflict;
  accesses.entry(tcs, Mode.READ);
  const secs = epcm.isChild(tcs) ? epcm.link(tcs) : NONE;
  if (secs !== NONE) conflict = locks.judge(cpu, ownerRow, secs);
  if (conflict !== 0) return conflict;
  if (secs === NONE || epcm.isBlocked(tcs)) return LeafFault.PF;
  if (epcm.linearPage(tcs) !== linearPage || epcm.type(tcs) !== PageType.TCS) return LeafFault.PF;
  if ((epcm.flags(tcs) & (SecInfo.PENDING | SecInfo.MODIFIED)) !== 0) return LeafFault.PF;
  accesses.entry(secs, Mode.READ);
  return parts.secsTable.isInitialised(epcm.link(secs)) ? SgxCode.SUCCESS : LeafFault.GP;
}

function enter(parts: Parts, cpu: CpuId, tcs: PageIndex): void {
  const { epcm, accesses } = parts;
  const secs = epcm.link(tcs);
  if (parts.tcsState) epcm.setActive(tcs, true);
  parts.tracking.enter(cpu, epcm.link(secs), secs, tcs);
  accesses.entry(tcs, Mode.WRITE);
  accesses.tracking(secs, Mode.ADD);
}

function leave(parts: Parts, cpu: CpuId, savedFrames: number): void {
  const { epcm, tracking, accesses } = parts;
  const secs = tracking.activeSecs(cpu);
  const tcs = tracking.activeTcs(cpu);
  if (parts.tcsState) {
    epcm.setActive(tcs, false);
    addCssa(epcm, tcs, savedFrames);
  }
  tracking.leave(cpu, epcm.link(secs));
  accesses.entry(tcs, Mode.WRITE);
  accesses.tracking(secs, Mode.ADD);
}
