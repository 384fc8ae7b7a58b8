import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { encodeTrace, type RunSource } from './encode-trace.js';
import { isTraceError, TraceError } from './trace-error.js';

/** How {@link writeTrace} writes. */
export interface WriteTraceOptions {
  /** Compresses the text; unless told, when the path ends in `.gz`. */
  readonly gzip?: boolean;
}

/**
 * Writes runs to a file, streaming: memory does not grow with the trace.
 *
 * The file appears under its name only when it is complete; until then it is `<path>.part`,
 * which is removed when something fails. An existing file is replaced. The text is
 * byte-identical for equal runs; compressed bytes may differ between versions of zlib.
 *
 * @throws TraceError `EPCKIT_TRACE_BAD_RUN`, `EPCKIT_TRACE_EMPTY`, `EPCKIT_TRACE_UNWRITABLE`,
 * and those of a reader when `runs` comes from one
 */
export async function writeTrace(
  path: string,
  runs: RunSource,
  options: WriteTraceOptions = {},
): Promise<void> {
  const partPath = `${path}.part`;
  const text = Readable.from(encodeTrace(runs), { objectMode: false });
  try {
    const file = createWriteStream(partPath);
    if (options.gzip ?? path.endsWith('.gz')) await pipeline(text, createGzip({ level: 9 }), file);
    else await pipeline(text, file);
    await rename(partPath, path);
  } catch (error) {
    await rm(partPath, { force: true }).catch(() => {});
    throw isTraceError(error) ? error : unwritable(error, path);
  }
}

function unwritable(error: unknown, source: string): TraceError {
  const detail = error instanceof Error ? error.message : String(error);
  return new TraceError('EPCKIT_TRACE_UNWRITABLE', `${source} cannot be written: ${detail}.`, {
    hint: 'Check that the folder exists, is writable and has room.',
    source,
    cause: error,
  });
}
