import { describe, expect, it } from 'vitest';
import { generateCyclicScan, loadTrace, workingSetWindows } from '../src/index.js';
import { pieces } from './run-text.js';

describe('workingSetWindows', () => {
  it('counts a run that crosses borders in every window it touches', async () => {
    const trace = await loadTrace(pieces(Buffer.from('1 R 2\n2 R 7\n3 R 1\n1 R 2\n'), []));
    expect([...workingSetWindows(trace, 4)]).toEqual([2, 1, 3]);
    expect([...workingSetWindows(trace, 5)]).toEqual([2, 2]);
    expect([...workingSetWindows(trace, 13)]).toEqual([]);
  });

  it('is the cycle length for a scan, and at most the window', () => {
    const scan = generateCyclicScan({ runCount: 100, pageCount: 10, writeShare: 0, seed: 1 });
    expect([...workingSetWindows(scan, 25)]).toEqual([10, 10, 10, 10]);
    expect(new Set(workingSetWindows(scan, 7))).toEqual(new Set([7]));
  });

  it('refuses a window of nothing', () => {
    const scan = generateCyclicScan({ runCount: 1, pageCount: 1, writeShare: 0, seed: 1 });
    expect(() => workingSetWindows(scan, 0)).toThrow(/windowReferenceCount/);
  });
});
