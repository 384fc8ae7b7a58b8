import { basename } from 'node:path';
import { createRandom } from '@epckit/trace';
import type { Scenario, ScenarioCosts, ScenarioEnclave, ScenarioThread } from 'epckit';
import { resolveCgroups } from './cgroups.js';
import type { OwnCosts } from './cost-file.js';
import { durationToCycles } from './duration.js';
import { cpuNodesOf, placeThreads, sectionsOf } from './placement.js';
import type { ScenarioFile } from './schema.js';
import { nextCpu } from './vm-checks.js';
import { hasHostReclaim, resolveVms, vmGenerators } from './vms.js';

type EnclaveFile = ScenarioFile['enclaves'][number];

/** How the references of an enclave are made from a seed. */
export interface Generator {
  /** Which pages. */
  readonly kind: 'uniform' | 'zipf' | 'scan' | 'sequential';
  /** References to make. */
  readonly runs: number;
  /** Pages to choose from. */
  readonly pages: number;
  /** Share of the references that write. */
  readonly writeShare: number;
  /** Skew of `zipf`. */
  readonly exponent: number;
  /** Seed of its random streams. */
  readonly seed: number;
}

/**
 * Spells out every default of a scenario file that has passed all checks.
 *
 * @param own - costs of the file that it names
 * @param path - of the file; its name is the default of `name`
 * @param seed - in place of that of the file
 */
export function resolveScenario(
  file: ScenarioFile,
  own: OwnCosts,
  path: string,
  seed: number = file.seed,
): Scenario {
  const { batch, low, high, policy, daemons, daemonPlacement, daemonNodes } = file.reclaim;
  const cpus = placeThreads(file.enclaves);
  const resolve = (enclave: EnclaveFile, index: number) =>
    instancesOf(enclave, index).map((instance, at, { length }) => {
      const own = cpus[index] as readonly number[];
      const share = own.slice((own.length / length) * at, (own.length / length) * (at + 1));
      return resolveEnclave(enclave, instance, share, file.costs.clockGhz, seed);
    });
  return {
    name: file.name ?? basename(path).replace(/\.ya?ml$/i, ''),
    preset: file.preset,
    machine: {
      cpus: cpuNodesOf(file.machine).map(({ node }) => ({ node })),
      sections: sectionsOf(file.machine),
      distances: file.machine.distances ?? null,
      sliceCycles: durationToCycles(file.machine.slice, file.costs.clockGhz),
    },
    allocator: file.allocator,
    reclaim: {
      ...{ batchPages: batch, lowPages: low, highPages: high, policy },
      ...{ daemons, daemonPlacement, daemonNodes },
    },
    costs: resolveCosts(file.costs, own),
    ...cgroupsOf(file),
    enclaves: file.enclaves.flatMap(resolve),
    ...vmsOf(file, seed),
    seed,
    horizonCycles: file.horizon === undefined ? null : durationToCycles(file.horizon, file.costs.clockGhz),
  };
}

/** Scenarios without virtual machines do not mention them. */
function vmsOf(
  file: ScenarioFile,
  seed: number,
): Pick<Scenario, 'vms' | 'hostReclaim' | 'hostVersionArrays'> {
  if (file.vms.length === 0) return {};
  const next = nextCpu(placeThreads(file.enclaves).flat());
  const { hostVersionArrays } = file;
  const vms = resolveVms(file, next, seed);
  return { vms, hostReclaim: hasHostReclaim(file), hostVersionArrays };
}

/** Scenarios without cgroups do not mention them. */
function cgroupsOf(file: ScenarioFile): Pick<Scenario, 'cgroups'> {
  const cgroups = resolveCgroups(file);
  return cgroups === null ? {} : { cgroups };
}

