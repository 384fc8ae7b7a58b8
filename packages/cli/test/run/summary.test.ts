import type { CostName } from '@epckit/interface';
import type { CostReport, EnclaveReport, RunReport } from 'epckit';
import { describe, expect, it } from 'vitest';
import { renderSummary } from '../../src/index.js';

const counts = {
  accesses: 2_000_000,
  faults: 3000,
  faultRetries: 12,
  eadd: 100,
  eextend: 1600,
  eaug: 0,
  eaccept: 0,
  eldu: 2900,
  ewb: 2950,
  ewbNotTracked: 7,
  eblock: 2950,
  etrack: 200,
  eremove: 101,
  aex: 3001,
  eresume: 3001,
};

const noLatency = { count: 0, p50Cycles: 0, p90Cycles: 0, p99Cycles: 0, maxCycles: 0 };
const faultLatency = {
  load: { count: 2900, p50Cycles: 70_000, p90Cycles: 140_000, p99Cycles: 350_000, maxCycles: 700_000 },
  eaug: noLatency,
  firstTouch: { ...noLatency, count: 88, p50Cycles: 35_000 },
};

const enclave = (name: string, cyclesByCause: Record<string, number>): EnclaveReport => ({
  ...counts,
  name,
  pages: 100,
  vaPages: 1,
  peakEpcPages: 64,
  runCycles: 7_000_000,
  buildCycles: 3_500_000,
  cyclesByCause,
  faultLatency,
  threads: [],
});

const costEntry = (name: CostName, isAssumption: boolean): CostReport => {
  return { name, cycles: 1, min: 1, max: 1, grade: 'E', source: '', isAssumption };
};

function reportOf(enclaves: readonly EnclaveReport[], ksgxd: Record<string, number>): RunReport {
  return {
    format: 'epckit-run-1',
    versions: {},
    seed: 5,
    scenario: {
      name: 'two',
      preset: 'linux-6',
      machine: {
        cpus: [{ node: 0 }, { node: 1 }],
        sections: [
          { node: 0, pageCount: 1000 },
          { node: 1, pageCount: 280 },
        ],
      },
      reclaim: { batchPages: 16, lowPages: 32, highPages: 64, policy: 'second-chance' },
      costs: { table: 'server', overrides: {}, clockGhz: 3.5 },
      enclaves: enclaves.map(({ name }, cpu) => ({
        name,
        trace: 't.gz',
        runs: cpu === 0 ? null : 1000,
        repeat: cpu + 1,
        cpu,
        measured: true,
      })),
      seed: 5,
    },
    traces: { 't.gz': { runs: 1_234_567, uniquePages: 99 } },
    total: {
      ...counts,
      ipiRounds: 4,
      ipiInterruptedCpus: 3,
      ksgxdWakeups: 2,
      ksgxdBatches: 1,
      directReclaims: 0,
      vaPages: 2,
      epcPages: 1280,
      peakEpcPages: 1000,
      elapsedCycles: 10_500_000,
      allocations: 3000,
      remoteAllocations: 30,
      contextSwitches: 5,
      ksgxdEvictions: 2950,
      directEvictions: 0,
    },
    shares: { ksgxdDuty: 0.25, directReclaim: 0, remoteNode: 0.01 },
    perEviction: { etrack: 200 / 2950, ipiRounds: 4 / 2950, ipiInterruptedCpus: 3 / 2950 },
    faultLatency,
    freePages: { intervalCycles: 1024, lowest: [3], last: [4] },
    enclaves,
    ksgxd: { cyclesByCause: ksgxd, awakeCycles: 2_625_000 },
    daemons: [
      {
        ...{ name: 'ksgxd', cpu: 1, node: 1, duty: 0.25, awakeCycles: 2_625_000 },
        ...{ wakeups: 2, batches: 1, evictions: 2950, cyclesByCause: ksgxd },
      },
    ],
    cpus: [0, 1].map((cpu) => ({
      cpu,
      node: cpu,
      idleCycles: 2_000_000,
      cyclesByCause: { COMPUTE: 6_000_000 },
      cyclesByGroup: cpu === 0 ? { compute: 6_000_000 } : { compute: 3_000_000, leaf: 3_000_000 },
      lockWaitCycles: {},
    })),
    locks: [],
    costs: [
      costEntry('COMPUTE', false),
      costEntry('ELDU', true),
      costEntry('EWB', true),
      costEntry('ETRACK', true),
      costEntry('EADD', true),
    ],
  };
}

