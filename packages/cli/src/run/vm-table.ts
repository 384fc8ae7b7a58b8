import type { GuestFaultLatencies, RunReport, VmReport } from 'epckit';
import { formatCount, formatRatio } from './number-format.js';
import { textTable } from './text-table.js';

/** A line of the table; left out where every guest has nothing of the kind. */
interface Line {
  readonly title: string;
  readonly of: (vm: VmReport, clockGhz: number) => string;
}

const counted = (title: string, of: (vm: VmReport) => number): Line => ({
  title,
  of: (vm) => {
    const count = of(vm);
    return count === 0 ? '' : formatCount(count);
  },
});

type Percentile = 'p50Cycles' | 'p99Cycles' | 'maxCycles';

/** Microseconds of a fault latency as the guest feels it. */
const latency = (title: string, kind: keyof GuestFaultLatencies, percentile: Percentile): Line => ({
  title,
  of: ({ faultLatency }, clockGhz) => {
    const { count, [percentile]: cycles } = faultLatency[kind];
    return count === 0 ? '' : (cycles / (clockGhz * 1000)).toFixed(2);
  },
});

const lines: readonly Line[] = [
  counted('EPC pages given', ({ epcPages }) => epcPages),
  counted('  in the EPC at the end', ({ residentPages }) => residentPages),
  counted('  most at once', ({ peakPages }) => peakPages),
  counted('taken by the host', ({ hostEvictions }) => hostEvictions),
  counted('loaded back by the host', ({ hostReloads }) => hostReloads),
  counted('version array pages, most', ({ versionArrays }) => versionArrays.peak),
  counted('  evicted', ({ versionArrays }) => versionArrays.evictions),
  counted('  loaded back', ({ versionArrays }) => versionArrays.loads),
  counted('migrations', ({ migrations }) => migrations),
  counted('migrations that failed', ({ failedMigrations }) => failedMigrations),
  counted('enclaves built again', ({ enclaves }) =>
    enclaves.reduce((sum, { rebuilds }) => sum + rebuilds, 0),
  ),
  counted('page faults in the guest', ({ guestFaults }) => guestFaults),
  counted('evicted by the guest', ({ guestEvictions }) => guestEvictions),
  counted('loaded back by the guest', ({ guestLoads }) => guestLoads),
  counted('exits: EPT violations', ({ exits }) => exits.eptViolations),
  counted('exits: trapped ENCLS', ({ exits }) => exits.encls),
  counted('exits: conflicts', ({ exits }) => exits.conflicts),
  latency('µs per load in the guest, p50', 'load', 'p50Cycles'),
  latency('µs per load in the guest, p99', 'load', 'p99Cycles'),
  latency('µs per page of the host, p50', 'host', 'p50Cycles'),
  latency('µs per page of the host, p99', 'host', 'p99Cycles'),
  latency('µs per page of the host, longest', 'host', 'maxCycles'),
  latency('µs per first touch, p50', 'firstTouch', 'p50Cycles'),
  counted('accesses', ({ accesses }) => accesses),
  {
    title: 'accesses per µs',
    of: ({ accessesPerSecond }) => formatRatio(accessesPerSecond, 1e6, 3),
  },
];

/** Shows what happened to virtual machines, a column each; the empty text if the scenario has none. */
export function vmTable({ vms = [], scenario }: RunReport): string {
  if (vms.length === 0) return '';
  const rows = lines
    .map(({ title, of }) => [title, ...vms.map((vm) => of(vm, scenario.costs.clockGhz))])
    .filter(([, ...cells]) => cells.some((cell) => cell !== ''));
  return textTable(['', ...vms.map(({ name }) => name)], rows, 1);
}

/** Shows the enclaves of all guests, a line each; the empty text if the scenario has none. */
export function guestEnclaveTable({ vms = [], scenario }: RunReport): string {
  if (vms.length === 0) return '';
  const seconds = (cycles: number) => (cycles / (scenario.costs.clockGhz * 1e9)).toFixed(6);
  const rows = vms.flatMap(({ name, enclaves }) =>
    enclaves.map((enclave) => [
      name,
      enclave.name,
      ...[enclave.pages, enclave.faults, enclave.evictions, enclave.loads].map(formatCount),
      seconds(enclave.buildCycles),
      seconds(enclave.runCycles),
      formatRatio(enclave.accessesPerSecond, 1e6, 3),
    ]),
  );
  const head = ['guest', 'enclave', 'pages', 'faults', 'evicted', 'loaded', 's to build', 's to run'];
  return textTable([...head, 'accesses per µs'], rows, 2);
}

/** A line for each virtual machine that was stopped in the middle, and why. */
export function stoppedLines({ vms = [] }: RunReport): string[] {
  return vms.flatMap(({ name, stopReason }) =>
    stopReason === null ? [] : [`${name} was stopped: ${stopReason}`],
  );
}
