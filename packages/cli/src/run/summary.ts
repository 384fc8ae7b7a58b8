import { type RunReport, type ScenarioCosts, threadCpus, traceNames } from 'epckit';
import { assumptionsOf } from './assumptions.js';
import { countTable } from './count-table.js';
import { cpuTable } from './cpu-table.js';
import { failureLines, groupTable } from './group-table.js';
import { lockTable } from './lock-table.js';
import { formatCount, formatMebibytes } from './number-format.js';
import { timeTable } from './time-table.js';
import { guestEnclaveTable, stoppedLines, vmTable } from './vm-table.js';

/**
 * Shows a run to a person: what ran, what happened, where the time went.
 *
 * @returns text of several lines, without a line end behind the last
 */
export function renderSummary(report: RunReport): string {
  const locks = lockTable(report);
  const groups = groupTable(report);
  const guests = vmTable(report);
  return [
    heading(report),
    countTable(report),
    ...failureLines(report),
    ...(guests === '' ? [] : ['', `What happened to guests (${reclaimWords(report)})`, guests]),
    ...(guests === '' ? [] : ['', guestEnclaveTable(report)]),
    ...stoppedLines(report),
    ...(groups === '' ? [] : ['', `What happened to cgroups (design ${report.cgroups?.design})`, groups]),
    '',
    'Where the time goes, in cycles of each thread',
    timeTable(report),
    '',
    'Where the time of each CPU goes, in percent',
    cpuTable(report),
    ...(locks === '' ? [] : ['', 'Locks that somebody waited for', locks]),
    '',
    assumptionsOf([report]),
  ].join('\n');
}

function heading({ scenario, seed, total, enclaves, traces }: RunReport): string {
  const { machine, preset, reclaim } = scenario;
  const sections = machine.sections.length === 1 ? '' : ` in ${machine.sections.length} sections`;
  const epc = `EPC ${formatMebibytes(total.epcPages)} = ${formatCount(total.epcPages)} pages${sections}`;
  const marks = `batch ${reclaim.batchPages}, low ${reclaim.lowPages}, high ${reclaim.highPages} pages`;
  return [
    `${scenario.name}: preset ${preset}, ${epc}, ${plural(machine.cpus.length, 'CPU')}, seed ${seed}`,
    `  reclaim: ${reclaim.policy}, ${marks}; costs: ${costWords(scenario.costs)}`,
    ...enclaves.map((enclave, index) => {
      const settings = scenario.enclaves[index]!;
      const { runs, repeat } = settings;
      const size = `${formatCount(enclave.pages)} pages = ${formatMebibytes(enclave.pages)}`;
      const names = traceNames(settings).map((trace) => {
        return `${trace} (${formatCount(runs ?? traces[trace]?.runs ?? 0)} runs${repeated(repeat)})`;
      });
      return `  ${enclave.name}: ${size}, ${names.join(', ')} on ${cpuWords(threadCpus(settings))}`;
    }),
    ...vmWords(scenario),
    '',
  ].join('\n');
}

function vmWords({ vms = [] }: RunReport['scenario']): string[] {
  return vms.map(({ name, cpus, sections, enclaves }) => {
    const given = sections.reduce((sum, { pageCount }) => sum + pageCount, 0);
    const size = `guest with ${formatCount(given)} pages = ${formatMebibytes(given)}`;
    return `  ${name}: ${size}, ${plural(enclaves.length, 'enclave')} on ${cpuWords(cpus)}`;
  });
}

function reclaimWords({ scenario }: RunReport): string {
  return scenario.hostReclaim === true
    ? 'the host takes pages from them'
    : 'what they have touched is theirs';
}

/** The table, and what departs from it. */
function costWords({ table, level, file, microcode, ipi, clockGhz }: ScenarioCosts): string {
  const words = [
    `${table}${level === undefined || level === 'typical' ? '' : ` (${level})`} at ${clockGhz} GHz`,
    ...(typeof file === 'string' ? [`own costs of ${file}`] : []),
    ...(microcode === undefined || microcode === 1 ? [] : [`transitions × ${microcode}`]),
    ...(ipi === 'trapped' ? ['trapped IPIs'] : []),
  ];
  return words.join(', ');
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
