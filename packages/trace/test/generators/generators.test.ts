import { describe, expect, it } from 'vitest';
import {
  type DecodedTrace,
  generateCyclicScan,
  generateHotSetAndScan,
  generateSequential,
  generateUniform,
  generateZipf,
} from '../../src/index.js';

const BASE = { runCount: 20_000, pageCount: 500, writeShare: 0.25, seed: 7 };

const GENERATORS: Record<string, (options: typeof BASE) => DecodedTrace> = {
  sequential: generateSequential,
  cyclicScan: generateCyclicScan,
  uniform: generateUniform,
  zipf: (options) => generateZipf({ ...options, exponent: 1, shuffled: true }),
  hotSetAndScan: ({ pageCount, ...rest }) =>
    generateHotSetAndScan({ ...rest, hotPageCount: 100, scanPageCount: pageCount - 100, hotShare: 0.5 }),
};

const pagesOf = (trace: DecodedTrace) => Array.from(trace.page, (index) => trace.pageNumber[index] ?? -1);

describe.each(Object.entries(GENERATORS))('the generator %s', (_name, generate) => {
  it('gives equal traces for equal options', () => {
    expect(generate(BASE)).toEqual(generate(BASE));
  });

  it('has the runs, pages and write share it was asked for', () => {
    const trace = generate(BASE);
    expect(trace.length).toBe(BASE.runCount);
    expect(trace.statistics.referenceCount).toBe(BASE.runCount);
    expect(trace.pageNumber.length).toBeLessThanOrEqual(BASE.pageCount);
    expect(trace.statistics.uniquePageCount).toBe(trace.pageNumber.length);
    expect(trace.statistics.executeCount).toBe(0);
    expect(trace.statistics.writeCount / BASE.runCount).toBeCloseTo(0.25, 1);
    expect(new Set(trace.page).size).toBe(trace.pageNumber.length);
  });

  it('keeps its pages when the write share changes', () => {
    expect(generate({ ...BASE, writeShare: 1 }).page).toEqual(generate(BASE).page);
    expect(generate({ ...BASE, writeShare: 1 }).statistics.readCount).toBe(0);
    expect(generate({ ...BASE, writeShare: 0 }).statistics.writeCount).toBe(0);
  });

  it('refuses options outside their range', () => {
    for (const bad of [
      { runCount: 0 },
      { writeShare: 1.1 },
      { writeShare: Number.NaN },
      { seed: -1 },
      { pageCount: 0.5 },
    ]) {
      expect(() => generate({ ...BASE, ...bad })).toThrow(
        expect.objectContaining({ code: 'EPCKIT_TRACE_BAD_OPTION' }),
      );
    }
  });
});

describe('the order of pages', () => {
  it('of a sequential pass never goes back and is even', () => {
    const trace = generateSequential({ ...BASE, runCount: 10, pageCount: 4 });
    expect(pagesOf(trace)).toEqual([0, 0, 0, 1, 1, 2, 2, 2, 3, 3]);
    expect(trace.statistics.pageChangeCount).toBe(4);
    expect(() => generateSequential({ ...BASE, runCount: 3, pageCount: 4 })).toThrow(/pageCount/);
  });

  it('of a cyclic scan starts again after the last page', () => {
    expect(pagesOf(generateCyclicScan({ ...BASE, runCount: 7, pageCount: 3 }))).toEqual([
      0, 1, 2, 0, 1, 2, 0,
    ]);
  });

  it('of a hot set and scan scans behind the hot set, in order', () => {
    const options = {
      runCount: 30_000,
      writeShare: 0,
      seed: 5,
      hotPageCount: 20,
      scanPageCount: 90,
      hotShare: 0.4,
    };
    const pages = pagesOf(generateHotSetAndScan(options));
    const scan = pages.filter((page) => page >= 20);
    expect(scan.every((page, index) => page === 20 + (index % 90))).toBe(true);
    expect(1 - scan.length / pages.length).toBeCloseTo(0.4, 1);
    expect(new Set(pages.filter((page) => page < 20)).size).toBe(20);
  });

  it('of uniform references has no favourite', () => {
    const { page } = generateUniform({ ...BASE, runCount: 500_000 });
    const hits = new Uint32Array(500);
    for (const index of page) hits[index]! += 1;
    const chiSquare = hits.reduce((sum, hit) => sum + (hit - 1000) ** 2 / 1000, 0);
    expect(chiSquare).toBeLessThan(627); // 499 degrees of freedom: p = 0.0001
  });

  it('only names pages that were referenced', () => {
    const trace = generateUniform({ ...BASE, runCount: 5, pageCount: 1_000_000 });
    expect(trace.pageNumber.length).toBe(5);
    expect([...trace.pageNumber]).toEqual([...trace.pageNumber].sort((left, right) => left - right));
  });
});
