import { describe, expect, it } from 'vitest';
import type {
  PresetName,
  RunReport,
  Scenario,
  ScenarioEnclave,
  ScenarioGroup,
  TraceColumns,
} from '../../src/index.js';
import { runScenario } from '../../src/index.js';

/**
 * The selftests of the series on a machine of 16 MiB: S, L and XL are the same parts of it. A version array serves 512
 * pages, so a workload that is as large as the machine needs `CAP / 512` of them, which is S.
 */
const CAP = 4096;
const S = CAP / 512;
const PAGE = 4096;

const groups: readonly ScenarioGroup[] = [
  { path: '/K', maxBytes: null },
  { path: '/K/small_parent', maxBytes: S * PAGE },
  { path: '/K/small_parent/small', maxBytes: null },
  { path: '/K/large', maxBytes: 4 * S * PAGE },
  { path: '/K/larger', maxBytes: CAP * PAGE },
];

/** W: an enclave whose heap is as large as the machine, called once to store a value and once to read it back. */
const workload: TraceColumns = {
  length: 2,
  page: Uint32Array.of(CAP / 2, CAP / 2),
  type: Uint8Array.of(1, 0),
  count: Uint32Array.of(1, 1),
  pageNumber: Float64Array.from({ length: CAP }, (_, page) => page),
};

/** How many workloads run at the same time, and what is different with the first. */
function run(
  preset: PresetName,
  group: string,
  count: number,
  first: Partial<ScenarioEnclave> = {},
): RunReport {
  const enclaves = Array.from(
    { length: count },
    (_, index): ScenarioEnclave => ({
      ...{ name: `W${index}`, trace: 'W', runs: null, repeat: 1, cpu: index % 4, measured: false },
      ...{ cgroup: `/K/${group}`, startCycles: index * 50_000 },
      ...(index === 0 ? first : {}),
    }),
  );
  const scenario: Scenario = {
    name: 'selftest',
    preset,
    machine: {
      cpus: Array.from({ length: 4 }, () => ({ node: 0 })),
      sections: [{ node: 0, pageCount: CAP }],
    },
    reclaim: { batchPages: 16, lowPages: 32, highPages: 64, policy: 'second-chance' },
    costs: { table: 'client', overrides: {}, clockGhz: 3.5 },
    cgroups: { groups },
    enclaves,
    seed: 1,
  };
  const report = runScenario(scenario, new Map([['W', workload]]));
  // T7: no charge is left.
  for (const { usage, path } of report.cgroups?.groups ?? [])
    expect([path, usage.last.at(-1)]).toEqual([path, 0]);
  return report;
}

const failed = ({ enclaves }: RunReport): number =>
  enclaves.filter(({ failure }) => failure !== undefined).length;

const presets: readonly PresetName[] = ['cgroup-2020', 'cgroup-v5', 'cgroup-v17', 'epckit'];

describe.each(presets)('%s; in the end no charge is left (T7)', { timeout: 120_000 }, (preset) => {
  it('T1: a workload fails below a parent that is too small', () => {
    const report = run(preset, 'small_parent/small', 1);
    const failure = {
      call: 'ADD_PAGES',
      result: 'ENOMEM',
      refusedFor: 'limit',
      refusedBy: '/K/small_parent',
    };
    expect(report.enclaves[0]?.failure).toMatchObject(failure);
  });

  it('T2: of four in a group for four, at least one succeeds', () => {
    expect(failed(run(preset, 'large', 4))).toBeLessThan(4);
  });

  it('T3: of five, at least one fails', () => {
    expect(failed(run(preset, 'large', 5))).toBeGreaterThan(0);
  });

  it('T4: of eight in a group that may have everything, none fails', () => {
    expect(failed(run(preset, 'larger', 8))).toBe(0);
  });

  it('T5: one of eight is ended on the way, the others succeed', () => {
    const report = run(preset, 'larger', 8, { stopCycles: 20_000_000, startCycles: 0 });
    expect(report.enclaves.slice(1).filter(({ failure }) => failure !== undefined)).toEqual([]);
    expect(report.enclaves[0]?.accesses).toBe(0);
  });
});
