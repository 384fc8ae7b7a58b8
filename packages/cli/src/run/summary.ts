import type { RunReport } from 'epckit';
import { countTable } from './count-table.js';
import { lockTable } from './lock-table.js';
import { formatCount, formatMebibytes } from './number-format.js';
import { timeTable } from './time-table.js';

/**
 * Shows a run to a person: what ran, what happened, where the time went.
 *
 * @returns text of several lines, without a line end behind the last
 */
export function renderSummary(report: RunReport): string {
  const locks = lockTable(report);
  return [
    heading(report),
    countTable(report),
    '',
    'Where the time goes, in cycles of each thread',
    timeTable(report),
    ...(locks === '' ? [] : ['', 'Locks that somebody waited for', locks]),
  ].join('\n');
}

function heading({ scenario, seed, total, enclaves, traces }: RunReport): string {
  const { machine, preset, reclaim, costs } = scenario;
  const sections = machine.sections.length === 1 ? '' : ` in ${machine.sections.length} sections`;
  const epc = `EPC ${formatMebibytes(total.epcPages)} = ${formatCount(total.epcPages)} pages${sections}`;
  const marks = `batch ${reclaim.batchPages}, low ${reclaim.lowPages}, high ${reclaim.highPages} pages`;
  return [
    `${scenario.name}: preset ${preset}, ${epc}, ${plural(machine.cpus.length, 'CPU')}, seed ${seed}`,
    `  reclaim: ${reclaim.policy}, ${marks}; costs: ${costs.table} at ${costs.clockGhz} GHz`,
    ...enclaves.map((enclave, index) => {
      const { trace, cpu, moreCpus = [] } = scenario.enclaves[index]!;
      const runs = formatCount(scenario.enclaves[index]!.runs ?? traces[trace]?.runs ?? 0);
      const size = `${formatCount(enclave.pages)} pages = ${formatMebibytes(enclave.pages)}`;
      return `  ${enclave.name}: ${size}, ${trace} (${runs} runs${repeated(scenario.enclaves[index]!.repeat)}) on ${cpuWords([cpu, ...moreCpus])}`;
    }),
    '',
  ].join('\n');
}

function cpuWords(cpus: readonly number[]): string {
  return cpus.length === 1 ? `CPU ${cpus[0]}` : `CPUs ${cpus.join(', ')}`;
}

function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`;
}

function repeated(times: number): string {
  return times === 1 ? '' : `, ${formatCount(times)} times`;
}
