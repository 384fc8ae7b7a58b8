import fc from 'fast-check';
import { ACCESS_LETTERS, MAX_PAGE_NUMBER, MAX_RUN_COUNT, type RunBatch } from '../src/index.js';

/** One run as an object: what tests compare. */
export interface Run {
  readonly page: number;
  readonly type: number;
  readonly count: number;
}

/** Runs of every shape, with the borders of the number ranges well represented. */
export const anyRun: fc.Arbitrary<Run> = fc.record({
  page: fc.oneof(
    fc.nat(0xfff),
    fc.nat(0xffff),
    fc.nat(0xfff_ffff),
    fc.maxSafeNat().map((page) => page % (MAX_PAGE_NUMBER + 1)),
    fc.constantFrom(0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 2 ** 35, MAX_PAGE_NUMBER),
  ),
  type: fc.constantFrom(0, 1, 2),
  count: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: MAX_RUN_COUNT })),
});

/** The canonical text, made without any code of the package's reader or writer. */
export function textOf(runs: readonly Run[]): string {
  return runs
    .map((run) => `${run.page.toString(16)} ${ACCESS_LETTERS.charAt(run.type)} ${run.count}\n`)
    .join('');
}

/** One batch of the given runs. */
export function batchOf(runs: readonly Run[]): RunBatch {
  return {
    length: runs.length,
    pageNumber: Float64Array.from(runs, (run) => run.page),
    type: Uint8Array.from(runs, (run) => run.type),
    count: Uint32Array.from(runs, (run) => run.count),
  };
}

/** The runs of a batch as objects. */
export function runsOf(batch: RunBatch): Run[] {
  return Array.from({ length: batch.length }, (_, run) => ({
    page: batch.pageNumber[run] ?? Number.NaN,
    type: batch.type[run] ?? Number.NaN,
    count: batch.count[run] ?? Number.NaN,
  }));
}

/** Streams a byte string in pieces that end at the given cuts. */
export async function* pieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts].sort((left, right) => left - right)) {
    yield bytes.subarray(start, cut);
    start = cut;
  }
  yield bytes.subarray(start);
}
