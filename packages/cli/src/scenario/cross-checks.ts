import { dynamicCosts, hasDynamicCosts } from 'epckit';
import { checkCgroups } from './cgroups.js';
import type { OwnCosts } from './cost-file.js';
import type { KeyPath } from './key-path.js';
import { formatPath } from './key-path.js';
import { machineChecks } from './machine-checks.js';
import { cpuNodesOf, placeThreads } from './placement.js';
import { plural } from './plural.js';
import type { Problem } from './problem.js';
import { instancesOf } from './resolve.js';
import type { ScenarioFile } from './schema.js';
import { checkSource } from './sources.js';
import { checkThreadList } from './thread-list.js';
import { vmChecks } from './vm-checks.js';

type EnclaveFile = ScenarioFile['enclaves'][number];

/**
 * Finds what no single key shows: keys that exclude or need each other.
 *
 * @param own - costs of the file that the scenario names
 * @returns the problems in the order of the keys in the reference; empty if the scenario is sound
 */
export function crossChecks(file: ScenarioFile, own: OwnCosts): Problem[] {
  return [
    ...machineChecks(file),
    ...checkNames(file),
    ...file.enclaves.flatMap(checkSources),
    ...file.enclaves.flatMap(checkThreads),
    ...checkCpus(file),
    ...checkDynamic(file, own),
    ...vmChecks(file),
    ...checkCgroups(file),
  ];
}

function checkNames({ enclaves }: ScenarioFile): Problem[] {
  const names = enclaves.map((enclave, index) => instancesOf(enclave, index).map(({ name }) => name));
  return names.flatMap((own, index): Problem[] => {
    const first = names.findIndex((others) => others.some((other) => own.includes(other)));
    if (first === index) return [];
    const name = own.find((one) => names[first]?.includes(one));
    const message = `enclaves[${index}].name is "${name}", as that of enclaves[${first}].`;
    const hint = 'Give each enclave a name of its own.';
    return [{ path: ['enclaves', index, 'name'], at: 'value', message, hint }];
  });
}

/** Every enclave, or each of its threads, has one source of references. */
function checkSources(enclave: EnclaveFile, index: number): Problem[] {
  const path = ['enclaves', index];
  const { threads } = enclave;
  if (typeof threads !== 'object') return checkSource(enclave, path);
  return threads.flatMap((thread, place) => checkSource(thread, [...path, 'threads', place]));
}

/** threads, cpu and cpus say the same in different ways. */
function checkThreads(enclave: EnclaveFile, index: number): Problem[] {
  const { threads, cpu, cpus } = enclave;
  const name = `enclaves[${index}]`;
  const path = ['enclaves', index, 'cpus'];
  const key = typeof threads === 'object' ? 'threads' : 'cpus';
  if (enclave.instances > 1 && typeof enclave[key] === 'object') {
    const message = `${name}.instances is ${enclave.instances}, but ${name}.${key} lists the ${key} of one.`;
    const hint = 'Give threads as a number and the CPU of the first as cpu, or an entry per enclave.';
    return [{ path: ['enclaves', index, key], at: 'key', message, hint }];
  }
  if (typeof threads === 'object') return checkThreadList(enclave, ['enclaves', index], keysOfThreads);
  if (cpus === undefined) return [];
  if (cpu !== undefined) {
    const message = `${name}.cpus and ${name}.cpu exclude each other.`;
    const hint = 'Keep cpu for threads on neighbouring CPUs, or cpus for any others.';
    return [{ path, at: 'key', message, hint }];
  }
  if (threads === undefined || threads === cpus.length) return [];
  const message = `${name}.cpus lists ${plural(cpus.length, 'CPU')} for ${plural(threads, 'thread')}.`;
  return [{ path, at: 'value', message, hint: 'Give each thread a CPU, or leave threads out.' }];
}

/** Keys of an enclave that a list of threads excludes, and those of a thread. */
const keysOfThreads = { trace: 'trace', generator: 'generator', cpu: 'cpu', cpus: 'cpu' } as const;

/** Pages can be added on first touch where there are instructions for that. */
function checkDynamic({ enclaves, costs }: ScenarioFile, own: OwnCosts): Problem[] {
  const overrides = definedOnly(costs.overrides);
  const index = enclaves.findIndex(({ dynamicShare }) => dynamicShare > 0);
  if (index < 0 || hasDynamicCosts({ table: costs.table, own, overrides, clockGhz: costs.clockGhz }))
    return [];
  const given = enclaves[index]?.dynamicShare;
  const message = `enclaves[${index}].dynamicShare is ${given}, but the client table is of parts without EAUG (SGX1).`;
  const hint = `Give costs.table: server, or costs of ${dynamicCosts.join(', ')} of your own.`;
  return [{ path: ['enclaves', index, 'dynamicShare'], at: 'value', message, hint }];
}

function definedOnly(costs: Readonly<Record<string, number | undefined>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(costs).filter((entry): entry is [string, number] => entry[1] !== undefined),
  );
}

/** Every thread needs a CPU that exists. */
function checkCpus(file: ScenarioFile): Problem[] {
  const cpuCount = cpuNodesOf(file.machine).length;
  const placed = placeThreads(file.enclaves).flatMap((cpus, index) =>
    cpus.map((cpu, thread) => ({ cpu, index, thread })),
  );
  const wrong = placed.find(({ cpu }) => cpu >= cpuCount);
  if (wrong === undefined) return [];
  const { cpu, index, thread } = wrong;
  const { path, says } = placeOf(file.enclaves[index] as EnclaveFile, index, thread, cpu);
  const message = `${says}, but the machine has ${plural(cpuCount, 'CPU')}.`;
  const key = file.machine.epcPerNode === undefined ? 'machine.cpus' : 'nodes × cpusPerNode';
  const hint = `Raise ${key} to ${cpu + 1}, or give ${cpuCount > 1 ? `a cpu from 0 to ${cpuCount - 1}` : 'cpu 0'}: threads of one CPU take turns.`;
  return [{ path, at: 'value', message, hint }];
}

/** The key that puts a thread on its CPU, and the beginning of a sentence about that. */
function placeOf(
  { cpu: given, cpus, threads, instances }: EnclaveFile,
  index: number,
  thread: number,
  cpu: number,
): { readonly path: KeyPath; readonly says: string } {
  const isList = typeof threads === 'object';
  const key = isList ? ['threads', thread, 'cpu'] : [cpus === undefined ? 'cpu' : 'cpus'];
  const path = ['enclaves', index, ...key];
  const isOwn = isList ? threads[thread]?.cpu !== undefined : given !== undefined || cpus !== undefined;
  const isOneOfMany = !isList && ((threads ?? 1) > 1 || instances > 1 || cpus !== undefined);
  if (isOneOfMany) return { path, says: `A thread of enclaves[${index}] is on CPU ${cpu}` };
  const why = isOwn ? '' : ' (its place in the list, as no cpu is given)';
  return { path, says: `${formatPath(path)} is ${cpu}${why}` };
}
