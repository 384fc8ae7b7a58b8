import { generateUniform } from '@epckit/trace';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dealTrace, type TracePart } from '../../src/run/deal.js';

const trace = generateUniform({ runCount: 1000, pageCount: 50, writeShare: 0.5, seed: 3 });

function runsOf({ page, type, count, from, to }: TracePart): string[] {
  return Array.from(
    { length: to - from },
    (_, i) => `${page[from + i]} ${type[from + i]} ${count[from + i]}`,
  );
}

const all = (runs: number) => runsOf({ ...trace, from: 0, to: runs });

it('deals every run to one thread: in slices, or in turns', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 1, max: 40 }), (runs, threads) => {
      const slices = dealTrace(trace, runs, threads, 'slices').map(runsOf);
      expect(slices.flat()).toEqual(all(runs));
      const turns = dealTrace(trace, runs, threads, 'turns').map(runsOf);
      expect(turns.flat().length).toBe(runs);
      expect(all(runs)).toEqual(all(runs).map((_, run) => turns[run % threads]?.[Math.floor(run / threads)]));
      for (const parts of [slices, turns]) {
        const sizes = parts.map(({ length }) => length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
    }),
  );
});

it('gives copies to all', () => {
  expect(dealTrace(trace, 700, 3, 'copies').map(runsOf)).toEqual([all(700), all(700), all(700)]);
});
