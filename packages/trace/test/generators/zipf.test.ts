import { describe, expect, it } from 'vitest';
import { generateZipf, zipfProbabilities } from '../../src/index.js';

const RUN_COUNT = 1_000_000;
const PAGE_COUNT = 1000;
const options = { runCount: RUN_COUNT, pageCount: PAGE_COUNT, writeShare: 0, seed: 11 };

function hitsByPage(exponent: number, shuffled: boolean): Uint32Array {
  const trace = generateZipf({ ...options, exponent, shuffled });
  const hits = new Uint32Array(PAGE_COUNT);
  for (const index of trace.page) hits[trace.pageNumber[index]!]! += 1;
  return hits;
}

/** Pearson's statistic, with the ranks of fewer than 20 expected hits in one bin. */
function chiSquare(hits: Uint32Array, probabilities: Float64Array): { value: number; degrees: number } {
  let value = 0;
  let degrees = -1;
  let restHits = 0;
  let restExpected = 0;
  probabilities.forEach((probability, rank) => {
    const expected = probability * RUN_COUNT;
    restHits += hits[rank]!;
    restExpected += expected;
    if (restExpected < 20) return;
    value += (restHits - restExpected) ** 2 / restExpected;
    degrees++;
    restHits = 0;
    restExpected = 0;
  });
  return { value, degrees };
}

describe('zipfProbabilities', () => {
  it('is the closed form: 1 / (k H) for exponent 1', () => {
    const probabilities = zipfProbabilities(4, 1);
    const harmonic = 1 + 1 / 2 + 1 / 3 + 1 / 4;
    [1, 2, 3, 4].forEach((rank, index) => {
      expect(probabilities[index]).toBeCloseTo(1 / rank / harmonic, 15);
    });
    expect([...zipfProbabilities(5, 0)]).toEqual([0.2, 0.2, 0.2, 0.2, 0.2]);
    expect(zipfProbabilities(1_000_000, 1).reduce((sum, next) => sum + next, 0)).toBeCloseTo(1, 12);
  });

  it('refuses an exponent outside 0 to 10', () => {
    expect(() => zipfProbabilities(4, -1)).toThrow(/"exponent"/);
    expect(() => zipfProbabilities(4, 11)).toThrow(/"exponent"/);
  });
});

describe('generateZipf', () => {
  it.each([0, 0.6, 1, 1.3, 2])('follows the closed form at exponent %d', (exponent) => {
    const { value, degrees } = chiSquare(
      hitsByPage(exponent, false),
      zipfProbabilities(PAGE_COUNT, exponent),
    );
    // The mean of the statistic is its degrees of freedom, its deviation sqrt(2 degrees).
    expect(value).toBeLessThan(degrees + 4 * Math.sqrt(2 * degrees));
  });

  it('scatters the same popularities over the pages when shuffled', () => {
    const ranked = hitsByPage(1, false);
    const shuffled = hitsByPage(1, true);
    expect([...shuffled].sort()).toEqual([...ranked].sort());
    expect(shuffled).not.toEqual(ranked);
    const lowerHalf = shuffled.subarray(0, PAGE_COUNT / 2).reduce((sum, hits) => sum + hits, 0);
    expect(lowerHalf / RUN_COUNT).toBeGreaterThan(0.3);
    expect(lowerHalf / RUN_COUNT).toBeLessThan(0.7);
  });
});
