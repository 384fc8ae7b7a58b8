import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/index.js';

/** Nearest rank over all values. */
function exact(values: readonly number[], quantile: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(quantile * sorted.length)) - 1] as number;
}

const latency = fc.oneof(
  fc.nat(200),
  fc.integer({ min: 0, max: 2 ** 31 - 1 }),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.tuple(fc.nat(52), fc.integer({ min: -2, max: 2 })).map(([bits, by]) => Math.max(0, 2 ** bits + by)),
);

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const value of values) histogram.add(value);
  return histogram;
}

describe('a histogram', () => {
  it('has percentiles that are never below the exact ones, and less than 1/64 above', () => {
    const quantile = fc.oneof(
      fc.constantFrom(0, 0.5, 0.9, 0.99, 1),
      fc.double({ min: 0, max: 1, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 300 }), quantile, (values, share) => {
        const found = histogramOf(values).percentile(share);
        const wanted = exact(values, share);
        expect(found).toBeGreaterThanOrEqual(wanted);
        expect(found - wanted).toBeLessThanOrEqual(wanted / 64);
      }),
      { numRuns: 500 },
    );
  });

  it('is exact below 128, and for the largest value', () => {
    for (let value = 0; value < 128; value++) expect(histogramOf([value, 1e9]).percentile(0.5)).toBe(value);
    for (const value of [2 ** 31 - 1, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER]) {
      expect(histogramOf([3, value]).max).toBe(value);
      expect(histogramOf([3, value]).percentile(1)).toBe(value);
    }
  });

  it('is the same whether values are added one by one or by parts', () => {
    fc.assert(
      fc.property(fc.array(latency), fc.array(latency), (left, right) => {
        const sum = histogramOf(left);
        sum.addAll(histogramOf(right));
        expect(sum.summary()).toEqual(histogramOf([...right, ...left]).summary());
      }),
    );
  });

  it('says zero of no values, and cuts what is no whole number', () => {
    expect(new Histogram().summary()).toEqual({
      count: 0,
      p50Cycles: 0,
      p90Cycles: 0,
      p99Cycles: 0,
      maxCycles: 0,
    });
    expect(histogramOf([-3, 2.9]).summary()).toMatchObject({ count: 2, p50Cycles: 0, maxCycles: 2 });
  });
});
