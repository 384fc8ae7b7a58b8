import { basename } from 'node:path';
import { createRandom } from '@epckit/trace';
import type { Scenario, ScenarioEnclave } from 'epckit';
import { durationToCycles } from './duration.js';
import { cpuNodesOf, placeThreads, sectionsOf } from './placement.js';
import type { ScenarioFile } from './schema.js';

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
 * @param path - of the file; its name is the default of `name`
 * @param seed - in place of that of the file
 */
export function resolveScenario(file: ScenarioFile, path: string, seed: number = file.seed): Scenario {
  const { batch, low, high, policy } = file.reclaim;
  const cpus = placeThreads(file.enclaves);
  const resolve = (enclave: EnclaveFile, index: number) =>
    resolveEnclave(enclave, index, cpus[index] as readonly number[], file.costs.clockGhz, seed);
  return {
    name: file.name ?? basename(path).replace(/\.ya?ml$/i, ''),
    preset: file.preset,
    machine: {
      cpus: cpuNodesOf(file.machine).map(({ node }) => ({ node })),
      sections: sectionsOf(file.machine),
    },
    reclaim: { batchPages: batch, lowPages: low, highPages: high, policy },
    costs: { ...file.costs, overrides: definedEntries(file.costs.overrides) },
    enclaves: file.enclaves.map(resolve),
    seed,
    horizonCycles: file.horizon === undefined ? null : durationToCycles(file.horizon, file.costs.clockGhz),
  };
}

/** The generators of a scenario by the names that stand for their traces. */
export function generatorsOf(file: ScenarioFile, seed: number = file.seed): ReadonlyMap<string, Generator> {
  const generators = new Map<string, Generator>();
  for (const [index, { generator }] of file.enclaves.entries()) {
    if (generator === undefined) continue;
    // Enclaves with equal settings replay different references.
    const drawn = createRandom(seed, `trace of enclave ${index}`).nextUint32();
    generators.set(generatedName(index, generator.kind), { ...generator, seed: drawn });
  }
  return generators;
}

function generatedName(index: number, kind: string): string {
  return `generated: ${kind}, enclave ${index}`;
}

/** @param index - place in the list of enclaves; names its random streams */
function resolveEnclave(
  enclave: EnclaveFile,
  index: number,
  cpus: readonly number[],
  clockGhz: number,
  seed: number,
): ScenarioEnclave {
  const { name, trace, generator, runs, repeat, deal, measured, buildCost, start, startJitter } = enclave;
  const [cpu, ...moreCpus] = cpus as [number, ...number[]];
  const jitterCycles = durationToCycles(startJitter, clockGhz);
  const drawn = createRandom(seed, `start of enclave ${index}`).nextFloat();
  return {
    name,
    trace: trace ?? generatedName(index, generator?.kind ?? ''),
    runs: runs ?? null,
    repeat,
    cpu,
    moreCpus,
    deal,
    measured,
    buildCost,
    startCycles: durationToCycles(start, clockGhz) + Math.floor(drawn * jitterCycles),
  };
}

function definedEntries(costs: Readonly<Record<string, number | undefined>>): Record<string, number> {
  const defined = Object.entries(costs).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return Object.fromEntries(defined);
}
