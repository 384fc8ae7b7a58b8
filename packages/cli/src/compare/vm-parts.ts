import type { GuestFaultLatencies, RunReport, VmReport } from 'epckit';
import { counted, type PartKind, type PartStatistic } from './part-statistics.js';
import { guestMicroseconds } from './vm-statistics.js';

function latency(
  key: string,
  title: string,
  kind: keyof GuestFaultLatencies,
  percentile: 'p50Cycles' | 'p99Cycles',
): PartStatistic<VmReport> {
  return { key, title, of: guestMicroseconds(kind, percentile), format: (value) => value.toFixed(2) };
}

/** The numbers that `epckit compare` shows of each virtual machine, in order. */
const statistics: readonly PartStatistic<VmReport>[] = [
  counted('peakPages', 'most pages at once', ({ peakPages }) => peakPages),
  counted('residentPages', 'pages at the end', ({ residentPages }) => residentPages),
  counted('hostEvictions', 'taken by the host', ({ hostEvictions }) => hostEvictions),
  counted('hostReloads', 'loaded back by the host', ({ hostReloads }) => hostReloads),
  counted('versionArrayPeakPages', 'version array pages, most', ({ versionArrays }) => versionArrays.peak),
  counted(
    'versionArrayEvictions',
    'version array pages evicted',
    ({ versionArrays }) => versionArrays.evictions,
  ),
  counted('versionArrayLoads', 'version array pages loaded back', ({ versionArrays }) => versionArrays.loads),
  counted('guestFaults', 'page faults in the guest', ({ guestFaults }) => guestFaults),
  counted('guestEvictions', 'evicted by the guest', ({ guestEvictions }) => guestEvictions),
  counted('guestLoads', 'loaded back by the guest', ({ guestLoads }) => guestLoads),
  counted('eptViolations', 'exits: EPT violations', ({ exits }) => exits.eptViolations),
  counted('enclsExits', 'exits: trapped ENCLS', ({ exits }) => exits.encls),
  counted('conflictExits', 'exits: conflicts', ({ exits }) => exits.conflicts),
  latency('loadLatencyP50Us', 'µs per load in the guest, p50', 'load', 'p50Cycles'),
  latency('loadLatencyP99Us', 'µs per load in the guest, p99', 'load', 'p99Cycles'),
  latency('hostPageLatencyP50Us', 'µs per page of the host, p50', 'host', 'p50Cycles'),
  latency('hostPageLatencyP99Us', 'µs per page of the host, p99', 'host', 'p99Cycles'),
  counted('migrations', 'migrations', ({ migrations }) => migrations),
  counted('failedMigrations', 'migrations that failed', ({ failedMigrations }) => failedMigrations),
  counted('rebuilds', 'enclaves built again', ({ enclaves }) =>
    enclaves.reduce((sum, { rebuilds }) => sum + rebuilds, 0),
  ),
  counted('accesses', 'accesses', ({ accesses }) => accesses),
  {
    key: 'accessesPerMicrosecond',
    title: 'accesses per µs',
    of: ({ accessesPerSecond }) => accessesPerSecond / 1e6,
    format: (value) => value.toFixed(3),
  },
  counted('stopped', 'was stopped', ({ stopReason }) => (stopReason === null ? 0 : 1)),
];

/** Virtual machines of a run, by name. */
export const vmParts: PartKind<VmReport> = {
  title: 'guest',
  partsOf: ({ vms = [] }: RunReport) => new Map(vms.map((vm) => [vm.name, vm])),
  statistics,
};
