import type { DecodedTrace } from './decoded-trace.js';
import { type OpenTraceOptions, openTrace } from './open-trace.js';
import { PageIndex } from './page-index.js';
import type { TraceSource } from './text-chunks.js';
import { sumStatistics } from './trace-statistics.js';

/** How {@link loadTrace} reads: `limit` and `name` of {@link OpenTraceOptions}. */
export type LoadTraceOptions = Omit<OpenTraceOptions, 'batchRunCount'>;

/** One batch after its pages were numbered in first-come order. */
interface Segment {
  readonly page: Uint32Array;
  readonly type: Uint8Array;
  readonly count: Uint32Array;
}

const SEGMENT_RUN_COUNT = 2 ** 18;

/**
 * Reads a trace into memory: 9 bytes per run and 8 per distinct page.
 *
 * @param source - a path, a `file:` URL or a stream of bytes; gzip or plain text
 * @param options - `limit` and `name`
 * @throws TraceError every `EPCKIT_TRACE_*` code of a reader; see {@link TraceErrorCode}
 *
 * @example
 * ```ts
 * const trace = await loadTrace('traces/sqlite3.runs.gz');
 * console.log(trace.statistics.uniquePageCount); // 2576
 * ```
 */
export async function loadTrace(source: TraceSource, options: LoadTraceOptions = {}): Promise<DecodedTrace> {
  const pageIndex = new PageIndex();
  const segments: Segment[] = [];
  let runCount = 0;
  for await (const batch of openTrace(source, { ...options, batchRunCount: SEGMENT_RUN_COUNT })) {
    const page = new Uint32Array(batch.length);
    pageIndex.intern(batch.pageNumber, batch.length, page);
    segments.push({ page, type: batch.type, count: batch.count });
    runCount += batch.length;
  }
  return joinSegments(segments, runCount, pageIndex.pageNumbers());
}

function joinSegments(
  segments: readonly Segment[],
  runCount: number,
  firstComePages: Float64Array,
): DecodedTrace {
  const page = new Uint32Array(runCount);
  const type = new Uint8Array(runCount);
  const count = new Uint32Array(runCount);
  const pageNumber = firstComePages.slice().sort();
  const rank = rankPages(firstComePages, pageNumber);
  let offset = 0;
  for (const segment of segments) {
    renumber(segment.page, rank, page, offset);
    type.set(segment.type, offset);
    count.set(segment.count, offset);
    offset += segment.type.length;
  }
  const statistics = sumStatistics(page, type, count, pageNumber.length);
  return { length: runCount, page, type, count, pageNumber, statistics };
}

/** Maps each first-come index to the place of its page in ascending order. */
function rankPages(firstComePages: Float64Array, ascending: Float64Array): Uint32Array {
  const rankOfPage = new Map<number, number>();
  for (let rank = 0; rank < ascending.length; rank++) {
    rankOfPage.set(ascending[rank] as number, rank);
  }
  return Uint32Array.from(firstComePages, (page) => rankOfPage.get(page) as number);
}

function renumber(from: Uint32Array, rank: Uint32Array, to: Uint32Array, offset: number): void {
  for (let run = 0; run < from.length; run++) {
    to[offset + run] = rank[from[run] as number] as number;
  }
}
