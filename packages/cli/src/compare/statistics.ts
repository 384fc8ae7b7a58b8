import type { RunReport, ThreadReport } from 'epckit';
import { formatCount } from '../run/number-format.js';
import { guestMicroseconds, leastOfVms, mostOfVms, overVms, peakUsedPages } from './vm-statistics.js';

/** A number that a comparison shows of each run. */
export interface Statistic {
  /** Name in JSON and CSV; units last. Described in docs/reference/statistics.md. */
  readonly key: string;
  /** Title in the table. */
  readonly title: string;
  /** The number. */
  readonly of: (report: RunReport) => number;
  /** How the table shows it. */
  readonly format: (value: number) => string;
}

const count = (key: string, title: string, of: Statistic['of']): Statistic => ({
  key,
  title,
  of,
  // The median of an even number of runs may lie between two counts.
  format: (value) => (Number.isInteger(value) ? formatCount(value) : value.toFixed(1)),
});

const decimal = (key: string, title: string, decimals: number, of: Statistic['of']): Statistic => ({
  key,
  title,
  of,
  format: (value) => value.toFixed(decimals),
});

const perEwb = (of: (report: RunReport) => number) => (report: RunReport) =>
  report.total.ewb === 0 ? 0 : of(report) / report.total.ewb;

const microseconds = (of: (report: RunReport) => number) => (report: RunReport) =>
  of(report) / (report.scenario.costs.clockGhz * 1000);

/** The numbers that `epckit compare` shows, in order. */
export const statistics: readonly Statistic[] = [
  decimal('elapsedSeconds', 'seconds to run', 6, secondsOf),
  decimal('accessesPerMicrosecond', 'accesses per µs', 2, (report) =>
    report.total.elapsedCycles === 0 ? 0 : accessesOf(report) / (secondsOf(report) * 1e6),
  ),
  count('faults', 'page faults', ({ total }) => total.faults),
  count('faultRetries', '  of these to be retried', ({ total }) => total.faultRetries),
  count('eldu', 'loads (ELDU)', ({ total }) => total.eldu),
  count('eaug', 'pages added at run time (EAUG)', ({ total }) => total.eaug),
  count('ewb', 'evictions (EWB)', ({ total }) => total.ewb),
  count('ewbNotTracked', 'EWB refused, not tracked yet', ({ total }) => total.ewbNotTracked),
  decimal(
    'etrackPerEwb',
    'ETRACK per eviction',
    3,
    perEwb(({ total }) => total.etrack),
  ),
  count('ipiRounds', 'IPI rounds', ({ total }) => total.ipiRounds),
  decimal(
    'ipiRoundsPerEwb',
    'IPI rounds per eviction',
    3,
    perEwb(({ total }) => total.ipiRounds),
  ),
  count('ipiInterruptedCpus', 'CPUs interrupted by IPIs', ({ total }) => total.ipiInterruptedCpus),
  decimal(
    'loadLatencyP50Us',
    'µs per load, p50',
    2,
    microseconds(({ faultLatency: { load } }) => load.p50Cycles),
  ),
  decimal(
    'loadLatencyP90Us',
    'µs per load, p90',
    2,
    microseconds(({ faultLatency: { load } }) => load.p90Cycles),
  ),
  decimal(
    'loadLatencyP99Us',
    'µs per load, p99',
    2,
    microseconds(({ faultLatency: { load } }) => load.p99Cycles),
  ),
  decimal(
    'loadLatencyMaxUs',
    'µs per load, longest',
    2,
    microseconds(({ faultLatency: { load } }) => load.maxCycles),
  ),
  decimal(
    'eaugLatencyP50Us',
    'µs per page added, p50',
    2,
    microseconds(({ faultLatency: { eaug } }) => eaug.p50Cycles),
  ),
  decimal(
    'eaugLatencyP99Us',
    'µs per page added, p99',
    2,
    microseconds(({ faultLatency: { eaug } }) => eaug.p99Cycles),
  ),
  decimal('slowestThreadPerMicrosecond', 'accesses per µs, slowest thread', 3, (report) =>
    report.enclaves.length === 0
      ? 0
      : Math.min(...report.enclaves.flatMap(({ threads }) => threads.map(throughput))),
  ),
  decimal('ksgxdDuty', 'ksgxd duty', 3, ({ shares }) => shares.ksgxdDuty),
  decimal('directReclaimShare', 'direct-reclaim share', 3, ({ shares }) => shares.directReclaim),
  decimal('remoteNodeShare', 'remote-node share', 3, ({ shares }) => shares.remoteNode),
  count('peakEpcPages', 'peak EPC pages', ({ total }) => total.peakEpcPages),
  decimal('fairness', 'fairness of throughput (Jain)', 3, ({ cgroups }) => cgroups?.fairness ?? 0),
  count('failedEnclaves', 'enclaves that could not go on', ({ enclaves }) =>
    enclaves.reduce((sum, { failure }) => sum + (failure === undefined ? 0 : 1), 0),
  ),
  count(
    'guestEpcPages',
    'EPC pages that guests were given',
    overVms(({ epcPages }) => epcPages),
  ),
  count('peakUsedPages', 'most EPC pages in use, guests and host', peakUsedPages),
  count(
    'hostEvictions',
    'taken from guests by the host',
    overVms(({ hostEvictions }) => hostEvictions),
  ),
  count(
    'hostReloads',
    'loaded back for guests by the host',
    overVms(({ hostReloads }) => hostReloads),
  ),
  count(
    'guestEvictions',
    'evicted by guests',
    overVms(({ guestEvictions }) => guestEvictions),
  ),
  count(
    'guestLoads',
    'loaded back by guests',
    overVms(({ guestLoads }) => guestLoads),
  ),
  count(
    'eptViolations',
    'exits: EPT violations',
    overVms(({ exits }) => exits.eptViolations),
  ),
  count(
    'enclsExits',
    'exits: trapped ENCLS',
    overVms(({ exits }) => exits.encls),
  ),
  count(
    'conflictExits',
    'exits: conflicts',
    overVms(({ exits }) => exits.conflicts),
  ),
  decimal(
    'guestLoadLatencyP50Us',
    'µs per load in a guest, p50 of the worst',
    2,
    mostOfVms(guestMicroseconds('load', 'p50Cycles')),
  ),
  decimal(
    'guestLoadLatencyP99Us',
    'µs per load in a guest, p99 of the worst',
    2,
    mostOfVms(guestMicroseconds('load', 'p99Cycles')),
  ),
  decimal(
    'hostPageLatencyP50Us',
    'µs per page of the host, p50 of the worst guest',
    2,
    mostOfVms(guestMicroseconds('host', 'p50Cycles')),
  ),
  decimal(
    'hostPageLatencyP99Us',
    'µs per page of the host, p99 of the worst guest',
    2,
    mostOfVms(guestMicroseconds('host', 'p99Cycles')),
  ),
  decimal(
    'slowestGuestPerMicrosecond',
    'accesses per µs, slowest guest',
    3,
    leastOfVms(({ accessesPerSecond }) => accessesPerSecond / 1e6),
  ),
  count(
    'stoppedGuests',
    'guests that the host had to stop',
    overVms(({ stopReason }) => (stopReason === null ? 0 : 1)),
  ),
];

