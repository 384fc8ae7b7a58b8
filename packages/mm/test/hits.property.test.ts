import { Pte, pteNeeds } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RUN_EXECUTE, RUN_READ, RUN_WRITE, runHits, runHitsUntil } from '../src/index.js';

const PAGES = 6;
const run = fc.record({
  page: fc.integer({ min: 0, max: PAGES }),
  type: fc.constantFrom(RUN_READ, RUN_WRITE, RUN_EXECUTE),
  count: fc.integer({ min: 1, max: 9 }),
});
const entry = fc.constantFrom(0, 1 | 2, 1 | 2 | 4, 1 | 2 | 4 | 8, 1 | 2 | 4 | 8, 1 | 2 | 4 | 8);
const input = fc.record({
  bytes: fc.array(entry, { minLength: PAGES, maxLength: PAGES }),
  runs: fc.array(run, { maxLength: 20 }),
  budget: fc.integer({ min: 1, max: 60 }),
});

/** The definition: one access after the other. */
function expected(
  bytes: readonly number[],
  runs: readonly { page: number; type: number; count: number }[],
  budget: number,
) {
  const pte = [...bytes];
  let references = 0;
  let done = 0;
  for (const { page, type, count } of runs) {
    const need = pteNeeds[type] as number;
    if (references >= budget || ((pte[page] ?? 0) & need) !== need) break;
    (pte[page] as number) |= type === RUN_WRITE ? Pte.ACCESSED | Pte.DIRTY : Pte.ACCESSED;
    references += count;
    done++;
  }
  return { pte, references, done };
}

describe('hit path', () => {
  it('does what single accesses do', () => {
    fc.assert(
      fc.property(input, fc.boolean(), ({ bytes, runs, budget }, isSigned) => {
        const column = (values: number[]) => (isSigned ? Int32Array.from(values) : Uint32Array.from(values));
        const page = column(runs.map((it) => it.page));
        const type = Uint8Array.from(runs.map((it) => it.type));
        const count = column(runs.map((it) => it.count));
        const untimed = Uint8Array.from(bytes);
        const all = expected(bytes, runs, Number.POSITIVE_INFINITY);
        expect(runHits(untimed, page, type, 0, runs.length)).toBe(all.done);
        expect([...untimed]).toEqual(all.pte);
        const timed = Uint8Array.from(bytes);
        const out = new Float64Array(1);
        const some = expected(bytes, runs, budget);
        expect(runHitsUntil(timed, page, type, count, 0, runs.length, budget, out)).toBe(some.done);
        expect([...timed]).toEqual(some.pte);
        expect(out[0]).toBe(some.references);
      }),
      { numRuns: 500 },
    );
  });

  it('begins and ends where it is told to', () => {
    const pte = Uint8Array.of(15, 15, 15);
    const page = Uint32Array.of(0, 1, 2);
    expect(runHits(pte, page, new Uint8Array(3), 1, 2)).toBe(2);
    expect([...pte]).toEqual([15, 15 | Pte.ACCESSED, 15]);
    expect(runHits(pte, page, Uint8Array.of(9, 9, 9), 0, 3)).toBe(0);
  });
});
