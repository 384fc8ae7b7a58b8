import { explainBadLine } from './explain-bad-line.js';
import { parseLines } from './parse-lines.js';
import { closeRunBatch, createOpenRunBatch, type OpenRunBatch, type RunBatch } from './run-batch.js';
import { TraceError } from './trace-error.js';

const LF = 10;

/** More bytes than any good line has: 13 + 1 + 1 + 1 + 10 digits, blanks and LF, rounded up. */
const MAX_LINE_BYTES = 64;

/**
 * Turns chunks of uncompressed text into batches of runs.
 *
 * Chunks may be cut anywhere. At most one incomplete line (64 bytes) is kept between
 * chunks, so memory does not depend on the input.
 */
export class RunDecoder {
  readonly #source: string;
  readonly #batchRunCount: number;
  readonly #limit: number;
  #batch: OpenRunBatch;
  #carry: Uint8Array = new Uint8Array(0);
  #runCount = 0;
  #byteOffset = 0;

  /** Prepares to decode at most `limit` runs, in batches of `batchRunCount`. */
  constructor(source: string, batchRunCount: number, limit: number) {
    this.#source = source;
    this.#batchRunCount = batchRunCount;
    this.#limit = limit;
    this.#batch = this.#nextBatch();
  }

  /** Whether the limit is reached: then neither decode nor finish may be called. */
  get isComplete(): boolean {
    return this.#runCount === this.#limit;
  }

  /**
   * Decodes one chunk and yields every batch that became full; to be left when `isComplete`.
   *
   * @throws TraceError `EPCKIT_TRACE_BAD_LINE`, `EPCKIT_TRACE_NOT_A_TRACE`
   */
  *decode(chunk: Uint8Array): Generator<RunBatch> {
    let start = 0;
    if (this.#carry.length > 0) {
      start = chunk.indexOf(LF) + 1;
      const line = Buffer.concat([this.#carry, start === 0 ? chunk : chunk.subarray(0, start)]);
      if (start === 0) return this.#keep(line);
      this.#carry = new Uint8Array(0);
      yield* this.#decodeLines(line, 0, line.length);
    }
    const end = chunk.lastIndexOf(LF) + 1;
    yield* this.#decodeLines(chunk, start, end);
    this.#keep(chunk.subarray(Math.max(start, end)));
  }

  /**
   * Ends the input and returns the last batch, which may be empty.
   *
   * @throws TraceError `EPCKIT_TRACE_TRUNCATED_LINE`, `EPCKIT_TRACE_EMPTY`, and those of `decode`
   */
  finish(): RunBatch {
    if (this.#carry.length > 0) throw this.#unfinishedLine();
    if (this.#runCount === 0) {
      throw new TraceError('EPCKIT_TRACE_EMPTY', `${this.#source} holds no run at all.`, {
        hint: 'A trace has at least one line "<page> <type> <count>". Was the recording cut short?',
        source: this.#source,
      });
    }
    return closeRunBatch(this.#batch);
  }

  *#decodeLines(bytes: Uint8Array, start: number, end: number): Generator<RunBatch> {
    let at = start;
    while (at < end) {
      const before = this.#batch.length;
      const next = parseLines(bytes, at, end, this.#batch);
      this.#runCount += this.#batch.length - before;
      this.#byteOffset += next - at;
      at = next;
      if (this.#batch.length === this.#batch.type.length) {
        yield this.#batch;
        this.#batch = this.#nextBatch();
      } else if (at < end) {
        throw this.#badLine(bytes.subarray(at, end));
      }
    }
  }

  #nextBatch(): OpenRunBatch {
    return createOpenRunBatch(Math.min(this.#batchRunCount, this.#limit - this.#runCount));
  }

  /** Keeps an incomplete line for the next chunk; refuses what cannot become a good line. */
  #keep(incomplete: Uint8Array): void {
    if (incomplete.length > MAX_LINE_BYTES) throw this.#badLine(incomplete);
    this.#carry = incomplete.slice();
  }

  #badLine(bytes: Uint8Array): TraceError {
    const lf = bytes.indexOf(LF);
    return explainBadLine({
      source: this.#source,
      line: this.#runCount + 1,
      byteOffset: this.#byteOffset,
      bytes: bytes.subarray(0, Math.min(lf < 0 ? bytes.length : lf, 4 * MAX_LINE_BYTES)),
    });
  }

  /** A last line without LF: bad in itself, or good and then certainly cut off. */
  #unfinishedLine(): TraceError {
    const line = Buffer.concat([this.#carry, Uint8Array.of(LF)]);
    const isPrefix = /^[0-9a-f]+( ([RWX]( \d*)?)?)?$/.test(Buffer.from(this.#carry).toString('latin1'));
    if (!isPrefix) return this.#badLine(line);
    const lineNumber = this.#runCount + 1;
    const byteOffset = this.#byteOffset + this.#carry.length;
    return new TraceError(
      'EPCKIT_TRACE_TRUNCATED_LINE',
      `${this.#source}, line ${lineNumber} (byte ${byteOffset}): the file ends in the middle of a line.`,
      {
        hint: 'Every line, also the last one, ends with LF; the file was probably cut off. Use limit to read the complete lines before it.',
        source: this.#source,
        line: lineNumber,
        byteOffset,
      },
    );
  }
}
