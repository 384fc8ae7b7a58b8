import type { GroupReport, RunReport } from 'epckit';
import { counted, type PartKind, type PartStatistic } from './part-statistics.js';

/** The numbers that `epckit compare` shows of each group, in order. */
const statistics: readonly PartStatistic<GroupReport>[] = [
  counted('peakPages', 'most pages at once', ({ peakPages }) => peakPages),
  {
    key: 'faultsPerThousand',
    title: 'page faults per 1000 accesses',
    of: ({ faults, accesses }) => (accesses === 0 ? 0 : (faults * 1000) / accesses),
    format: (value) => value.toFixed(3),
  },
  counted('eldu', 'loads (ELDU)', ({ eldu }) => eldu),
  counted('events', 'charges that failed at its limit or below', ({ events }) => events),
  counted(
    'refusals',
    'allocations refused',
    ({ refusals }) => refusals.limit + refusals.machine + refusals.backing,
  ),
  counted('reclaimedFrom', 'its pages evicted', ({ reclaimedFrom }) => reclaimedFrom.evicted),
  counted('lookedAtFrom', 'its pages looked at', ({ reclaimedFrom }) => reclaimedFrom.lookedAt),
  counted('reclaimedBy', 'evicted by its processes', ({ reclaimedBy }) => reclaimedBy.evicted),
  counted(
    'reclaimedByWorkers',
    'evicted by workers for it',
    ({ reclaimedByWorkers }) => reclaimedByWorkers.evicted,
  ),
  counted('victims', 'enclaves killed for it', ({ victims }) => victims.length),
  counted('failed', 'enclaves that could not go on', ({ failed }) => failed.length),
];

/** Cgroups of a run, by directory. */
export const groupParts: PartKind<GroupReport> = {
  title: 'cgroup',
  partsOf: ({ cgroups }: RunReport) => new Map(cgroups?.groups.map((group) => [group.path, group])),
  statistics,
};
