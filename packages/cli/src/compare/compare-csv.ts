import { costNames } from '@epckit/interface';
import type { Comparison } from './comparison.js';
import { groupParts } from './group-statistics.js';
import { partCells, partHeads } from './part-statistics.js';
import { causesOf, statistics } from './statistics.js';
import { vmParts } from './vm-parts.js';

/** One row per run: the varied keys, the seed, every statistic, cycles of all threads by cause, statistics of cgroups and guests. */
export function comparisonCsv({ vary, combinations }: Comparison): string {
  // The same in every combination.
  const [groups, vms] = [combinations[0]?.groups, combinations[0]?.vms].map((parts) =>
    Object.keys(parts ?? {}),
  ) as [string[], string[]];
  const head = [
    ...vary.map(({ path }) => path),
    'seed',
    ...statistics.map(({ key }) => key),
    ...costNames.map((cause) => `cycles.${cause}`),
    ...partHeads(groupParts, groups),
    ...partHeads(vmParts, vms),
  ];
  const rows = combinations.flatMap(({ values, runs }) =>
    runs.map(({ seed, report }) => {
      const causes = causesOf(report);
      return [
        ...vary.map(({ path }) => values[path]),
        seed,
        ...statistics.map(({ of }) => of(report)),
        ...costNames.map((cause) => causes[cause] ?? 0),
        ...partCells(groupParts, groups, report),
        ...partCells(vmParts, vms, report),
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
