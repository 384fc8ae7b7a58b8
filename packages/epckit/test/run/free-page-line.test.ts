import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FreePageLine } from '../../src/run/free-page-line.js';

describe('the line of free pages', () => {
  it('keeps what happened in each bucket', () => {
    const line = new FreePageLine(10);
    line.add(100, -4);
    line.add(200, 1);
    line.add(3000, -2);
    expect(line.report()).toEqual({ intervalCycles: 1024, lowest: [6, 7, 5], last: [7, 7, 5] });
  });

  it('has at most 128 buckets, the lowest of which is the lowest of all', () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 500_000 }), fc.integer({ min: -3, max: 3 })));
    fc.assert(
      fc.property(steps, (changes) => {
        const line = new FreePageLine(1000);
        let [cycle, free, lowest] = [0, 1000, 1000];
        for (const [gap, change] of changes) {
          cycle += gap;
          free += change;
          lowest = Math.min(lowest, free);
          line.add(cycle, change);
        }
        const report = line.report();
        expect(report.lowest.length).toBe(report.last.length);
        expect(report.lowest.length).toBeLessThanOrEqual(128);
        expect(report.lowest.length).toBe(Math.floor(cycle / report.intervalCycles) + 1);
        expect(Math.min(...report.lowest)).toBe(lowest);
        expect(report.last.at(-1)).toBe(free);
        expect(Math.log2(report.intervalCycles) % 1).toBe(0);
      }),
    );
  });
});
