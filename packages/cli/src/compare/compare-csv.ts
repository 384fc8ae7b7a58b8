import { costNames } from '@epckit/interface';
import type { Comparison } from './comparison.js';
import { groupOf, groupStatistics } from './group-statistics.js';
import { causesOf, statistics } from './statistics.js';

/** One row per run: the varied keys, the seed, every statistic, cycles of all threads by cause. */
export function comparisonCsv({ vary, combinations }: Comparison): string {
  const paths = Object.keys(combinations[0]?.groups ?? {});
  const head = [
    ...vary.map(({ path }) => path),
    'seed',
    ...statistics.map(({ key }) => key),
    ...costNames.map((cause) => `cycles.${cause}`),
    ...paths.flatMap((path) => groupStatistics.map(({ key }) => `${path}: ${key}`)),
  ];
  const rows = combinations.flatMap(({ values, runs }) =>
    runs.map(({ seed, report }) => {
      const causes = causesOf(report);
      return [
        ...vary.map(({ path }) => values[path]),
        seed,
        ...statistics.map(({ of }) => of(report)),
        ...costNames.map((cause) => causes[cause] ?? 0),
        ...paths.flatMap((path) => groupStatistics.map(({ of }) => of(groupOf(report, path)))),
      ];
    }),
  );
  return [head, ...rows].map((row) => `${row.map(quote).join(',')}\n`).join('');
}

/** As in RFC 4180. */
function quote(value: unknown): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
