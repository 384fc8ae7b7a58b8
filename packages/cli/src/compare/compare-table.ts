import { assumptionsOf } from '../run/assumptions.js';
import { causeName } from '../run/cause-names.js';
import { textTable } from '../run/text-table.js';
import type { ComparedCombination, Comparison } from './comparison.js';
import { groupParts } from './group-statistics.js';
import type { PartKind, PartSpreads } from './part-statistics.js';
import { type Spread, statistics } from './statistics.js';
import { vmParts } from './vm-parts.js';

/** Causes that the table shows. */
const SHOWN_CAUSES = 8;
/** Parts with a smaller share than this are left out. */
const SMALLEST_SHARE = 0.001;
/** Locks that the table shows. */
const SHOWN_LOCKS = 4;
/** Space between columns and in front of the first. */
const GAP = 2;

interface Row {
  readonly title: string;
  readonly cells: readonly string[];
}

/**
 * Shows medians and their ratio to the first column, and the spread over the seeds where there is one.
 *
 * @param width - characters per line; columns that do not fit follow in further tables, each with the first one
 */
export function renderComparison(comparison: Comparison, width: number): string {
  const { combinations, vary, name, repeat } = comparison;
  const rows = rowsOf(comparison);
  const heads = vary.length === 0 ? [{ title: '', cells: ['as it is'] }] : headsOf(comparison);
  const blocks = blocksOf([...heads, ...rows], combinations.length, width);
  const tables = blocks.map((columns) => {
    const [head, ...moreHeads] = heads.map((row) => pick(row, columns));
    return textTable(
      head as string[],
      rows.map((row) => pick(row, columns)),
      1,
      moreHeads,
    );
  });
  const runs = repeat === 1 ? '1 run' : `${repeat} runs with different seeds`;
  const count = combinations.length === 1 ? '1 combination' : `${combinations.length} combinations`;
  const what = `${repeat === 1 ? 'values' : 'medians'} and their ratio to the first column`;
  return [
    `${name}: ${count}, ${runs} of each; ${what}`,
    '',
    tables.join('\n\n'),
    '',
    assumptionsOf(combinations.flatMap(({ runs }) => runs.map(({ report }) => report))),
    ...notesOf(comparison),
  ].join('\n');
}

function headsOf({ vary, combinations }: Comparison): Row[] {
  return vary.map(({ path }) => ({
    title: path,
    cells: combinations.map(({ values }) => String(values[path])),
  }));
}

function rowsOf({ combinations }: Comparison): Row[] {
  const counts = statistics.flatMap(({ key, title, format }) => {
    const spreads = combinations.map((one) => one.statistics[key] as Spread);
    return spreads.every(({ max }) => max === 0) ? [] : rowsOfSpreads(title, spreads, format);
  });
  const causes = combinations.map(({ cyclesByCause }) => cyclesByCause);
  const locks = combinations.map(({ lockWaitCycles }) => lockWaitCycles);
  return [
    ...counts,
    ...rowsOfParts(
      groupParts,
      combinations.map(({ groups = {} }) => groups),
    ),
    ...rowsOfParts(
      vmParts,
      combinations.map(({ vms = {} }) => vms),
    ),
    ...milliseconds('ms of all threads, by cause', combinations, causes, SHOWN_CAUSES, causeTitle),
    ...milliseconds(
      'ms of all threads, by lock waited for',
      combinations,
      locks,
      SHOWN_LOCKS,
      (name) => name,
    ),
  ];
}

/** Each part under its name; what is 0 everywhere is left out. @param parts - of each combination, the same in all */
function rowsOfParts<T>(kind: PartKind<T>, parts: readonly PartSpreads[]): Row[] {
  return Object.keys(parts[0] ?? {}).flatMap((name) => {
    const rows = kind.statistics.flatMap(({ key, title, format }) => {
      const spreads = parts.map((one) => one[name]?.[key] as Spread);
      return spreads.every(({ max }) => max === 0) ? [] : rowsOfSpreads(`  ${title}`, spreads, format);
    });
    return [{ title: `${kind.title} ${name}`, cells: parts.map(() => '') }, ...rows];
  });
}