/** The generators of a scenario by the names that stand for their traces. */
export function generatorsOf(file: ScenarioFile, seed: number = file.seed): ReadonlyMap<string, Generator> {
  const generators = vmGenerators(file, seed);
  const add = (generator: EnclaveFile['generator'], place: string): void => {
    if (generator === undefined) return;
    // Enclaves and threads with equal settings replay different references.
    const drawn = createRandom(seed, `trace of ${place}`).nextUint32();
    generators.set(generatedName(generator.kind, place), { ...generator, seed: drawn });
  };
  for (const [index, enclave] of file.enclaves.entries()) {
    const { generator, threads } = enclave;
    for (const { place } of instancesOf(enclave, index)) {
      add(generator, place);
      if (typeof threads !== 'object') continue;
      for (const [thread, own] of threads.entries()) add(own.generator, threadPlace(place, thread));
    }
  }
  return generators;
}

/** One of the enclaves that an entry of the list stands for. */
export interface Instance {
  /** Name of the enclave. */
  readonly name: string;
  /** Names its random streams and generated traces. */
  readonly place: string;
}

/** The enclaves that an entry of the list stands for: the first one draws as if it were alone. */
export function instancesOf({ name, instances }: EnclaveFile, index: number): readonly Instance[] {
  return Array.from({ length: instances }, (_, at) => ({
    name: instances === 1 ? name : `${name} ${at}`,
    place: at === 0 ? `enclave ${index}` : `enclave ${index}.${at}`,
  }));
}

const threadPlace = (place: string, thread: number): string => `${place}, thread ${thread}`;

function generatedName(kind: string, place: string): string {
  return `generated: ${kind}, ${place}`;
}

/** @param cpus - of its threads */
function resolveEnclave(
  enclave: EnclaveFile,
  { name, place }: Instance,
  cpus: readonly number[],
  clockGhz: number,
  seed: number,
): ScenarioEnclave {
  const { runs, repeat, measured, buildCost, dynamicShare, start, startJitter, stop, cgroup } = enclave;
  const jitterCycles = durationToCycles(startJitter, clockGhz);
  const drawn = createRandom(seed, `start of ${place}`).nextFloat();
  return {
    name,
    ...resolveThreads(enclave, place, cpus, clockGhz),
    runs: runs ?? null,
    repeat,
    measured,
    buildCost,
    dynamicShare,
    startCycles: durationToCycles(start, clockGhz) + Math.floor(drawn * jitterCycles),
    ...(stop === undefined ? {} : { stopCycles: durationToCycles(stop, clockGhz) }),
    ...(cgroup === undefined ? {} : { cgroup }),
  };
}

/** The threads of an enclave: with one trace to share, or with one each. */
function resolveThreads(
  { trace, generator, threads, deal }: EnclaveFile,
  place: string,
  cpus: readonly number[],
  clockGhz: number,
): Pick<ScenarioEnclave, 'trace' | 'cpu' | 'moreCpus' | 'deal' | 'moreThreads' | 'enterCycles'> {
  const [cpu, ...moreCpus] = cpus as [number, ...number[]];
  if (typeof threads !== 'object') {
    return { trace: trace ?? generatedName(generator?.kind ?? '', place), cpu, moreCpus, deal };
  }
  const [first, ...moreThreads] = threads.map((thread, at): Required<ScenarioThread> => {
    const made = generatedName(thread.generator?.kind ?? '', threadPlace(place, at));
    const startCycles = durationToCycles(thread.start, clockGhz);
    return { trace: thread.trace ?? made, cpu: cpus[at] as number, startCycles };
  }) as [Required<ScenarioThread>, ...Required<ScenarioThread>[]];
  return { trace: first.trace, cpu, enterCycles: first.startCycles, moreThreads };
}

function resolveCosts(costs: ScenarioFile['costs'], own: OwnCosts): Required<ScenarioCosts> {
  return { ...costs, file: costs.file ?? null, own, overrides: definedEntries(costs.overrides) };
}

function definedEntries(costs: Readonly<Record<string, number | undefined>>): Record<string, number> {
  const defined = Object.entries(costs).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return Object.fromEntries(defined);
}
