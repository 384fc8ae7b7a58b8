import type { RunReport } from 'epckit';
import { causeName } from './cause-names.js';
import { formatCount, formatRatio, formatSeconds } from './number-format.js';
import { textTable } from './text-table.js';

/** Causes with a smaller share than this are shown as one. */
const SMALLEST_SHARE = 0.0005;

/** A cause and its cycles: one number for each thread. */
interface Cause {
  readonly key: string;
  readonly cycles: readonly number[];
}

/**
 * Shows where the time of every program and of the daemon went, by cause, most first.
 *
 * Threads run at the same time, so the sum over them is longer than the run. A thread that waits is charged
 * for waiting, so that each column adds up to the life of its thread.
 */
export function timeTable(report: RunReport): string {
  const { enclaves, ksgxd, cgroups, vms = [] } = report;
  const workers = cgroups === undefined ? [] : [{ name: 'workers', ...cgroups.workers }];
  const threads = [...enclaves, ...vms, { name: 'ksgxd', ...ksgxd }, ...workers];
  const causes = causesOf(threads.map(({ cyclesByCause }) => cyclesByCause));
  const all = foldCauses('', causes, threads.length);
  const allCycles = sumOf(all.cycles);
  const isShown = ({ cycles }: Cause) => sumOf(cycles) >= allCycles * SMALLEST_SHARE;
  const folded = causes.filter((cause) => !isShown(cause));
  const row = (title: string, { key, cycles }: Cause) => [
    title,
    key,
    ...cycles.map((count) => (count === 0 ? '' : formatCount(count))),
    formatCount(sumOf(cycles)),
    formatRatio(sumOf(cycles) * 100, allCycles, 1),
    formatSeconds(sumOf(cycles), report.scenario.costs.clockGhz),
  ];
  const rows = causes.filter(isShown).map((cause) => row(causeName(cause.key), cause));
  if (folded.length > 0) rows.push(row('other', foldCauses('', folded, threads.length)));
  rows.push(row('all', all));
  return textTable(['cause', 'cost', ...threads.map(({ name }) => name), 'cycles', '%', 'seconds'], rows, 2);
}

/** Brings the causes of all threads together, most cycles first; equal ones in order of their keys. */
function causesOf(threads: readonly Readonly<Record<string, number>>[]): readonly Cause[] {
  const keys = new Set(threads.flatMap((cyclesByCause) => Object.keys(cyclesByCause)));
  return [...keys]
    .map((key) => ({ key, cycles: threads.map((cyclesByCause) => cyclesByCause[key] ?? 0) }))
    .filter(({ cycles }) => sumOf(cycles) > 0)
    .sort((left, right) => sumOf(right.cycles) - sumOf(left.cycles) || (left.key < right.key ? -1 : 1));
}

function foldCauses(key: string, causes: readonly Cause[], threadCount: number): Cause {
  const cycles = Array.from({ length: threadCount }, (_, thread) =>
    sumOf(causes.map((cause) => cause.cycles[thread] as number)),
  );
  return { key, cycles };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