const causeTitle = (cause: string) => `${causeName(cause)} (${cause})`;

/** The largest parts of the time of all threads, under a title of their own. */
function milliseconds(
  title: string,
  combinations: readonly ComparedCombination[],
  parts: readonly Readonly<Record<string, Spread>>[],
  most: number,
  titleOf: (name: string) => string,
): Row[] {
  const clocks = combinations.map(({ runs }) => (runs[0]?.report.scenario.costs.clockGhz ?? 1) * 1e6);
  const format = (cycles: number, column: number) => (cycles / (clocks[column] as number)).toFixed(3);
  const rows = largest(parts, most).flatMap((name) => {
    const spreads = parts.map((one) => one[name] ?? none);
    return rowsOfSpreads(`  ${titleOf(name)}`, spreads, format);
  });
  return rows.length === 0 ? [] : [{ title, cells: combinations.map(() => '') }, ...rows];
}

const none: Spread = { median: 0, min: 0, max: 0, ratio: null };

function rowsOfSpreads(
  title: string,
  spreads: readonly Spread[],
  format: (value: number, column: number) => string,
): Row[] {
  const ratios = spreads.map(({ ratio }) => (ratio === null ? '' : `×${ratio.toFixed(2)}`));
  const ratioWidth = Math.max(...ratios.map(({ length }) => length));
  const cells = spreads.map(
    ({ median }, column) => `${format(median, column)} ${(ratios[column] as string).padStart(ratioWidth)}`,
  );
  if (spreads.every(({ min, max }) => min === max)) return [{ title, cells }];
  const ranges = spreads.map(({ min, max }, column) =>
    min === max ? '=' : `${format(min, column)}–${format(max, column)}`,
  );
  return [
    { title, cells },
    { title: `${/^ */.exec(title)?.[0]}  min–max`, cells: ranges },
  ];
}

/** Parts with the most cycles over all columns; waiting for events is nobody's work. */
function largest(parts: readonly Readonly<Record<string, Spread>>[], most: number): string[] {
  const sums = new Map<string, number>();
  for (const [name, { median }] of parts.flatMap((one) => Object.entries(one))) {
    if (name !== 'EVENT_WAIT') sums.set(name, (sums.get(name) ?? 0) + median);
  }
  const all = [...sums.values()].reduce((sum, cycles) => sum + cycles, 0);
  return [...sums]
    .filter(([, cycles]) => cycles >= all * SMALLEST_SHARE)
    .sort(([nameA, a], [nameB, b]) => b - a || (nameA < nameB ? -1 : 1))
    .slice(0, most)
    .map(([name]) => name);
}

/** Columns that fit side by side; every block begins with the first column, which the ratios refer to. */
function blocksOf(rows: readonly Row[], count: number, width: number): number[][] {
  const widthOf = (column: number) => Math.max(...rows.map(({ cells }) => cells[column]?.length ?? 0)) + GAP;
  const titleWidth = Math.max(...rows.map(({ title }) => title.length)) + GAP;
  const blocks: number[][] = [];
  let block = [0];
  let used = titleWidth + widthOf(0);
  for (let column = 1; column < count; column++) {
    if (block.length > 1 && used + widthOf(column) > width) {
      blocks.push(block);
      block = [0];
      used = titleWidth + widthOf(0);
    }
    block.push(column);
    used += widthOf(column);
  }
  return [...blocks, block];
}

function pick({ title, cells }: Row, columns: readonly number[]): string[] {
  return [title, ...columns.map((column) => cells[column] as string)];
}

function notesOf({ combinations, repeat }: Comparison): string[] {
  if (repeat === 1) return [];
  const isEqual = combinations.every(({ statistics: all }) =>
    Object.values(all).every(({ min, max }) => min === max),
  );
  if (!isEqual) return [];
  return [
    '',
    'All seeds gave the same numbers: only startJitter and generator of an enclave draw from the seed.',
  ];
}
