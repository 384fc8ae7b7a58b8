import type { CpuId, LeafResult, PageIndex, RdInfo } from '@epckit/interface';
import { LeafFault, Mode, NONE, SgxCode } from '@epckit/interface';
import type { ConflictRow } from './conflicts.js';
import { ConflictRows } from './conflicts.js';
import { FaultOperand, isMisaligned } from './faults.js';
import type { Parts } from './parts.js';

/** RDINFO.STATUS bits; unconfirmed. */
const CHILD_PRESENT = 1;
const VIRTUAL_CHILD_PRESENT = 2;

/** ERDINFO (SDM vol. 3D): tells a host the state of a page. `info` is written on success only. */
export function erdinfo(parts: Parts, cpu: CpuId, page: PageIndex, info: RdInfo): LeafResult {
  if (!parts.features.enclsC) return LeafFault.GP;
  const { epcm, accesses, secsTable } = parts;
  if (!epcm.isEpc(page)) return isMisaligned(page) ? LeafFault.GP : SgxCode.PG_NONEPC;
  const conflict = parts.locks.judge(cpu, ConflictRows.ERDINFO_TARGET, page);
  if (conflict !== 0) return conflict;
  accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return SgxCode.PG_INVLD;
  info.status = 0;
  info.context = 0;
  info.flags = epcm.secinfo(page);
  info.blocked = epcm.isBlocked(page);
  if (epcm.isChild(page)) info.context = secsTable.context(epcm.link(epcm.link(page)));
  else if (epcm.isSecs(page)) describeSecs(parts, cpu, page, info);
  return SgxCode.SUCCESS;
}

/** A guest with extensions cannot tell children that its host has taken from those in the EPC. */
function describeSecs(parts: Parts, cpu: CpuId, secs: PageIndex, info: RdInfo): void {
  const { epcm, secsTable, accesses } = parts;
  const slot = epcm.link(secs);
  accesses.children(secs, Mode.READ);
  const hasChildren = secsTable.children(slot) !== 0;
  const hasVirtual = secsTable.virtualChildren(slot) !== 0;
  if (parts.locks.isExtended(cpu)) {
    info.status = hasChildren || hasVirtual ? CHILD_PRESENT : 0;
    return;
  }
  info.status = (hasChildren ? CHILD_PRESENT : 0) | (hasVirtual ? VIRTUAL_CHILD_PRESENT : 0);
  info.context = secsTable.context(slot);
}

/** EINCVIRTCHILD (SDM vol. 3D): one child more that the host has taken out of the EPC. */
export function eincvirtchild(parts: Parts, cpu: CpuId, page: PageIndex, secs: PageIndex): LeafResult {
  if (!parts.features.enclv) return LeafFault.GP;
  const refusal = refuseChild(parts, cpu, ConflictRows.EINCVIRTCHILD_TARGET, page, secs);
  return refusal !== 0 ? refusal : count(parts, secs, 1);
}

/** EDECVIRTCHILD (SDM vol. 3D): one child less. */
export function edecvirtchild(parts: Parts, cpu: CpuId, page: PageIndex, secs: PageIndex): LeafResult {
  if (!parts.features.enclv) return LeafFault.GP;
  const { epcm, secsTable } = parts;
  const refusal = refuseChild(parts, cpu, ConflictRows.EDECVIRTCHILD_TARGET, page, secs);
  if (refusal !== 0) return refusal;
  parts.accesses.children(secs, Mode.READ);
  if (secsTable.virtualChildren(epcm.link(secs)) === 0) return SgxCode.INVALID_COUNTER;
  return count(parts, secs, -1);
}

/** Rows 2 to 6. */
function refuseChild(
  parts: Parts,
  cpu: CpuId,
  row: ConflictRow,
  page: PageIndex,
  secs: PageIndex,
): LeafResult {
  const { epcm, faults } = parts;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
  if (!epcm.isEpc(secs) && !isMisaligned(secs)) return faults.at(FaultOperand.SECS);
  const conflict = parts.locks.judge(cpu, row, page);
  if (conflict !== 0) return conflict;
  parts.accesses.entry(page, Mode.READ);
  const isSecs = epcm.isSecs(page);
  if (!isSecs && !epcm.isChild(page)) return faults.at(FaultOperand.PAGE);
  return (isSecs ? page : epcm.link(page)) === secs ? SgxCode.SUCCESS : LeafFault.GP;
}

function count(parts: Parts, secs: PageIndex, children: number): LeafResult {
  parts.secsTable.addVirtualChildren(parts.epcm.link(secs), children);
  parts.accesses.children(secs, Mode.ADD);
  return SgxCode.SUCCESS;
}

/** ESETCONTEXT (SDM vol. 3D): sets ENCLAVECONTEXT. */
export function esetcontext(parts: Parts, cpu: CpuId, secs: PageIndex, context: number): LeafResult {
  if (!parts.features.enclv) return LeafFault.GP;
  const { epcm, accesses, faults } = parts;
  if (!epcm.isEpc(secs)) return faults.notEpc(FaultOperand.PAGE, secs);
  const conflict = parts.locks.judge(cpu, ConflictRows.ESETCONTEXT_SECS, secs);
  if (conflict !== 0) return conflict;
  accesses.entry(secs, Mode.READ);
  if (!epcm.isSecs(secs)) return faults.at(FaultOperand.PAGE);
  parts.secsTable.setContext(epcm.link(secs), context);
  accesses.entry(secs, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/**
 * EUPDATESVN (Linux, EUPDATESVN series): derives new keys, from the loaded microcode if that is newer. The order of
 * its checks and its flags are unconfirmed.
 */
export function eupdatesvn(parts: Parts, cpu: CpuId): LeafResult {
  if (!parts.features.eupdatesvn) return LeafFault.GP;
  const { platform, epcm, contents } = parts;
  const conflict = parts.locks.judge(cpu, ConflictRows.EUPDATESVN_PLATFORM, NONE);
  if (conflict !== 0) return conflict;
  parts.accesses.everything(Mode.READ);
  if (epcm.validCount !== 0) return SgxCode.EPC_NOT_READY;
  if (platform.entropyFailures > 0) {
    platform.entropyFailures--;
    return SgxCode.INSUFFICIENT_ENTROPY;
  }
  contents.renewKey();
  if (platform.microcodeSvn <= platform.cpuSvn) return SgxCode.NO_UPDATE;
  platform.cpuSvn = platform.microcodeSvn;
  return SgxCode.SUCCESS;
}