describe('renderSummary', () => {
  const summary = renderSummary(
    reportOf(
      [enclave('a', { COMPUTE: 6_000_000, ELDU: 3_000_000 }), enclave('b', { COMPUTE: 500_000, STEP: 3000 })],
      { EWB: 490_000, ETRACK: 4000, FUTURE: 3_000_000 },
    ),
  );
  const lines = summary.split('\n');

  it('tells who ran', () => {
    expect(lines.slice(0, 4)).toEqual([
      'two: preset linux-6, EPC 5 MiB = 1,280 pages in 2 sections, 2 CPUs, seed 5',
      '  reclaim: second-chance, batch 16, low 32, high 64 pages; costs: server at 3.5 GHz',
      '  a: 100 pages = 0.391 MiB, t.gz (1,234,567 runs) on CPU 0',
      '  b: 100 pages = 0.391 MiB, t.gz (1,000 runs, 2 times) on CPU 1',
    ]);
  });

  it('aligns numbers right, with thousands separators', () => {
    expect(lines).toContain('  accesses                          2,000,000  2,000,000  2,000,000');
    expect(lines).toContain('    per 1000 accesses                   1.500      1.500      1.500');
    expect(lines).toContain('  IPI rounds                                4');
    expect(lines).toContain('  seconds to build                              0.001000   0.001000');
    expect(lines).toContain('  seconds until the last has ended   0.003000');
  });

  it('tells where the time goes, most first, small causes as one', () => {
    const from = summary.indexOf('Where the time goes');
    expect(summary.slice(from, summary.indexOf('\n\n', from))).toBe(
      [
        'Where the time goes, in cycles of each thread',
        '  cause                   cost             a        b      ksgxd      cycles      %   seconds',
        '  ----------------------  -------  ---------  -------  ---------  ----------  -----  --------',
        "  the program's own work  COMPUTE  6,000,000  500,000              6,500,000   50.0  0.001857",
        '  loading pages back      ELDU     3,000,000                       3,000,000   23.1  0.000857',
        '  FUTURE                  FUTURE                       3,000,000   3,000,000   23.1  0.000857',
        '  writing pages out       EWB                            490,000     490,000    3.8  0.000140',
        '  other                                         3,000      4,000       7,000    0.1  0.000002',
        '  all                              9,000,000  503,000  3,494,000  12,997,000  100.0  0.003713',
      ].join('\n'),
    );
  });

  it('tells how each CPU has spent its time', () => {
    const from = summary.indexOf('Where the time of each CPU');
    expect(summary.slice(from, summary.indexOf('\n\n', from))).toBe(
      [
        'Where the time of each CPU goes, in percent',
        '  CPU        node  programs  leaves  idle',
        '  ---------  ----  --------  ------  ----',
        '  0             0      75.0          25.0',
        '  1 (ksgxd)     1      37.5    37.5  25.0',
      ].join('\n'),
    );
  });

  it('tells what of all that rests on assumptions, most cycles first', () => {
    expect(lines.at(-1)).toBe(
      'Costs: 3 of the 4 entries that were charged are assumptions: ELDU, EWB, ETRACK.',
    );
  });

  it('names what the costs are, beside the table', () => {
    const report = reportOf([], {});
    const costs = { level: 'maximum', microcode: 1.75, ipi: 'trapped', file: 'mine.yaml' } as const;
    const scenario = { ...report.scenario, costs: { ...report.scenario.costs, ...costs } };
    expect(renderSummary({ ...report, scenario })).toContain(
      'costs: server (maximum) at 3.5 GHz, own costs of mine.yaml, transitions × 1.75, trapped IPIs\n',
    );
  });

  it('has an answer for a run without accesses', () => {
    const idle = { ...reportOf([], {}) };
    const total = { ...idle.total, accesses: 0, faults: 0 };
    expect(renderSummary({ ...idle, total })).toMatch(/^ {4}per 1000 accesses +-$/m);
  });
});
