import { ACCESS_LETTERS } from './access-type.js';
import type { DecodedTrace } from './decoded-trace.js';
import { MAX_PAGE_NUMBER, MAX_RUN_COUNT, type RunBatch } from './run-batch.js';
import { TraceError } from './trace-error.js';

/** What can be written: a decoded trace, or batches as {@link openTrace} delivers them. */
export type RunSource = DecodedTrace | Iterable<RunBatch> | AsyncIterable<RunBatch>;

const LF = 10;
const SPACE = 32;
const CHUNK_BYTES = 128 * 1024;
const LONGEST_LINE_BYTES = 13 + 1 + 1 + 1 + 10 + 1;
const BATCH_RUN_COUNT = 65_536;

/** The 16 characters from which numbers are written. */
const DIGITS = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

/**
 * Turns runs into the canonical text of the format, in chunks of at most 128 KiB.
 *
 * Canonical: lower-case hexadecimal and decimal without leading zeros, one blank between
 * fields, LF behind every line. Runs are written as they are given, never merged or split.
 *
 * @throws TraceError while iterating: `EPCKIT_TRACE_BAD_RUN`, and `EPCKIT_TRACE_EMPTY` when
 * there was no run
 */
export async function* encodeTrace(runs: RunSource): AsyncGenerator<Uint8Array, void, void> {
  let runCount = 0;
  for await (const batch of batchesOf(runs)) {
    let next = 0;
    while (next < batch.length) {
      const bytes = Buffer.allocUnsafe(CHUNK_BYTES);
      const chunk = fillChunk(batch, next, bytes, runCount);
      runCount += chunk.nextRun - next;
      next = chunk.nextRun;
      yield bytes.subarray(0, chunk.byteCount);
    }
  }
  if (runCount > 0) return;
  throw new TraceError('EPCKIT_TRACE_EMPTY', 'There is no run to write.', {
    hint: 'A trace has at least one run.',
  });
}

function batchesOf(runs: RunSource): Iterable<RunBatch> | AsyncIterable<RunBatch> {
  return 'pageNumber' in runs ? batchesOfDecoded(runs) : runs;
}

function* batchesOfDecoded(trace: DecodedTrace): Generator<RunBatch> {
  for (let start = 0; start < trace.length; start += BATCH_RUN_COUNT) {
    const end = Math.min(trace.length, start + BATCH_RUN_COUNT);
    const pageNumber = new Float64Array(end - start);
    for (let run = start; run < end; run++) {
      pageNumber[run - start] = trace.pageNumber[trace.page[run] as number] as number;
    }
    const type = trace.type.subarray(start, end);
    yield { length: end - start, pageNumber, type, count: trace.count.subarray(start, end) };
  }
}

/** Writes lines until the chunk is full or the batch is over. */
function fillChunk(
  batch: RunBatch,
  firstRun: number,
  bytes: Uint8Array,
  runsBefore: number,
): { nextRun: number; byteCount: number } {
  const lastStart = bytes.length - LONGEST_LINE_BYTES;
  let run = firstRun;
  let at = 0;
  for (; run < batch.length && at <= lastStart; run++) {
    const page = batch.pageNumber[run] as number;
    const type = batch.type[run] as number;
    const count = batch.count[run] as number;
    // Written so that NaN and undefined fail too.
    const isGood = page >= 0 && page <= MAX_PAGE_NUMBER && page % 1 === 0 && type <= 2 && count >= 1;
    if (!isGood) throw badRun(runsBefore + run - firstRun + 1, page, type, count);
    at = writeNumber(bytes, at, page, 16);
    bytes[at] = SPACE;
    bytes[at + 1] = ACCESS_LETTERS.charCodeAt(type);
    bytes[at + 2] = SPACE;
    at = writeNumber(bytes, at + 3, count, 10);
    bytes[at++] = LF;
  }
  return { nextRun: run, byteCount: at };
}

/** Writes a number without leading zeros and returns the offset behind it. */
function writeNumber(bytes: Uint8Array, start: number, value: number, base: 10 | 16): number {
  let digitCount = 1;
  for (let rest = value; rest >= base; rest = Math.floor(rest / base)) digitCount++;
  let rest = value;
  for (let at = start + digitCount - 1; at >= start; at--) {
    const quotient = Math.floor(rest / base);
    bytes[at] = DIGITS[rest - quotient * base] as number;
    rest = quotient;
  }
  return start + digitCount;
}

function badRun(line: number, page: number, type: number, count: number): TraceError {
  return new TraceError(
    'EPCKIT_TRACE_BAD_RUN',
    `Run ${line} (page ${page}, type ${type}, count ${count}) cannot be written.`,
    {
      hint: `A run has an integer page number up to ${MAX_PAGE_NUMBER}, type 0, 1 or 2 and a count from 1 to ${MAX_RUN_COUNT}; all columns are as long as the batch.`,
      line,
    },
  );
}
