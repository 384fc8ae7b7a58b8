import { generateCyclicScan, generateUniform, generateZipf } from '@epckit/trace';
import type { Scenario, ScenarioEnclave, TraceColumns } from '../../src/index.js';

const generated = { writeShare: 0.3, seed: 7 };

/** Traces that take milliseconds to replay. */
export const smallTraces: ReadonlyMap<string, TraceColumns> = new Map([
  ['uniform', generateUniform({ ...generated, runCount: 3000, pageCount: 300 })],
  ['scan', generateCyclicScan({ ...generated, runCount: 2000, pageCount: 250 })],
  ['zipf', generateZipf({ ...generated, runCount: 3000, pageCount: 400, exponent: 0.9, shuffled: true })],
]);

/** An enclave that is not measured. */
export function smallEnclave(
  name: string,
  trace: string,
  cpu: number,
  more: Partial<ScenarioEnclave> = {},
): ScenarioEnclave {
  return { name, trace, cpu, runs: null, repeat: 1, measured: false, ...more };
}

/** Two nodes with four CPUs each, and 256 pages of EPC on the first. */
export function smallScenario(
  enclaves: readonly ScenarioEnclave[],
  changes: Partial<Scenario> = {},
): Scenario {
  return {
    name: 'test',
    preset: 'linux-6',
    machine: {
      cpus: Array.from({ length: 8 }, (_, cpu) => ({ node: cpu >> 2 })),
      sections: [{ node: 0, pageCount: 256 }],
    },
    reclaim: { batchPages: 16, lowPages: 32, highPages: 64, policy: 'second-chance' },
    costs: { table: 'server', overrides: {}, clockGhz: 3.2 },
    enclaves,
    seed: 1,
    ...changes,
  };
}

/** Sum of a record of numbers. */
export function sumOf(parts: Readonly<Record<string, number>>): number {
  return Object.values(parts).reduce((sum, part) => sum + part, 0);
}
