import type { CpuId, LeafResult, PageIndex } from '@epckit/interface';
import { AUGMENTED_SECINFO, LeafFault, Mode, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { isAtEnd, shadowStackToken } from './check-page.js';
import { ConflictRows } from './conflicts.js';
import { FaultOperand } from './faults.js';
import type { Parts } from './parts.js';
import {
  hasReservedOrState,
  hasShadowStackRights,
  isShadowStack,
  PERMISSIONS,
  typeOf,
  writesBlindly,
} from './secinfo.js';

const TOKEN_OFFSET = 4088;
const TYPE = 0xff << SecInfo.TYPE_SHIFT;

/** EAUG (SDM vol. 3D): `target` becomes a page of zeros that waits for EACCEPT; nothing is measured. */
export function eaug(
  parts: Parts,
  cpu: CpuId,
  target: PageIndex,
  secs: PageIndex,
  linearPage: number,
  secinfo: number,
): LeafResult {
  if (!parts.features.sgx2) return LeafFault.GP;
  const { epcm, secsTable, accesses, contents } = parts;
  const refusal = refuseAug(parts, cpu, target, secs, linearPage, secinfo);
  if (refusal !== 0) return refusal;
  const slot = epcm.link(secs);
  const installed = (secinfo === 0 ? AUGMENTED_SECINFO : secinfo) | SecInfo.PENDING;
  let handle = contents.zero();
  if (typeOf(installed) === PageType.SS_FIRST) {
    handle = contents.write(handle, TOKEN_OFFSET, shadowStackToken(parts, slot, linearPage));
  }
  epcm.install(target, installed, secs, linearPage, handle);
  secsTable.addChildren(slot, 1);
  accesses.entry(target, Mode.WRITE);
  accesses.children(secs, Mode.ADD);
  return SgxCode.SUCCESS;
}

/** Rows 3 to 16 of EAUG. */
function refuseAug(
  parts: Parts,
  cpu: CpuId,
  target: PageIndex,
  secs: PageIndex,
  linearPage: number,
  secinfo: number,
): LeafResult {
  const { epcm, secsTable, locks, accesses, faults } = parts;
  if (!epcm.isEpc(target)) return faults.notEpc(FaultOperand.PAGE, target);
  if (!Number.isInteger(linearPage)) return LeafFault.GP;
  if (!epcm.isEpc(secs)) return faults.notEpc(FaultOperand.SECS, secs);
  let conflict = locks.judge(cpu, ConflictRows.EAUG_TARGET, target);
  if (conflict !== 0) return conflict;
  accesses.entry(target, Mode.READ);
  if (epcm.isValid(target)) return faults.at(FaultOperand.PAGE);
  if (secinfo !== 0 && refusesStack(parts, cpu, secinfo)) return LeafFault.GP;
  conflict = locks.judge(cpu, ConflictRows.EAUG_SECS, secs);
  if (conflict !== 0) return conflict;
  accesses.entry(secs, Mode.READ);
  if (!epcm.isSecs(secs)) return faults.at(FaultOperand.SECS);
  const slot = epcm.link(secs);
  if (!secsTable.isInitialised(slot)) return LeafFault.GP;
  if (!secsTable.contains(slot, linearPage)) return LeafFault.GP;
  return secinfo !== 0 && isAtEnd(parts, slot, linearPage) ? LeafFault.GP : SgxCode.SUCCESS;
}

/** Rows 10 and 11. */
function refusesStack(parts: Parts, cpu: CpuId, secinfo: number): boolean {
  if (hasReservedOrState(secinfo) || !parts.features.cet) return true;
  if (!isShadowStack(typeOf(secinfo)) || !hasShadowStackRights(secinfo)) return true;
  return !parts.platform.hasShadowStacks(cpu);
}

/** EMODPR (SDM vol. 3D): takes permissions away; the enclave has to accept. The page type in `secinfo` is ignored. */
export function emodpr(parts: Parts, cpu: CpuId, page: PageIndex, secinfo: number): LeafResult {
  if (!parts.features.sgx2) return LeafFault.GP;
  const { epcm, locks, accesses, faults } = parts;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
  if (hasReservedOrState(secinfo) || writesBlindly(secinfo)) return LeafFault.GP;
  let conflict = locks.judge(cpu, ConflictRows.EMODPR_TARGET, page);
  if (conflict !== 0) return conflict;
  accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return faults.at(FaultOperand.PAGE);
  conflict = locks.judge(cpu, ConflictRows.EMODPR_MODIFY, page);
  if (conflict !== 0) return conflict;
  if (isInFlux(parts, page)) return SgxCode.PAGE_NOT_MODIFIABLE;
  if (epcm.type(page) !== PageType.REG) return faults.at(FaultOperand.PAGE);
  if (!isOwnerInitialised(parts, page)) return LeafFault.GP;

  const kept = epcm.secinfo(page) & (~PERMISSIONS | secinfo);
  change(parts, page, kept | SecInfo.PR);
  return SgxCode.SUCCESS;
}

/** EMODT (SDM vol. 3D): makes a REG page a TCS, or trims a page; the enclave has to accept. */
export function emodt(parts: Parts, cpu: CpuId, page: PageIndex, secinfo: number): LeafResult {
  if (!parts.features.sgx2) return LeafFault.GP;
  const { epcm, locks, accesses, faults } = parts;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
  const type = typeOf(secinfo);
  if (hasReservedOrState(secinfo) || (type !== PageType.TCS && type !== PageType.TRIM)) return LeafFault.GP;
  let conflict = locks.judge(cpu, ConflictRows.EMODT_TARGET, page);
  if (conflict !== 0) return conflict;
  accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return faults.at(FaultOperand.PAGE);
  conflict = locks.judge(cpu, ConflictRows.EMODT_MODIFY, page);
  if (conflict !== 0) return conflict;
  if (!canBecome(parts, epcm.type(page), type)) return faults.at(FaultOperand.PAGE);
  if (isInFlux(parts, page)) return SgxCode.PAGE_NOT_MODIFIABLE;
  if (!isOwnerInitialised(parts, page)) return LeafFault.GP;

  change(parts, page, SecInfo.MODIFIED | (type << SecInfo.TYPE_SHIFT));
  return SgxCode.SUCCESS;
}

/** Row 8 of EMODT. */
function canBecome({ features }: Parts, from: number, to: number): boolean {
  if (from === PageType.REG) return true;
  const isTrimmable = from === PageType.TCS || (features.cet && isShadowStack(from));
  return to === PageType.TRIM && isTrimmable;
}

/** Is an earlier change not accepted yet? */
function isInFlux({ epcm }: Parts, page: PageIndex): boolean {
  return (epcm.flags(page) & (SecInfo.PENDING | SecInfo.MODIFIED)) !== 0;
}

function isOwnerInitialised({ epcm, secsTable, accesses }: Parts, page: PageIndex): boolean {
  const secs = epcm.link(page);
  accesses.entry(secs, Mode.READ);
  return secsTable.isInitialised(epcm.link(secs));
}

/** Writes flags and type and notes the epoch: EACCEPT waits until nobody has an older translation. */
function change({ epcm, tracking, accesses }: Parts, page: PageIndex, secinfo: number): void {
  const secs = epcm.link(page);
  epcm.modify(
    page,
    secinfo & (PERMISSIONS | SecInfo.MODIFIED | SecInfo.PR | TYPE),
    tracking.epoch(epcm.link(secs)),
  );
  accesses.tracking(secs, Mode.READ);
  accesses.entry(page, Mode.WRITE);
}
