import type { RunReport } from 'epckit';
import { formatCount, formatRatio } from './number-format.js';
import { textTable } from './text-table.js';

/** Shows the locks that somebody had to wait for, longest waits first; empty if there are none. */
export function lockTable({ locks }: RunReport): string {
  const contended = locks
    .filter(({ waitCycles }) => waitCycles > 0)
    .sort((a, b) => b.waitCycles - a.waitCycles || (a.name < b.name ? -1 : 1));
  if (contended.length === 0) return '';
  const rows = contended.map((lock) => [
    lock.name,
    formatCount(lock.acquisitions),
    `${formatRatio(lock.contended * 100, lock.acquisitions, 1)} %`,
    formatCount(lock.waitCycles),
    formatCount(lock.longestWaitCycles),
    formatCount(lock.holdCycles),
  ]);
  return textTable(['lock', 'taken', 'after a wait', 'cycles waited', 'longest', 'cycles held'], rows, 1);
}
