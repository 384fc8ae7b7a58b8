import { createReadStream } from 'node:fs';
import { pipeline, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { createGunzip } from 'node:zlib';
import { TraceError } from './trace-error.js';

/** Where a trace comes from: a path, a `file:` URL, or a stream of bytes (plain or gzip). */
export type TraceSource = string | URL | Readable | AsyncIterable<Uint8Array>;

const CHUNK_BYTES = 256 * 1024;

/** The uncompressed bytes of a source. */
export interface OpenText {
  /** Whether the source is gzip, recognised by its first two bytes and not by its name. */
  readonly isGzip: boolean;
  /** The uncompressed bytes, cut anywhere; return() closes the source. */
  readonly chunks: AsyncGenerator<Uint8Array, void, void>;
}

/** Opens a source and looks at its first two bytes. */
export async function openText(source: TraceSource, name: string): Promise<OpenText> {
  const stream = streamOf(source);
  const raw = rawChunks(stream, name);
  const head = await readHead(raw);
  const isGzip = head[0] === 0x1f && (head.length === 1 || head[1] === 0x8b);
  const chunks = withHead(head, raw);
  return { isGzip, chunks: isGzip ? gunzipChunks(chunks, stream, name) : chunks };
}

/** Names a source in messages: its path, or `<stream>`. */
export function sourceName(source: TraceSource): string {
  if (typeof source === 'string') return source;
  return source instanceof URL ? fileURLToPath(source) : '<stream>';
}

function streamOf(source: TraceSource): Readable {
  if (typeof source === 'string' || source instanceof URL) {
    return createReadStream(source, { highWaterMark: CHUNK_BYTES });
  }
  return source instanceof Readable ? source : Readable.from(source);
}

/** Yields what the file or stream holds, with its errors translated. */
async function* rawChunks(stream: AsyncIterable<unknown>, name: string): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream) {
      if (!(chunk instanceof Uint8Array)) throw notBytes(chunk, name);
      if (chunk.length > 0) yield chunk;
    }
  } catch (error) {
    throw error instanceof TraceError ? error : unreadable(error, name);
  }
}

/** Reads at least two bytes, or all there are. */
async function readHead(raw: AsyncGenerator<Uint8Array>): Promise<Uint8Array> {
  let head: Uint8Array = new Uint8Array(0);
  while (head.length < 2) {
    const { done, value } = await raw.next();
    if (done === true) break;
    head = head.length === 0 ? value : Buffer.concat([head, value]);
  }
  return head;
}

async function* withHead(
  head: Uint8Array,
  rest: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    if (head.length > 0) yield head;
    yield* rest;
  } finally {
    await rest.return(undefined);
  }
}

async function* gunzipChunks(
  compressed: AsyncIterable<Uint8Array>,
  stream: Readable,
  name: string,
): AsyncGenerator<Uint8Array, void, void> {
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES });
  // The callback only keeps pipeline quiet: an error also comes out of the iteration below.
  pipeline(Readable.from(compressed, { objectMode: false }), gunzip, () => {});
  try {
    for await (const chunk of gunzip) yield chunk as Uint8Array;
  } catch (error) {
    throw error instanceof TraceError ? error : gzipError(error, name, gunzip.bytesWritten);
  } finally {
    // At once: a generator that waits for a stalled stream could not be returned from.
    stream.destroy();
  }
}

function codeOf(error: unknown): string | undefined {
  const hasCode = typeof error === 'object' && error !== null && 'code' in error;
  return hasCode && typeof error.code === 'string' ? error.code : undefined;
}

function gzipError(error: unknown, source: string, byteOffset: number): TraceError {
  if (codeOf(error) === 'Z_BUF_ERROR') {
    return new TraceError(
      'EPCKIT_TRACE_TRUNCATED_GZIP',
      `${source} is a truncated gzip file: it ends at byte ${byteOffset}, before its end mark.`,
      { hint: 'Copy or download the file again, and compare its sha256.', source, byteOffset, cause: error },
    );
  }
  return new TraceError(
    'EPCKIT_TRACE_CORRUPT_GZIP',
    `${source} is a corrupt gzip file: ${error instanceof Error ? error.message : String(error)} near byte ${byteOffset}.`,
    { hint: 'Copy or download the file again; "gzip -t" checks it.', source, byteOffset, cause: error },
  );
}

function unreadable(error: unknown, source: string): TraceError {
  const code = codeOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new TraceError('EPCKIT_TRACE_NOT_FOUND', `There is no file ${source}.`, {
      hint: 'Check the path; it is relative to the working directory of the process.',
      source,
      cause: error,
    });
  }
  if (code === 'EISDIR') {
    return new TraceError('EPCKIT_TRACE_IS_DIRECTORY', `${source} is a directory.`, {
      hint: 'Name one trace file in it, for example one that ends in .runs.gz.',
      source,
      cause: error,
    });
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new TraceError('EPCKIT_TRACE_UNREADABLE', `${source} cannot be read: ${detail}.`, {
    hint: 'Check the permissions of the file, or the process behind the stream.',
    source,
    cause: error,
  });
}

function notBytes(chunk: unknown, source: string): TraceError {
  return new TraceError(
    'EPCKIT_TRACE_UNREADABLE',
    `${source} delivers values of type ${typeof chunk} instead of bytes.`,
    { hint: 'Give a stream of Buffer or Uint8Array: no setEncoding, no object mode.', source },
  );
}
