import { basename } from 'node:path';
import type { Scenario, ScenarioEnclave } from 'epckit';
import type { ScenarioFile } from './schema.js';

/**
 * Spells out every default of a scenario file that has passed all checks.
 *
 * @param path - of the file; its name is the default of `name`
 */
export function resolveScenario(file: ScenarioFile, path: string): Scenario {
  const cpus = typeof file.machine.cpus === 'number' ? oneNode(file.machine.cpus) : file.machine.cpus;
  const sections = file.machine.sections ?? [{ node: 0, epc: file.machine.epc as number }];
  const { batch, low, high, policy } = file.reclaim;
  return {
    name: file.name ?? basename(path).replace(/\.ya?ml$/i, ''),
    preset: file.preset,
    machine: {
      cpus: cpus.map(({ node }) => ({ node })),
      sections: sections.map(({ node, epc }) => ({ node, pageCount: epc })),
    },
    reclaim: { batchPages: batch, lowPages: low, highPages: high, policy },
    costs: { ...file.costs, overrides: definedEntries(file.costs.overrides) },
    enclaves: file.enclaves.map((enclave, index) => resolveEnclave(enclave, index)),
    seed: file.seed,
  };
}

function oneNode(cpuCount: number): readonly { readonly node: number }[] {
  return Array.from({ length: cpuCount }, () => ({ node: 0 }));
}

/** @param place - in the list of enclaves; the default of its CPU */
function resolveEnclave(enclave: ScenarioFile['enclaves'][number], place: number): ScenarioEnclave {
  const { name, trace, runs, repeat, cpu, measured } = enclave;
  return { name, trace, runs: runs ?? null, repeat, cpu: cpu ?? place, measured };
}

function definedEntries(costs: Readonly<Record<string, number | undefined>>): Record<string, number> {
  const defined = Object.entries(costs).filter((entry): entry is [string, number] => entry[1] !== undefined);
  return Object.fromEntries(defined);
}
