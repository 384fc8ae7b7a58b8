import type { CpuId, LeafResult, PageIndex } from '@epckit/interface';
import { AUGMENTED_SECINFO, LeafFault, Mode, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { refusesThread } from './check-page.js';
import type { ConflictRow } from './conflicts.js';
import { ConflictRows } from './conflicts.js';
import type { FaultOperandId } from './faults.js';
import { FaultOperand } from './faults.js';
import type { Parts } from './parts.js';
import {
  hasReserved,
  hasReservedOrState,
  isShadowStack,
  PERMISSIONS,
  typeOf,
  writesBlindly,
} from './secinfo.js';
import { frameCountOf } from './tag-contents.js';

const { PENDING, MODIFIED, PR } = SecInfo;
/** What EACCEPT compares: everything but PR. */
const COMPARED = ~PR;

/**
 * EACCEPT (SDM vol. 3D): the enclave agrees to what EAUG, EMODPR or EMODT has done to `page`. [corrected] The SDM masks
 * the wrong bits of the address; REG needs PR or PENDING as in the edition of 2023; "tracking" is what ETRACK says.
 */
export function eaccept(
  parts: Parts,
  cpu: CpuId,
  page: PageIndex,
  linearPage: number,
  secinfo: number,
): LeafResult {
  if (!parts.features.sgx2) return LeafFault.GP;
  const { epcm, tracking, accesses } = parts;
  const refusal = refuseAccept(parts, cpu, page, linearPage, secinfo);
  if (refusal !== 0) return refusal;
  const secs = tracking.activeSecs(cpu);
  const isSame = ((epcm.secinfo(page) ^ secinfo) & COMPARED) === 0;
  if (!isSame || epcm.linearPage(page) !== linearPage) return SgxCode.PAGE_ATTRIBUTES_MISMATCH;
  accesses.tracking(secs, Mode.READ);
  if (!tracking.isTracked(epcm.link(secs), epcm.trackEpoch(page))) return SgxCode.NOT_TRACKED;
  if (typeOf(secinfo) === PageType.TCS && refusesNewThread(parts, page)) return LeafFault.GP;

  epcm.accept(page, epcm.secinfo(page) & ~(PENDING | MODIFIED | PR));
  accesses.entry(page, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** Rows 4 to 9; the leaf's first operand was judged by the caller. */
function refuseAccept(
  parts: Parts,
  cpu: CpuId,
  page: PageIndex,
  linearPage: number,
  secinfo: number,
): LeafResult {
  const { epcm, tracking, secsTable, accesses, faults } = parts;
  if (!tracking.isInside(cpu)) return LeafFault.GP;
  const secs = tracking.activeSecs(cpu);
  if (hasReserved(secinfo)) return LeafFault.GP;
  if (!isLinear(linearPage) || !secsTable.contains(epcm.link(secs), linearPage)) return LeafFault.GP;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
  if (!isAcceptable(parts, secinfo)) return LeafFault.GP;
  accesses.entry(page, Mode.READ);
  if (!epcm.isChild(page) || epcm.isBlocked(page) || epcm.link(page) !== secs)
    return faults.at(FaultOperand.PAGE);
  return judge(parts, cpu, ConflictRows.EACCEPT_TARGET, ConflictRows.EACCEPT_MODIFY, page);
}

function judge(
  { locks }: Parts,
  cpu: CpuId,
  first: ConflictRow,
  second: ConflictRow,
  page: PageIndex,
): LeafResult {
  const conflict = locks.judge(cpu, first, page);
  return conflict !== 0 ? conflict : locks.judge(cpu, second, page);
}

/** Row 7: the combinations that an enclave may expect. */
function isAcceptable({ features }: Parts, secinfo: number): boolean {
  const type = typeOf(secinfo);
  const state = secinfo & (PENDING | MODIFIED | PR);
  if (type === PageType.REG) return state !== 0 && (state & MODIFIED) === 0;
  if (type === PageType.TCS || type === PageType.TRIM) return state === MODIFIED;
  return features.cet && isShadowStack(type) && state === PENDING;
}

/** Row 12: a page that becomes a TCS must look like one that nobody has used. */
function refusesNewThread(parts: Parts, page: PageIndex): boolean {
  const { epcm, contents } = parts;
  const fields = contents.thread(epcm.contents(page));
  if (fields === null) return false;
  const isUsed = ((fields.flags & 1n) | fields.exitPointer | fields.state) !== 0n;
  if (isUsed || fields.frame >= frameCountOf(fields)) return true;
  return refusesThread(parts, epcm.link(epcm.link(page)), fields);
}

/** EMODPE (SDM vol. 3D): the enclave gives itself permissions; nobody is told. [corrected] Its last test is #GP. */
export function emodpe(
  parts: Parts,
  cpu: CpuId,
  page: PageIndex,
  linearPage: number,
  secinfo: number,
): LeafResult {
  if (!parts.features.sgx2) return LeafFault.GP;
  const { epcm, tracking, locks, accesses, faults } = parts;
  if (!tracking.isInside(cpu)) return LeafFault.GP;
  if (!isInRange(parts, cpu, linearPage)) return LeafFault.GP;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
  if (hasReservedOrState(secinfo)) return LeafFault.GP;
  accesses.entry(page, Mode.READ);
  if (!isSettled(parts, cpu, page)) return faults.at(FaultOperand.PAGE);
  const conflict = locks.judge(cpu, ConflictRows.EMODPE_MODIFY, page);
  if (conflict !== 0) return conflict;
  if (epcm.linearPage(page) !== linearPage) return faults.at(FaultOperand.PAGE);
  const flags = epcm.flags(page);
  if ((flags & SecInfo.R) === 0 && writesBlindly(secinfo)) return LeafFault.GP;

  epcm.setSecinfo(page, epcm.secinfo(page) | (secinfo & PERMISSIONS));
  accesses.entry(page, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/**
 * EACCEPTCOPY (SDM vol. 3D): the enclave fills a page that EAUG has made and chooses its permissions. [corrected] R is
 * tested on the source and BLOCKED on the target; the SDM prints them the other way round.
 */
export function eacceptcopy(
  parts: Parts,
  cpu: CpuId,
  page: PageIndex,
  linearPage: number,
  source: PageIndex,
  sourceLinearPage: number,
  secinfo: number,
): LeafResult {
  if (!parts.features.sgx2) return LeafFault.GP;
  const { epcm, tracking, locks, accesses, contents, faults } = parts;
  if (!tracking.isInside(cpu)) return LeafFault.GP;
  if (!isInRange(parts, cpu, linearPage) || !isInRange(parts, cpu, sourceLinearPage)) return LeafFault.GP;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
  if (!epcm.isEpc(source)) return faults.notEpc(FaultOperand.SOURCE, source);
  if (hasReservedOrState(secinfo) || writesBlindly(secinfo) || typeOf(secinfo) !== PageType.REG)
    return LeafFault.GP;
  accesses.entry(source, Mode.READ);
  if (!isReadable(parts, cpu, source, sourceLinearPage)) return faults.at(FaultOperand.SOURCE);
  accesses.entry(page, Mode.READ);
  if (!isNew(parts, cpu, page)) return SgxCode.PAGE_ATTRIBUTES_MISMATCH;
  const conflict = locks.judge(cpu, ConflictRows.EACCEPTCOPY_MODIFY, page);
  if (conflict !== 0) return conflict;
  const isAsAdded = epcm.secinfo(page) === (AUGMENTED_SECINFO | PENDING);
  if (!isAsAdded || epcm.linearPage(page) !== linearPage) return SgxCode.PAGE_ATTRIBUTES_MISMATCH;

  contents.release(epcm.contents(page));
  epcm.setContents(page, contents.copy(epcm.contents(source)));
  epcm.setSecinfo(page, secinfo);
  accesses.entry(page, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** Row 5 of EMODPE. */
function isSettled({ epcm, tracking }: Parts, cpu: CpuId, page: PageIndex): boolean {
  if (!epcm.isChild(page) || epcm.isBlocked(page) || epcm.type(page) !== PageType.REG) return false;
  return (epcm.flags(page) & (PENDING | MODIFIED)) === 0 && epcm.link(page) === tracking.activeSecs(cpu);
}

/** Row 5 of EACCEPTCOPY. */
function isReadable(parts: Parts, cpu: CpuId, page: PageIndex, linearPage: number): boolean {
  const { epcm } = parts;
  if (!isSettled(parts, cpu, page)) return false;
  return (epcm.flags(page) & SecInfo.R) !== 0 && epcm.linearPage(page) === linearPage;
}

/** Row 6 of EACCEPTCOPY. */
function isNew({ epcm, tracking }: Parts, cpu: CpuId, page: PageIndex): boolean {
  if (!epcm.isChild(page) || epcm.isBlocked(page) || epcm.type(page) !== PageType.REG) return false;
  return (
    (epcm.flags(page) & (PENDING | MODIFIED)) === PENDING && epcm.link(page) === tracking.activeSecs(cpu)
  );
}

function isInRange({ epcm, tracking, secsTable }: Parts, cpu: CpuId, linearPage: number): boolean {
  return isLinear(linearPage) && secsTable.contains(epcm.link(tracking.activeSecs(cpu)), linearPage);
}

/** A fraction stands for an address that is not page-aligned. */
function isLinear(linearPage: number): boolean {
  return Number.isInteger(linearPage);
}

/**
 * The SECINFO operand of EACCEPT, EMODPE and EACCEPTCOPY must be in a readable page of the enclave.
 *
 * @returns 0 or the fault
 */
export function refuseSecinfoPage(
  parts: Parts,
  cpu: CpuId,
  page: PageIndex,
  linearPage: number,
  operand: FaultOperandId,
): LeafResult {
  const { epcm, faults } = parts;
  if (!epcm.isEpc(page)) return faults.notEpc(operand, page);
  parts.accesses.entry(page, Mode.READ);
  return isReadable(parts, cpu, page, linearPage) ? SgxCode.SUCCESS : faults.at(operand);
}
