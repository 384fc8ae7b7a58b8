import { generateCyclicScan, generateUniform } from '@epckit/trace';
import { describe, expect, it, vi } from 'vitest';
import type { RunEvent, RunReport, Scenario, ScenarioEnclave, TraceColumns } from '../../src/index.js';
import { runScenario } from '../../src/index.js';

vi.setConfig({ testTimeout: 60_000 });

const generated = { writeShare: 0.3, seed: 7 };
const traces = new Map<string, TraceColumns>([
  ['uniform', generateUniform({ ...generated, runCount: 4000, pageCount: 300 })],
  ['scan', generateCyclicScan({ ...generated, runCount: 3000, pageCount: 250 })],
]);

function enclave(
  name: string,
  trace: string,
  cpu: number,
  more: Partial<ScenarioEnclave> = {},
): ScenarioEnclave {
  return { name, trace, cpu, runs: null, repeat: 1, measured: false, ...more };
}

const both = [enclave('A', 'uniform', 0), enclave('B', 'scan', 1)];

function run(
  enclaves: readonly ScenarioEnclave[],
  changes: Partial<Scenario> = {},
  onEvent?: (event: RunEvent) => void,
) {
  const cpus = Array.from({ length: 6 }, (_, cpu) => ({ node: Math.floor(cpu / 3) }));
  const scenario: Scenario = {
    name: 'test',
    preset: 'linux-6',
    machine: { cpus, sections: [{ node: 0, pageCount: 256 }] },
    reclaim: { batchPages: 16, lowPages: 32, highPages: 64, policy: 'second-chance' },
    costs: { table: 'client', overrides: {}, clockGhz: 3.5 },
    enclaves,
    seed: 1,
    ...changes,
  };
  return runScenario(scenario, traces, onEvent === undefined ? {} : { onEvent });
}

function sumOf(causes: Readonly<Record<string, number>>): number {
  return Object.values(causes).reduce((sum, cycles) => sum + cycles, 0);
}

