import { requireInteger } from './require-option.js';
import type { RunBatch } from './run-batch.js';
import { RunDecoder } from './run-decoder.js';
import { type OpenText, openText, sourceName, type TraceSource } from './text-chunks.js';

/** How {@link openTrace} reads. */
export interface OpenTraceOptions {
  /** Runs per batch, from 1 to 2^24; 65,536 unless told. A batch takes 13 bytes per run. */
  readonly batchRunCount?: number;
  /** Reads at most this many runs and does not look at what follows; all unless told. */
  readonly limit?: number;
  /** The name of the source in error messages; the path, or `<stream>`, unless told. */
  readonly name?: string;
}

const DEFAULT_BATCH_RUN_COUNT = 65_536;

/** How far a gzip source is read on behind a bad line, to find out whether it is damaged. */
const MAX_DRAIN_BYTES = 256 * 1024 * 1024;

/**
 * Reads a trace as a stream of batches with bounded memory.
 *
 * Each batch has columns of its own and may be kept. Every batch but the last is full. Leaving
 * the loop early closes the file. Nothing is opened before the first batch is asked for.
 *
 * @throws TraceError while iterating, every `EPCKIT_TRACE_*` code of a reader; at once,
 * `EPCKIT_TRACE_BAD_OPTION`
 *
 * @example
 * ```ts
 * for await (const batch of openTrace('traces/sqlite3.runs.gz')) {
 *   for (let run = 0; run < batch.length; run++) total += batch.count[run] ?? 0;
 * }
 * ```
 */
export function openTrace(
  source: TraceSource,
  options: OpenTraceOptions = {},
): AsyncGenerator<RunBatch, void, void> {
  const batchRunCount = options.batchRunCount ?? DEFAULT_BATCH_RUN_COUNT;
  requireInteger('batchRunCount', batchRunCount, 1, 2 ** 24);
  const limit = options.limit ?? Number.MAX_SAFE_INTEGER;
  requireInteger('limit', limit, 1, Number.MAX_SAFE_INTEGER);
  const name = options.name ?? sourceName(source);
  return readBatches(source, name, new RunDecoder(name, batchRunCount, limit));
}

async function* readBatches(
  source: TraceSource,
  name: string,
  decoder: RunDecoder,
): AsyncGenerator<RunBatch, void, void> {
  const text = await openText(source, name);
  try {
    // Not for await: it would close the text on a bad line, before it can be drained.
    for (let next = await text.chunks.next(); next.done !== true; next = await text.chunks.next()) {
      yield* decodeChunk(decoder, next.value, text);
      if (decoder.isComplete) return;
    }
  } finally {
    await text.chunks.return();
  }
  const last = decoder.finish();
  if (last.length > 0) yield last;
}

async function* decodeChunk(
  decoder: RunDecoder,
  chunk: Uint8Array,
  text: OpenText,
): AsyncGenerator<RunBatch, void, void> {
  const batches = decoder.decode(chunk);
  for (;;) {
    let next: IteratorResult<RunBatch>;
    try {
      next = batches.next();
    } catch (error) {
      if (text.isGzip) await meetGzipError(text);
      throw error;
    }
    if (next.done === true) return;
    yield next.value;
    if (decoder.isComplete) return;
  }
}

/**
 * Reads on to the end of a gzip source. A bad line may be the first sign of damage: then
 * the gzip error comes out here, and is the better one to report.
 */
async function meetGzipError(text: OpenText): Promise<void> {
  let drainedBytes = 0;
  while (drainedBytes < MAX_DRAIN_BYTES) {
    const next = await text.chunks.next();
    if (next.done === true) return;
    drainedBytes += next.value.length;
  }
}
