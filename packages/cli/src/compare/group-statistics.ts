import type { GroupReport, RunReport } from 'epckit';
import { formatCount } from '../run/number-format.js';
import { type Spread, spreadOf } from './statistics.js';

/** A number that a comparison shows of each group. */
export interface GroupStatistic {
  /** Name in JSON and, behind the group, in CSV. Described in docs/reference/statistics.md. */
  readonly key: string;
  /** Title in the table. */
  readonly title: string;
  /** The number. */
  readonly of: (group: GroupReport) => number;
  /** How the table shows it. */
  readonly format: (value: number) => string;
}

const count = (key: string, title: string, of: GroupStatistic['of']): GroupStatistic => ({
  key,
  title,
  of,
  format: (value) => (Number.isInteger(value) ? formatCount(value) : value.toFixed(1)),
});

/** The numbers that `epckit compare` shows of each group, in order. */
export const groupStatistics: readonly GroupStatistic[] = [
  count('peakPages', 'most pages at once', ({ peakPages }) => peakPages),
  {
    key: 'faultsPerThousand',
    title: 'page faults per 1000 accesses',
    of: ({ faults, accesses }) => (accesses === 0 ? 0 : (faults * 1000) / accesses),
    format: (value) => value.toFixed(3),
  },
  count('eldu', 'loads (ELDU)', ({ eldu }) => eldu),
  count('events', 'charges that failed at its limit or below', ({ events }) => events),
  count(
    'refusals',
    'allocations refused',
    ({ refusals }) => refusals.limit + refusals.machine + refusals.backing,
  ),
  count('reclaimedFrom', 'its pages evicted', ({ reclaimedFrom }) => reclaimedFrom.evicted),
  count('lookedAtFrom', 'its pages looked at', ({ reclaimedFrom }) => reclaimedFrom.lookedAt),
  count('reclaimedBy', 'evicted by its processes', ({ reclaimedBy }) => reclaimedBy.evicted),
  count(
    'reclaimedByWorkers',
    'evicted by workers for it',
    ({ reclaimedByWorkers }) => reclaimedByWorkers.evicted,
  ),
  count('victims', 'enclaves killed for it', ({ victims }) => victims.length),
  count('failed', 'enclaves that could not go on', ({ failed }) => failed.length),
];

/** Statistics of each group over the seeds, by group and key. */
export type GroupSpreads = Readonly<Record<string, Readonly<Record<string, Spread>>>>;

/** Every statistic of every group that all runs of a comparison have. */
export function groupSpreads(own: readonly RunReport[], base: readonly RunReport[]): GroupSpreads {
  const paths = pathsOf(base[0]).filter((path) =>
    [...own, ...base].every((one) => pathsOf(one).includes(path)),
  );
  return Object.fromEntries(
    paths.map((path) => [
      path,
      Object.fromEntries(
        groupStatistics.map(({ key, of }) => {
          const valuesOf = (reports: readonly RunReport[]) => reports.map((one) => of(groupOf(one, path)));
          return [key, spreadOf(valuesOf(own), spreadOf(valuesOf(base), null).median)];
        }),
      ),
    ]),
  );
}

/** Directories of the groups of a run. */
function pathsOf(report: RunReport | undefined): readonly string[] {
  return report?.cgroups?.groups.map(({ path }) => path) ?? [];
}

/** A group of a run that has it. */
export function groupOf({ cgroups }: RunReport, path: string): GroupReport {
  return cgroups?.groups.find((group) => group.path === path) as GroupReport;
}
