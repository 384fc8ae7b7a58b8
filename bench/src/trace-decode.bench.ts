/**
 * How fast recorded traces are decoded: gunzip alone, parsing alone, and both in the ways the package
 * offers them. The best of five rounds counts, because everything else is what the machine was busy with.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { encodeTrace, loadTrace, openTrace } from '@epckit/trace';
// Not part of the package's surface; only here can parsing be timed without streams around it.
import { parseLines } from '../../packages/trace/src/parse-lines.js';
import { createOpenRunBatch } from '../../packages/trace/src/run-batch.js';

const ROUNDS = 5;
const PIECE_BYTES = 256 * 1024;

/** Cuts a text as the decompressor would. */
async function* pieces(text: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < text.length; at += PIECE_BYTES) yield text.subarray(at, at + PIECE_BYTES);
}

async function bestMs(work: () => Promise<unknown> | unknown): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    await work();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

async function drain(source: AsyncIterable<{ readonly length: number }>): Promise<void> {
  for await (const _batch of source);
}

/** Parses a text into one batch that is used again and again. */
function parseOnly(text: Uint8Array): void {
  const batch = createOpenRunBatch(65_536);
  for (let at = 0; at < text.length; ) {
    batch.length = 0;
    at = parseLines(text, at, text.length, batch);
  }
}

/** Prints text megabytes and lines, both in millions per second. */
function report(name: string, ms: number, textBytes: number, lineCount: number): void {
  const megabytes = (textBytes / ms / 1e3).toFixed(0).padStart(5);
  const lines = (lineCount / ms / 1e3).toFixed(1).padStart(6);
  console.log(`  ${name.padEnd(28)}${ms.toFixed(0).padStart(6)} ms${megabytes} MB/s${lines} million lines/s`);
}

for (const file of ['sqlite3.runs.gz', 'python3.runs.gz', 'xz.runs.gz']) {
  const path = fileURLToPath(new URL(`../../traces/${file}`, import.meta.url));
  const compressed = readFileSync(path);
  const text = gunzipSync(compressed);
  const trace = await loadTrace(path);
  const show = (name: string, ms: number) => report(name, ms, text.length, trace.length);
  console.log(`trace-decode ${file}: ${text.length} bytes of text, ${trace.length} lines`);
  show('gunzip alone', await bestMs(() => gunzipSync(compressed)));
  show('parsing alone', await bestMs(() => parseOnly(text)));
  show('openTrace, text in memory', await bestMs(() => drain(openTrace(pieces(text)))));
  show('openTrace, gzip file', await bestMs(() => drain(openTrace(path))));
  show('loadTrace, gzip file', await bestMs(() => loadTrace(path)));
  show('encodeTrace', await bestMs(() => drain(encodeTrace(trace))));
}
