import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadTrace, samplePath } from '../src/index.js';
import { anyRun, pieces, type Run, textOf } from './run-text.js';

const load = (runs: readonly Run[], limit?: number) =>
  loadTrace(pieces(Buffer.from(textOf(runs)), []), limit === undefined ? {} : { limit });

describe('loadTrace', () => {
  it('numbers pages densely in ascending order of page number', async () => {
    const trace = await load([
      { page: 0x7_ffff_0000, type: 1, count: 3 },
      { page: 5, type: 0, count: 1 },
      { page: 0x401a, type: 2, count: 2 },
      { page: 5, type: 0, count: 1 },
    ]);
    expect([...trace.page]).toEqual([2, 0, 1, 0]);
    expect([...trace.pageNumber]).toEqual([5, 0x401a, 0x7_ffff_0000]);
    expect([...trace.type]).toEqual([1, 0, 2, 0]);
    expect([...trace.count]).toEqual([3, 1, 2, 1]);
  });

  it('agrees with a plain model on any runs', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyRun, { minLength: 1, maxLength: 80 }), async (runs) => {
        const trace = await load(runs);
        const ascending = [...new Set(runs.map((run) => run.page))].sort((left, right) => left - right);
        expect([...trace.pageNumber]).toEqual(ascending);
        expect(Array.from(trace.page, (index) => trace.pageNumber[index])).toEqual(
          runs.map((run) => run.page),
        );
        const sumOf = (type: number) =>
          runs.reduce((sum, run) => sum + (run.type === type ? run.count : 0), 0);
        expect(trace.statistics).toEqual({
          runCount: runs.length,
          referenceCount: sumOf(0) + sumOf(1) + sumOf(2),
          uniquePageCount: ascending.length,
          pageChangeCount: runs.filter((run, index) => run.page !== runs[index - 1]?.page).length,
          readCount: sumOf(0),
          writeCount: sumOf(1),
          executeCount: sumOf(2),
        });
      }),
      { numRuns: 150 },
    );
  });

  it('stops at the limit, and takes no notice of what follows', async () => {
    const text = Buffer.from('401a X 2\n1fff000 W 1\nrubbish\n');
    const trace = await loadTrace(pieces(text, [9, 21]), { limit: 1 });
    expect(trace.statistics).toMatchObject({ runCount: 1, referenceCount: 2, uniquePageCount: 1 });
    const empty = loadTrace(pieces(Buffer.alloc(0), []), { limit: 3 });
    await expect(empty).rejects.toMatchObject({ code: 'EPCKIT_TRACE_EMPTY' });
    const part = await loadTrace(samplePath('sqlite3-small'), { limit: 1234 });
    expect(part.length).toBe(1234);
    expect(part.page.length).toBe(1234);
  });

  it('keeps apart more pages than its first table holds', async () => {
    const runs = Array.from({ length: 50_000 }, (_, run) => ({
      page: (run % 25_000) * 0x1_0000_0001,
      type: 0,
      count: 1,
    }));
    const trace = await load(runs);
    expect(trace.pageNumber.length).toBe(25_000);
    expect(trace.pageNumber[24_999]).toBe(24_999 * 0x1_0000_0001);
    expect(trace.page[49_999]).toBe(24_999);
  });
});