/** References of enclaves of the host and of guests. */
function accessesOf({ total, vms = [] }: RunReport): number {
  return vms.reduce((sum, { accesses }) => sum + accesses, total.accesses);
}

function throughput({ accessesPerSecond }: ThreadReport): number {
  return accessesPerSecond / 1e6;
}

function secondsOf({ total, scenario }: RunReport): number {
  return total.elapsedCycles / (scenario.costs.clockGhz * 1e9);
}

/** Cycles of all threads by cause. */
export function causesOf({
  enclaves,
  ksgxd,
  cgroups,
  vms = [],
}: RunReport): Readonly<Record<string, number>> {
  const sum: Record<string, number> = {};
  for (const { cyclesByCause } of [...enclaves, ...vms, ksgxd, ...workersOf(cgroups)]) {
    for (const [cause, cycles] of Object.entries(cyclesByCause)) sum[cause] = (sum[cause] ?? 0) + cycles;
  }
  return sum;
}

function workersOf(cgroups: RunReport['cgroups']): RunReport['ksgxd'][] {
  return cgroups === undefined ? [] : [{ ...cgroups.workers, awakeCycles: 0 }];
}

/** A statistic over the seeds of a combination. */
export interface Spread {
  /** Median; the mean of the two in the middle for an even number of runs. */
  readonly median: number;
  /** Smallest. */
  readonly min: number;
  /** Largest. */
  readonly max: number;
  /** Median by that of the first combination; null if that is 0. */
  readonly ratio: number | null;
}

/** @param values - one per seed @param base - median of the first combination, or null if this is it */
export function spreadOf(values: readonly number[], base: number | null): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const high = sorted[sorted.length >> 1] as number;
  const low = sorted[(sorted.length - 1) >> 1] as number;
  const median = (low + high) / 2;
  const first = base ?? median;
  const ratio = first === 0 ? null : median / first;
  return { median, min: sorted[0] as number, max: sorted.at(-1) as number, ratio };
}
