import { generateCyclicScan, generateUniform, loadTrace, samplePath } from '@epckit/trace';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import type { RunReport, Scenario, ScenarioEnclave, TraceColumns } from '../../src/index.js';
import { runScenario } from '../../src/index.js';
import { requireExactCycles } from '../../src/run/run-limits.js';

vi.setConfig({ testTimeout: 60_000 });

function enclave(name: string, trace: string, cpu = 0): ScenarioEnclave {
  return { name, trace, cpu, runs: null, repeat: 1, measured: false };
}

function scenario(
  pageCount: number,
  enclaves: readonly ScenarioEnclave[],
  changes: Partial<Scenario> = {},
): Scenario {
  return {
    name: 'test',
    preset: 'linux-6',
    machine: { cpus: [{ node: 0 }, { node: 0 }], sections: [{ node: 0, pageCount }] },
    reclaim: { batchPages: 16, lowPages: 32, highPages: 64, policy: 'second-chance' },
    costs: { table: 'client', overrides: {}, clockGhz: 3.5 },
    enclaves,
    seed: 1,
    ...changes,
  };
}

const generated = { writeShare: 0.3, seed: 7 };
const traces = new Map<string, TraceColumns>([
  ['uniform', generateUniform({ ...generated, runCount: 4000, pageCount: 300 })],
  ['scan', generateCyclicScan({ ...generated, runCount: 3000, pageCount: 250 })],
]);
const both = [enclave('A', 'uniform', 0), enclave('B', 'scan', 1)];

beforeAll(async () => {
  traces.set('sqlite', await loadTrace(samplePath('sqlite3-small')));
});

function sumOf(causes: Readonly<Record<string, number>>): number {
  return Object.values(causes).reduce((sum, cycles) => sum + cycles, 0);
}

describe('a run', () => {
  it('is byte-identical when it is repeated', () => {
    const text = (): string => JSON.stringify(runScenario(scenario(256, both), traces));
    expect(text()).toBe(text());
  });

  it('does every reference of the traces, however small the EPC is', () => {
    for (const pages of [140, 256, 1024]) {
      const report = runScenario(scenario(pages, both), traces);
      expect(report.enclaves.map(({ accesses }) => accesses)).toEqual([4000, 3000]);
      expect(report.total.peakEpcPages).toBeLessThanOrEqual(pages);
    }
  });

  it('moves no page when everything fits', () => {
    const { total } = runScenario(scenario(2048, [enclave('sqlite', 'sqlite')]), traces);
    expect(total).toMatchObject({ eldu: 0, ewb: 0, eblock: 0, etrack: 0, ipiRounds: 0, ksgxdWakeups: 0 });
    expect(total.faults).toBe(1521);
    expect(total.accesses).toBe(316_108);
  });

  it('charges every cycle of a thread to a cause', () => {
    const report = runScenario(scenario(256, both), traces);
    for (const one of report.enclaves) {
      expect(sumOf(one.cyclesByCause)).toBeGreaterThanOrEqual(one.buildCycles + one.runCycles);
    }
    expect(report.total.elapsedCycles).toBe(
      Math.max(...report.enclaves.map(({ buildCycles, runCycles }) => buildCycles + runCycles)),
    );
  });

  it('adds up enclaves to totals, and pages to leaves', () => {
    const report = runScenario(scenario(256, both), traces);
    for (const key of ['faults', 'eadd', 'eldu', 'ewb', 'eblock', 'aex'] as const) {
      expect(report.total[key], key).toBe(report.enclaves.reduce((sum, one) => sum + one[key], 0));
    }
    expect(report.total.eadd).toBe(report.enclaves.reduce((sum, one) => sum + one.pages, 0));
    // What was built or loaded has left again at the end: written out or removed.
    const { eadd, eldu, ewb, eremove, vaPages } = report.total;
    const secs = report.enclaves.length;
    expect(eadd + eldu + vaPages + secs).toBeLessThanOrEqual(ewb + eremove);
  });

  it('resolves the report to what was asked', () => {
    const asked = scenario(256, both, { seed: 42 });
    const report: RunReport = runScenario(asked, traces);
    expect(report.scenario).toEqual(asked);
    expect(report.seed).toBe(42);
    expect(Object.keys(report.versions)).toContain('@epckit/hardware');
  });

  it('has more faults the smaller the EPC is, for one program with second chance', () => {
    const faults = [1400, 700, 400].map((pages) => {
      return runScenario(scenario(pages, [enclave('sqlite', 'sqlite')]), traces).total.faults;
    });
    expect(faults).toEqual([...faults].sort((a, b) => a - b));
    expect(faults[0]).toBeLessThan(faults[2] as number);
  });

  it('reports progress up to the end', () => {
    const seen: [number, number][] = [];
    runScenario(scenario(256, both), traces, { onProgress: (done, total) => seen.push([done, total]) });
    expect(seen.at(-1)).toEqual([7000, 7000]);
    expect(seen.every(([done, total]) => done <= total)).toBe(true);
  });

  it('refuses costs and repetitions that make sums of cycles inexact', () => {
    const costs = { table: 'client', overrides: { EWB: 1e9 + 1 }, clockGhz: 3.5 } as const;
    expect(() => runScenario(scenario(256, both, { costs }), traces)).toThrow(
      /^costs\.overrides\.EWB is out of range/,
    );
    for (const repeat of [0, 1.5, 1e6 + 1]) {
      const often = [{ ...enclave('A', 'sqlite'), repeat }];
      expect(() => runScenario(scenario(256, often), traces)).toThrow(
        /^enclaves\[0\]\.repeat is out of range/,
      );
    }
  });

  it('refuses a run whose times are beyond 2^53 cycles', () => {
    expect(() => requireExactCycles(2 ** 53 - 1)).not.toThrow();
    expect(() => requireExactCycles(2 ** 53)).toThrow(/more than 2\^53 cycles/);
  });

  it('tells which enclave cannot run', () => {
    const thrown = expect.objectContaining({ code: 'EPCKIT_RUN', enclave: expect.stringMatching(/^[AB]$/) });
    expect(() => runScenario(scenario(2, both), traces)).toThrow(thrown);
  });

  it('names a missing trace and an EPC that is too small', () => {
    expect(() => runScenario(scenario(256, [enclave('A', 'nowhere')]), traces)).toThrow(/no trace 'nowhere'/);
    expect(() => runScenario(scenario(2, both), traces)).toThrow(/Enclave '[AB]' cannot run/);
  });
});
