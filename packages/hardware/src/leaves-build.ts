import type { CpuId, LeafResult, PageIndex, SecsSource } from '@epckit/interface';
import { LeafFault, Mode, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { refusesPage } from './check-page.js';
import { refusesSecs } from './check-secs.js';
import { ConflictRows } from './conflicts.js';
import { FaultOperand } from './faults.js';
import { measureAdd, measureCreate, measureExtend } from './measurement.js';
import type { Parts } from './parts.js';
import { hasReservedOrState, isShadowStack, PERMISSIONS, typeOf } from './secinfo.js';

const CHUNK_COUNT = 16;

/** ECREATE (SDM vol. 3D): `target` becomes a SECS with the next EID. */
export function ecreate(parts: Parts, cpu: CpuId, target: PageIndex, source: SecsSource): LeafResult {
  const { epcm, secsTable, tracking, accesses, faults } = parts;
  if (!epcm.isEpc(target)) return faults.notEpc(FaultOperand.PAGE, target);
  const conflict = parts.locks.judge(cpu, ConflictRows.ECREATE_TARGET, target);
  if (conflict !== 0) return conflict;
  accesses.entry(target, Mode.READ);
  if (epcm.isValid(target)) return faults.at(FaultOperand.PAGE);
  if (refusesSecs(source, parts.features)) return LeafFault.GP;

  const slot = secsTable.create(source);
  measureCreate(secsTable, slot, parts.features.cet);
  tracking.reset(slot);
  secsTable.setContext(slot, contextOf(target));
  epcm.install(target, PageType.SECS << SecInfo.TYPE_SHIFT, slot, 0, 0);
  accesses.entry(target, Mode.WRITE);
  accesses.tracking(target, Mode.WRITE);
  accesses.children(target, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** [model] ENCLAVECONTEXT that ECREATE and loads of a SECS give: EPC page × 4096, the address from the EPC's start. */
export function contextOf(secs: PageIndex): number {
  return secs * 4096;
}

/** EADD (SDM vol. 3D): `target` becomes a page of an enclave that is not initialised yet. */
export function eadd(
  parts: Parts,
  cpu: CpuId,
  target: PageIndex,
  secs: PageIndex,
  linearPage: number,
  secinfo: number,
  source: number | Uint8Array,
): LeafResult {
  const { epcm, secsTable, locks, accesses, contents } = parts;
  const refusal = refuseAdd(parts, cpu, target, secs, linearPage, secinfo);
  if (refusal !== 0) return refusal;
  const slot = epcm.link(secs);
  const type = typeOf(secinfo);
  const handle = contents.adopt(source);
  const giveUp = (result: LeafResult): LeafResult => {
    contents.release(handle);
    return result;
  };
  if (refusesPage(parts, slot, linearPage, secinfo, handle)) return giveUp(LeafFault.GP);
  if (!secsTable.contains(slot, linearPage)) return giveUp(LeafFault.GP);
  const conflict = locks.judge(cpu, ConflictRows.EADD_MEASURE, secs);
  if (conflict !== 0) return giveUp(conflict);
  if (secsTable.isInitialised(slot)) return giveUp(LeafFault.GP);

  const isTcs = type === PageType.TCS;
  const installed = isTcs ? secinfo & ~PERMISSIONS : secinfo;
  measureAdd(secsTable, slot, linearPage, installed);
  epcm.install(target, installed, secs, linearPage, isTcs ? contents.resetThread(handle) : handle);
  secsTable.addChildren(slot, 1);
  accesses.entry(target, Mode.WRITE);
  accesses.entry(secs, Mode.WRITE);
  accesses.children(secs, Mode.ADD);
  return SgxCode.SUCCESS;
}

/** Rows 3 to 11 of EADD. A fraction stands for a LINADDR that is not page-aligned. */
function refuseAdd(
  parts: Parts,
  cpu: CpuId,
  target: PageIndex,
  secs: PageIndex,
  linearPage: number,
  secinfo: number,
): LeafResult {
  const { epcm, locks, accesses, features, faults } = parts;
  if (!epcm.isEpc(target)) return faults.notEpc(FaultOperand.PAGE, target);
  if (!Number.isInteger(linearPage)) return LeafFault.GP;
  if (!epcm.isEpc(secs)) return faults.notEpc(FaultOperand.SECS, secs);
  const type = typeOf(secinfo);
  const isStack = isShadowStack(type);
  const isAddable = type === PageType.REG || type === PageType.TCS || (isStack && features.cet);
  if (hasReservedOrState(secinfo) || !isAddable) return LeafFault.GP;
  if (isStack && !parts.platform.hasShadowStacks(cpu)) return LeafFault.GP;
  let conflict = locks.judge(cpu, ConflictRows.EADD_TARGET, target);
  if (conflict !== 0) return conflict;
  accesses.entry(target, Mode.READ);
  if (epcm.isValid(target)) return faults.at(FaultOperand.PAGE);
  conflict = locks.judge(cpu, ConflictRows.EADD_SECS, secs);
  if (conflict !== 0) return conflict;
  accesses.entry(secs, Mode.READ);
  return epcm.isSecs(secs) ? SgxCode.SUCCESS : faults.at(FaultOperand.SECS);
}

/** EEXTEND (SDM vol. 3D): measures 256 bytes. BLOCKED, PENDING and MODIFIED do not matter. */
export function eextend(
  parts: Parts,
  cpu: CpuId,
  page: PageIndex,
  secs: PageIndex,
  chunk: number,
): LeafResult {
  const { epcm, secsTable, locks, accesses, contents, faults } = parts;
  if (!epcm.isEpc(secs)) return faults.notEpc(FaultOperand.SECS, secs);
  if ((chunk & (CHUNK_COUNT - 1)) !== chunk) return LeafFault.GP;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
  let conflict = locks.judge(cpu, ConflictRows.EEXTEND_TARGET, page);
  if (conflict !== 0) return conflict;
  accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return faults.at(FaultOperand.PAGE);
  if (!epcm.isChild(page) || epcm.type(page) === PageType.TRIM) return faults.at(FaultOperand.PAGE);
  if (epcm.link(page) !== secs) return LeafFault.GP;
  conflict = locks.judge(cpu, ConflictRows.EEXTEND_MEASURE, secs);
  if (conflict !== 0) return conflict;
  const slot = epcm.link(secs);
  accesses.entry(secs, Mode.READ);
  if (secsTable.isInitialised(slot)) return LeafFault.GP;

  measureExtend(secsTable, slot, epcm.linearPage(page), chunk, contents, epcm.contents(page));
  accesses.entry(secs, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** EPA (SDM vol. 3D): `target` becomes an empty version array page. */
export function epa(parts: Parts, cpu: CpuId, target: PageIndex): LeafResult {
  const { epcm, accesses, faults } = parts;
  if (!epcm.isEpc(target)) return faults.notEpc(FaultOperand.PAGE, target);
  const conflict = parts.locks.judge(cpu, ConflictRows.EPA_TARGET, target);
  if (conflict !== 0) return conflict;
  accesses.entry(target, Mode.READ);
  if (epcm.isValid(target)) return faults.at(FaultOperand.PAGE);

  epcm.install(target, PageType.VA << SecInfo.TYPE_SHIFT, parts.versions.take(), 0, 0);
  accesses.entry(target, Mode.WRITE);
  accesses.slots(target, Mode.WRITE);
  return SgxCode.SUCCESS;
}
