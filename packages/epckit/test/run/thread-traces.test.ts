import { describe, expect, it } from 'vitest';
import type { TraceColumns } from '../../src/index.js';
import { runScenario } from '../../src/index.js';
import { shareTraces } from '../../src/run/thread-traces.js';
import { smallEnclave, smallScenario, smallTraces } from './small-scenario.js';

function trace(pages: readonly number[], runs: readonly number[]): TraceColumns {
  return {
    length: runs.length,
    page: Uint32Array.from(runs, (page) => pages.indexOf(page)),
    type: new Uint8Array(runs.length),
    count: new Uint32Array(runs.length).fill(1),
    pageNumber: Float64Array.from(pages),
  };
}

describe('threads with traces of their own', () => {
  it('have one address space', () => {
    const one = trace([5, 7, 9], [5, 9, 7]);
    const other = trace([3, 7], [7, 3]);
    const { pageNumber, parts } = shareTraces([one, other, one], 2);
    expect([...pageNumber]).toEqual([3, 5, 7, 9]);
    const pagesOf = (index: number) => {
      const { page, from, to } = parts[index]!;
      return [...page.subarray(from, to)].map((dense) => pageNumber[dense]);
    };
    expect([0, 1, 2].map(pagesOf)).toEqual([
      [5, 9],
      [7, 3],
      [5, 9],
    ]);
    expect(parts[2]?.page).toBe(parts[0]?.page);
  });

  it('replay each its own, each from its own time on', () => {
    const startCycles = 40_000_000;
    const moreThreads = [
      { trace: 'scan', cpu: 5, startCycles },
      { trace: 'zipf', cpu: 2 },
    ];
    const enclave = smallEnclave('A', 'uniform', 1, { moreThreads });
    const report = runScenario(smallScenario([enclave]), smallTraces);
    const [{ threads, pages }] = report.enclaves as [(typeof report.enclaves)[number]];
    expect(threads.map(({ cpu, accesses }) => [cpu, accesses])).toEqual([
      [1, 3000],
      [5, 2000],
      [2, 3000],
    ]);
    expect(pages).toBe(
      3 + new Set([...smallTraces.values()].flatMap(({ pageNumber }) => [...pageNumber])).size,
    );
    const waited = threads.map(({ cyclesByCause }) => cyclesByCause['EVENT_WAIT'] ?? 0);
    expect(waited[1]).toBeGreaterThan(startCycles * 0.9);
    expect(waited[2]).toBeLessThan(startCycles);
    expect(Object.keys(report.traces).sort()).toEqual(['scan', 'uniform', 'zipf']);
  });

  it('lets the first thread enter later than it builds', () => {
    const enclave = smallEnclave('A', 'uniform', 0, { enterCycles: 60_000_000 });
    const [report] = runScenario(smallScenario([enclave]), smallTraces).enclaves;
    expect(report?.buildCycles).toBeLessThan(60_000_000);
    expect(report?.cyclesByCause['EVENT_WAIT']).toBe(60_000_000 - (report?.buildCycles as number));
  });

  it('counts what all of them have to do', () => {
    let last: readonly number[] = [];
    const moreThreads = [{ trace: 'scan', cpu: 1 }];
    const enclave = smallEnclave('A', 'uniform', 0, { moreThreads, repeat: 2, runs: 1000 });
    runScenario(smallScenario([enclave]), smallTraces, { onProgress: (...done) => (last = done) });
    expect(last).toEqual([4000, 4000]);
  });
});
