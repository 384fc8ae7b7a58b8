import type { CpuId, LeafResult, PageIndex } from '@epckit/interface';
import { Mode, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { ConflictRows } from './conflicts.js';
import { FaultOperand } from './faults.js';
import { hasChildren } from './leaves-evict.js';
import type { Parts } from './parts.js';

/** EREMOVE (SDM vol. 3D): frees a page without saving it. A free page is fine and stays free. */
export function eremove(parts: Parts, cpu: CpuId, page: PageIndex): LeafResult {
  const { epcm, accesses } = parts;
  if (!epcm.isEpc(page)) return parts.faults.notEpc(FaultOperand.PAGE, page);
  const conflict = parts.locks.judge(cpu, ConflictRows.EREMOVE_TARGET, page);
  if (conflict !== 0) return conflict;
  accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return SgxCode.SUCCESS;
  if (epcm.isVersionArray(page)) return removeVersionArray(parts, page);
  return epcm.isSecs(page) ? removeSecs(parts, cpu, page) : removeChild(parts, cpu, page);
}

/** Row 5: occupied slots are lost without warning. */
function removeVersionArray(parts: Parts, page: PageIndex): LeafResult {
  const { epcm, accesses } = parts;
  parts.images.discardArray(epcm.link(page));
  epcm.free(page);
  accesses.slots(page, Mode.WRITE);
  accesses.entry(page, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** Rows 7 to 9; evicted children do not count, except in a guest whose host has evicted them. */
function removeSecs(parts: Parts, cpu: CpuId, page: PageIndex): LeafResult {
  const { epcm, secsTable, accesses } = parts;
  accesses.children(page, Mode.READ);
  if (hasChildren(parts, cpu, page)) return SgxCode.CHILD_PRESENT;
  secsTable.release(epcm.link(page));
  epcm.free(page);
  accesses.entry(page, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** Rows 6, 10 and 11 ([corrected] an accepted TRIM page is freed, too; the SDM's flow leaves VALID set): BLOCKED and epochs do not matter, a processor inside does unless the page is trimmed. */
function removeChild(parts: Parts, cpu: CpuId, page: PageIndex): LeafResult {
  const { epcm, accesses } = parts;
  const secs = epcm.link(page);
  const slot = epcm.link(secs);
  const conflict = parts.locks.judge(cpu, ConflictRows.EREMOVE_OWNER, secs);
  if (conflict !== 0) return conflict;
  const isTrimmed = epcm.type(page) === PageType.TRIM && (epcm.flags(page) & SecInfo.MODIFIED) === 0;
  if (!isTrimmed) {
    accesses.tracking(secs, Mode.READ);
    if (parts.tracking.isActive(slot)) return SgxCode.ENCLAVE_ACT;
  }
  if (parts.tlbs !== null) parts.tlbs.leave(page, parts.tracking);
  parts.contents.release(epcm.contents(page));
  epcm.free(page);
  parts.secsTable.addChildren(slot, -1);
  accesses.entry(page, Mode.WRITE);
  accesses.children(secs, Mode.ADD);
  return SgxCode.SUCCESS;
}