describe('the metrics of a run', () => {
  const report: RunReport = run(both);

  it('have one latency per faulting access, by what it did', () => {
    const { load, eaug, firstTouch } = report.faultLatency;
    expect(eaug.count).toBe(0);
    expect(load.count + firstTouch.count).toBeLessThanOrEqual(report.total.faults);
    expect(load.count + firstTouch.count).toBeGreaterThanOrEqual(
      report.total.faults - report.total.faultRetries,
    );
    expect(load.count).toBe(report.enclaves.reduce((sum, one) => sum + one.faultLatency.load.count, 0));
    // A load takes AEX, fault, ELDU, ERESUME and refill at least; a first touch all but ELDU.
    expect(load.p50Cycles).toBeGreaterThan(31_000);
    expect(firstTouch.p50Cycles).toBeGreaterThan(18_000);
    expect(load.p50Cycles).toBeLessThanOrEqual(load.p90Cycles);
    expect(load.p90Cycles).toBeLessThanOrEqual(load.p99Cycles);
    expect(load.p99Cycles).toBeLessThanOrEqual(load.maxCycles);
  });

  it('have every cycle of every CPU', () => {
    const ends = report.cpus.map(({ idleCycles, cyclesByCause }) => idleCycles + sumOf(cyclesByCause));
    expect(report.cpus.map(({ cpu }) => cpu)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(new Set(ends).size).toBe(1);
    expect(ends[0]).toBeGreaterThanOrEqual(report.total.elapsedCycles);
    for (const { idleCycles } of report.cpus) expect(idleCycles).toBeGreaterThanOrEqual(0);
    expect(report.cpus[2]?.cyclesByCause).toEqual({});
  });

  it('have every wait for a lock', () => {
    const charged = [...report.enclaves, report.ksgxd].map(
      ({ cyclesByCause }) => cyclesByCause['LOCK_WAIT'] ?? 0,
    );
    const waited = report.locks.map(({ waitCycles }) => waitCycles);
    expect(waited.reduce((sum, cycles) => sum + cycles)).toBe(charged.reduce((sum, cycles) => sum + cycles));
    expect(report.locks.every(({ acquisitions, contended }) => contended <= acquisitions)).toBe(true);
  });

  it('have shares from 0 to 1 that their counts give', () => {
    const { ksgxdDuty, directReclaim, remoteNode } = report.shares;
    const { ksgxdEvictions, directEvictions, allocations, remoteAllocations, ewb } = report.total;
    expect(ksgxdDuty).toBeGreaterThan(0.1);
    expect(ksgxdDuty).toBeLessThanOrEqual(1);
    expect(directReclaim).toBe(directEvictions / (directEvictions + ksgxdEvictions));
    // Batches evict pages; a SECS goes with the last of them and is no page of a batch.
    expect(directEvictions + ksgxdEvictions).toBeLessThanOrEqual(ewb);
    expect(remoteNode).toBe(remoteAllocations / allocations);
    expect(remoteAllocations).toBe(0);
  });

  it('count pages of another node than that of the CPU', () => {
    const far = run([enclave('A', 'uniform', 3)]);
    expect(far.shares.remoteNode).toBe(1);
  });

  it('follow the free pages', () => {
    const { lowest, last } = report.freePages;
    expect(lowest[0]).toBeLessThanOrEqual(256);
    expect(Math.min(...lowest)).toBeLessThan(32);
    expect(Math.min(...lowest)).toBeGreaterThanOrEqual(0);
    expect(last.at(-1)).toBe(256);
  });
});

/** Threads that compute long enough between faults to be inside when others evict. */
const thoughtful = { costs: { table: 'client', overrides: { COMPUTE: 50_000 }, clockGhz: 3.5 } } as const;

describe('threads of one enclave', () => {
  const threads = { moreCpus: [1, 2, 3] };

  it.each(['slices', 'turns'] as const)('do every reference once: %s', (deal) => {
    const report = run([enclave('A', 'uniform', 0, { ...threads, deal })]);
    expect(report.total.accesses).toBe(4000);
    expect(report.enclaves[0]?.threads.map(({ cpu, accesses }) => [cpu, accesses])).toEqual([
      [0, 1000],
      [1, 1000],
      [2, 1000],
      [3, 1000],
    ]);
    expect(report.enclaves[0]?.pages).toBe(304);
    expect(report.total.eadd).toBe(304);
  });

  it('do all references each: copies', () => {
    const report = run([enclave('A', 'uniform', 0, { ...threads, deal: 'copies' })]);
    expect(report.enclaves[0]?.threads.map(({ accesses }) => accesses)).toEqual([4000, 4000, 4000, 4000]);
  });

  it('are thrown out by each other’s evictions, and are released at the end', () => {
    const pressed = () => run([enclave('A', 'uniform', 0, threads), enclave('B', 'scan', 4)], thoughtful);
    const report = pressed();
    expect(report.total.ipiRounds).toBeGreaterThan(10);
    expect(report.total.ipiInterruptedCpus).toBeGreaterThan(report.total.ipiRounds);
    expect(report.total.accesses).toBe(7000);
    expect(report.freePages.last.at(-1)).toBe(256);
    expect(JSON.stringify(pressed())).toBe(JSON.stringify(report));
  });
});

describe('start, building and horizon', () => {
  it('a program starts at its time', () => {
    const startCycles = 50_000_000;
    const [first, second] = run([both[0]!, { ...both[1]!, startCycles }]).enclaves;
    expect(first?.cyclesByCause['EVENT_WAIT'] ?? 0).toBe(0);
    expect(second?.cyclesByCause['EVENT_WAIT']).toBe(startCycles);
    expect(second?.buildCycles).toBeLessThan(startCycles);
  });

  it('building can be left out of the run, with its counts', () => {
    const report = run(both.map((one) => ({ ...one, buildCost: false })));
    expect(report.total).toMatchObject({ eadd: 0, eextend: 0, accesses: 7000 });
    expect(report.enclaves.map(({ buildCycles }) => buildCycles)).toEqual([0, 0]);
    expect(report.enclaves.every(({ cyclesByCause }) => cyclesByCause['EADD'] === undefined)).toBe(true);
    expect(report.freePages.lowest[0]).toBeLessThan(256);
    expect(report.freePages.last.at(-1)).toBe(256);
    const elapsed = Math.max(...report.enclaves.map(({ runCycles }) => runCycles));
    expect(report.total.elapsedCycles).toBe(elapsed);
  });

  it('programs stop at the horizon', () => {
    const horizonCycles = 20_000_000;
    const report = run(
      both.map((one) => ({ ...one, buildCost: false })),
      { horizonCycles },
    );
    expect(report.total.accesses).toBeGreaterThan(100);
    expect(report.total.accesses).toBeLessThan(7000);
    expect(report.total.elapsedCycles).toBeGreaterThanOrEqual(horizonCycles);
    expect(report.total.elapsedCycles).toBeLessThan(horizonCycles + report.faultLatency.load.maxCycles * 3);
    expect(report.freePages.last.at(-1)).toBe(256);
  });
});

describe('the events of a run', () => {
  const events: RunEvent[] = [];
  const shared = [enclave('A', 'uniform', 0, { moreCpus: [2] }), enclave('B', 'scan', 1)];
  const report = run(shared, thoughtful, (event) => events.push(event));
  const threads = new Set(events.map(({ thread }) => thread));

  it('do not change it', () => {
    expect(run(shared, thoughtful)).toEqual(report);
  });

  it('come in order of time on each thread', () => {
    expect(threads.size).toBe(4);
    for (const thread of threads) {
      const cycles = events.filter((event) => event.thread === thread).map(({ cycle }) => cycle);
      expect(cycles).toEqual([...cycles].sort((a, b) => a - b));
      expect(cycles[0]).toBeGreaterThanOrEqual(0);
    }
  });

  it('nest: what begins last ends first, and all ends', () => {
    for (const thread of threads) {
      const open: string[] = [];
      for (const { name, phase } of events.filter((event) => event.thread === thread)) {
        if (phase === 'begin') open.push(name);
        if (phase === 'end') expect(open.pop()).toBe(name);
      }
      expect(open).toEqual([]);
    }
  });

  it('are as many as the report counts', () => {
    const count = (name: string, phase = 'point', test = (_: RunEvent) => true) =>
      events.filter((event) => event.name === name && event.phase === phase && test(event)).length;
    const { total, faultLatency } = report;
    expect(count('fault', 'begin')).toBe(faultLatency.load.count + faultLatency.firstTouch.count);
    expect(count('batch', 'end')).toBe(total.ksgxdBatches + total.directReclaims);
    expect(total.ipiRounds).toBeGreaterThan(10);
    expect(count('ipi', 'begin')).toBe(total.ipiRounds);
    expect(count('page.allocated')).toBe(total.allocations);
    const evictions = ({ facts }: RunEvent) => facts['leaf'] === 'EWB' && facts['result'] === 0;
    expect(count('leaf', 'point', evictions)).toBe(total.ewb);
    expect(events.find(({ name }) => name === 'fault')?.facts['enclave']).toMatch(/^[AB]$/);
  });
});
