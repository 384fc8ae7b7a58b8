import type { CpuId, LeafId, LeafResult, PageIndex } from '@epckit/interface';
import { Leaf, Mode, NONE, PageType, SecInfo } from '@epckit/interface';
import type { ConflictRow } from './conflicts.js';
import { conflictRowsOf, Operand, Reached } from './conflicts.js';
import { isMisaligned } from './faults.js';
import type { Parts } from './parts.js';

/**
 * Takes the rows of `leaf` one by one, as the leaf will reach them.
 *
 * Stops without a conflict where the leaf will end at an earlier row (an operand outside the EPC, a target that
 * is not free): the leaf function then gives that row's outcome, which wins over any conflict further down.
 */
export function acquireRows(
  parts: Parts,
  cpu: CpuId,
  leaf: LeafId,
  page: PageIndex,
  secs: PageIndex,
  vaPage: PageIndex,
): LeafResult {
  const rows = conflictRowsOf(leaf);
  if (endsBeforeLocks(parts, leaf, page, secs, vaPage)) return 0;
  for (const row of rows) {
    if (!isLate(row) && !isFound(parts, row, select(row, page, secs, vaPage))) return 0;
  }
  for (const row of rows) {
    if (!isReached(parts, cpu, row, page, secs, vaPage)) return 0;
    const target = targetOf(parts, row, page, secs, vaPage);
    if (target === NONE && leaf !== Leaf.EUPDATESVN) return 0;
    if (target !== NONE) parts.accesses.entry(target, Mode.WRITE);
    const conflict = parts.locks.judge(cpu, row, target);
    if (conflict !== 0) {
      parts.locks.release(cpu);
      return conflict;
    }
    parts.locks.take(cpu, row, target);
  }
  return 0;
}

/** Gives back what the processor holds. */
export function releaseRows(parts: Parts, cpu: CpuId): void {
  const { locks, accesses } = parts;
  for (let index = locks.count(cpu) - 1; index >= 0; index--) {
    const page = locks.page(cpu, index);
    if (page !== NONE) accesses.entry(page, Mode.WRITE);
  }
  locks.release(cpu);
}

/** Rows before the first lock that are about operands without a lock row. */
function endsBeforeLocks(
  { epcm }: Parts,
  leaf: LeafId,
  page: PageIndex,
  secs: PageIndex,
  vaPage: PageIndex,
): boolean {
  if (leaf === Leaf.EWB) return page === vaPage;
  const counts = leaf === Leaf.EINCVIRTCHILD || leaf === Leaf.EDECVIRTCHILD;
  return counts && !epcm.isEpc(secs) && !isMisaligned(secs);
}

/** The SECS of ELDx is resolved only after the VA page was found valid (SDM vol. 3D, ELDB/ELDU). */
function isLate(row: ConflictRow): boolean {
  return (row.reached & Reached.VA_VALID) !== 0;
}

function isFound(parts: Parts, row: ConflictRow, page: PageIndex): boolean {
  return row.operand >= Operand.OWNER || row.leaf === Leaf.EUPDATESVN || parts.epcm.isEpc(page);
}

function select(row: ConflictRow, page: PageIndex, secs: PageIndex, vaPage: PageIndex): PageIndex {
  if (row.operand === Operand.SECS) return secs;
  return row.operand === Operand.VA ? vaPage : page;
}

function targetOf(
  parts: Parts,
  row: ConflictRow,
  page: PageIndex,
  secs: PageIndex,
  vaPage: PageIndex,
): PageIndex {
  if (row.leaf === Leaf.EUPDATESVN) return NONE;
  if (row.operand === Operand.ENCLAVE && parts.epcm.isSecs(page)) return page;
  return row.operand >= Operand.OWNER ? ownerOf(parts, page) : select(row, page, secs, vaPage);
}

function ownerOf(parts: Parts, page: PageIndex): PageIndex {
  return parts.epcm.isChild(page) ? parts.epcm.link(page) : NONE;
}

function isReached(
  parts: Parts,
  cpu: CpuId,
  row: ConflictRow,
  page: PageIndex,
  secs: PageIndex,
  vaPage: PageIndex,
): boolean {
  const { epcm } = parts;
  const { reached } = row;
  if ((reached & Reached.PAGE_FREE) !== 0 && epcm.isValid(page)) return false;
  if ((reached & Reached.PAGE_VALID) !== 0 && !epcm.isValid(page)) return false;
  if ((reached & Reached.PAGE_SECS) !== 0 && !epcm.isSecs(page)) return false;
  if ((reached & Reached.PAGE_OWNED) !== 0 && !isMeasurable(parts, page, secs)) return false;
  if ((reached & Reached.PAGE_ENTERED) !== 0 && !isEntered(parts, cpu, page)) return false;
  if ((reached & Reached.PAGE_SETTLED) !== 0 && !isRegular(parts, page, 0)) return false;
  if ((reached & Reached.PAGE_NEW) !== 0 && !isRegular(parts, page, SecInfo.PENDING)) return false;
  if ((reached & Reached.SECS_VALID) !== 0 && !epcm.isSecs(secs)) return false;
  if ((reached & Reached.VA_VALID) !== 0 && !epcm.isVersionArray(vaPage)) return false;
  return !isLate(row) || row.operand !== Operand.SECS || epcm.isEpc(secs);
}

function isMeasurable(parts: Parts, page: PageIndex, secs: PageIndex): boolean {
  return ownerOf(parts, page) === secs && parts.epcm.type(page) !== PageType.TRIM;
}

function isRegular({ epcm }: Parts, page: PageIndex, state: number): boolean {
  const isInState = (epcm.flags(page) & (SecInfo.PENDING | SecInfo.MODIFIED)) === state;
  return isInState && epcm.type(page) === PageType.REG;
}

function isEntered(parts: Parts, cpu: CpuId, page: PageIndex): boolean {
  const { epcm, tracking } = parts;
  const owner = ownerOf(parts, page);
  return owner !== NONE && owner === tracking.activeSecs(cpu) && !epcm.isBlocked(page);
}
