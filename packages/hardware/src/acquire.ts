import type { CpuId, LeafId, LeafResult, PageIndex } from '@epckit/interface';
import { Mode, NONE } from '@epckit/interface';
import type { ConflictRow } from './conflicts.js';
import { conflictRowsOf, Operand, Reached } from './conflicts.js';
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
  for (const row of rows) {
    if (row.operand !== Operand.OWNER && !isLate(row) && !parts.epcm.isEpc(select(row, page, secs, vaPage)))
      return 0;
  }
  for (const row of rows) {
    if (!isReached(parts, row, page, secs, vaPage)) return 0;
    const target = row.operand === Operand.OWNER ? ownerOf(parts, page) : select(row, page, secs, vaPage);
    if (target === NONE) return 0;
    parts.accesses.entry(target, Mode.WRITE);
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
  for (let index = locks.count(cpu) - 1; index >= 0; index--)
    accesses.entry(locks.page(cpu, index), Mode.WRITE);
  locks.release(cpu);
}

/** The SECS of ELDx is resolved only after the VA page was found valid (SDM vol. 3D, ELDB/ELDU). */
function isLate(row: ConflictRow): boolean {
  return (row.reached & Reached.VA_VALID) !== 0;
}

function select(row: ConflictRow, page: PageIndex, secs: PageIndex, vaPage: PageIndex): PageIndex {
  if (row.operand === Operand.SECS) return secs;
  return row.operand === Operand.VA ? vaPage : page;
}

function ownerOf(parts: Parts, page: PageIndex): PageIndex {
  return parts.epcm.isChild(page) ? parts.epcm.link(page) : NONE;
}

function isReached(
  parts: Parts,
  row: ConflictRow,
  page: PageIndex,
  secs: PageIndex,
  vaPage: PageIndex,
): boolean {
  const { epcm } = parts;
  const { reached } = row;
  if ((reached & Reached.PAGE_FREE) !== 0 && epcm.isValid(page)) return false;
  if ((reached & Reached.PAGE_SECS) !== 0 && !epcm.isSecs(page)) return false;
  if ((reached & Reached.PAGE_OWNED) !== 0 && ownerOf(parts, page) !== secs) return false;
  if ((reached & Reached.SECS_VALID) !== 0 && !epcm.isSecs(secs)) return false;
  if ((reached & Reached.VA_VALID) !== 0 && !epcm.isVersionArray(vaPage)) return false;
  return !isLate(row) || row.operand !== Operand.SECS || epcm.isEpc(secs);
}
