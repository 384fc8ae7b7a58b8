import type { EnclaveReport, RunCounts, RunReport } from 'epckit';
import { formatCount, formatRatio, formatSeconds } from './number-format.js';
import { textTable } from './text-table.js';

/** A line of the table: its title, the value for the whole run, and for one enclave. */
interface Line {
  readonly title: string;
  readonly total: (total: RunReport['total'], report: RunReport) => string;
  readonly enclave: (enclave: EnclaveReport, report: RunReport) => string;
  /** Left out where this is 0. */
  readonly unless?: (total: RunReport['total']) => number;
}

/** A line that is left out where there is nothing of the kind. */
function whereAny(line: Line, unless: (total: RunReport['total']) => number): Line {
  return { ...line, unless };
}

/** A count that the run and each enclave have. */
function both(title: string, count: (counts: RunCounts & { readonly vaPages: number }) => number): Line {
  const text = (counts: RunCounts & { readonly vaPages: number }) => formatCount(count(counts));
  return { title, total: text, enclave: text };
}

/** A count that belongs to the machine and not to an enclave. */
function machineOnly(title: string, count: (total: RunReport['total']) => number): Line {
  return { title, total: (total) => formatCount(count(total)), enclave: () => '' };
}

function faultRate({ faults, accesses }: RunCounts): string {
  return formatRatio(faults * 1000, accesses, 3);
}

/** A time of each enclave; the run as a whole has none of this kind. */
function enclaveSeconds(title: string, cycles: (enclave: EnclaveReport) => number): Line {
  return {
    title,
    total: () => '',
    enclave: (enclave, { scenario }) => formatSeconds(cycles(enclave), scenario.costs.clockGhz),
  };
}

type Latencies = RunReport['faultLatency'];

/** Microseconds of a fault latency; empty where nothing of the kind happened. */
function latency(title: string, cycles: (latencies: Latencies) => readonly [number, number]): Line {
  const text = (latencies: Latencies, { scenario }: RunReport) => {
    const [count, value] = cycles(latencies);
    return count === 0 ? '' : (value / (scenario.costs.clockGhz * 1000)).toFixed(2);
  };
  return {
    title,
    total: (_, report) => text(report.faultLatency, report),
    enclave: ({ faultLatency }, report) => text(faultLatency, report),
  };
}

/** A share of the whole run, in percent. */
function share(title: string, of: (shares: RunReport['shares']) => number): Line {
  return { title, total: (_, { shares }) => `${(of(shares) * 100).toFixed(1)} %`, enclave: () => '' };
}

const lines: readonly Line[] = [
  both('accesses', (counts) => counts.accesses),
  both('page faults', (counts) => counts.faults),
  both('  of these to be retried', (counts) => counts.faultRetries),
  { title: '  per 1000 accesses', total: faultRate, enclave: faultRate },
  both('EADD', (counts) => counts.eadd),
  both('EEXTEND', (counts) => counts.eextend),
  whereAny(
    both('EAUG', (counts) => counts.eaug),
    (total) => total.eaug,
  ),
  whereAny(
    both('EACCEPT', (counts) => counts.eaccept),
    (total) => total.eaccept,
  ),
  both('ELDU', (counts) => counts.eldu),
  both('EWB', (counts) => counts.ewb),
  both('EWB refused, not tracked yet', (counts) => counts.ewbNotTracked),
  both('EBLOCK', (counts) => counts.eblock),
  both('ETRACK', (counts) => counts.etrack),
  both('EREMOVE', (counts) => counts.eremove),
  both('AEX', (counts) => counts.aex),
  both('ERESUME', (counts) => counts.eresume),
  machineOnly('IPI rounds', (total) => total.ipiRounds),
  machineOnly('CPUs interrupted by IPIs', (total) => total.ipiInterruptedCpus),
  {
    title: 'IPI rounds per EWB',
    total: (_, { perEviction }) => perEviction.ipiRounds.toFixed(3),
    enclave: () => '',
  },
  {
    title: 'ETRACK per EWB',
    total: (_, { perEviction }) => perEviction.etrack.toFixed(3),
    enclave: () => '',
  },
  machineOnly('ksgxd wake-ups', (total) => total.ksgxdWakeups),
  machineOnly('ksgxd batches', (total) => total.ksgxdBatches),
  machineOnly('direct reclaims', (total) => total.directReclaims),
  machineOnly('context switches', (total) => total.contextSwitches),
  share('ksgxd duty', (shares) => shares.ksgxdDuty),
  share('evicted by direct reclaim', (shares) => shares.directReclaim),
  share('pages from remote nodes', (shares) => shares.remoteNode),
  latency('µs per load, p50', ({ load }) => [load.count, load.p50Cycles]),
  latency('µs per load, p90', ({ load }) => [load.count, load.p90Cycles]),
  latency('µs per load, p99', ({ load }) => [load.count, load.p99Cycles]),
  latency('µs per load, longest', ({ load }) => [load.count, load.maxCycles]),
  latency('µs per first touch, p50', ({ firstTouch }) => [firstTouch.count, firstTouch.p50Cycles]),
  whereAny(
    latency('µs per page added (EAUG), p50', ({ eaug }) => [eaug.count, eaug.p50Cycles]),
    (total) => total.eaug,
  ),
  whereAny(
    latency('µs per page added (EAUG), p99', ({ eaug }) => [eaug.count, eaug.p99Cycles]),
    (total) => total.eaug,
  ),
  both('version array pages', (counts) => counts.vaPages),
  {
    title: 'peak EPC pages',
    total: (total) => formatCount(total.peakEpcPages),
    enclave: (enclave) => formatCount(enclave.peakEpcPages),
  },
  enclaveSeconds('seconds to build', (enclave) => enclave.buildCycles),
  enclaveSeconds('seconds to run', (enclave) => enclave.runCycles),
  {
    title: 'seconds until the last has ended',
    total: (total, { scenario }) => formatSeconds(total.elapsedCycles, scenario.costs.clockGhz),
    enclave: () => '',
  },
];

/** Shows the counts of the whole run and of each enclave side by side. */
export function countTable(report: RunReport): string {
  const head = ['', 'total', ...report.enclaves.map(({ name }) => name)];
  const shown = lines.filter(({ unless }) => unless === undefined || unless(report.total) > 0);
  const rows = shown.map(({ title, total, enclave }) => [
    title,
    total(report.total, report),
    ...report.enclaves.map((one) => enclave(one, report)),
  ]);
  return textTable(head, rows, 1);
}
