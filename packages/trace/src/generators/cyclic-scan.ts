import type { DecodedTrace } from '../decoded-trace.js';
import { finishTrace } from './finish-trace.js';
import { checkPagedOptions, type PagedGeneratorOptions } from './generator-options.js';

/**
 * Generates passes over all pages in ascending order, one run per page, again and again.
 *
 * The worst case of recency: with fewer frames than pages, LRU and FIFO miss on every run.
 * The last pass is cut off at `runCount`.
 *
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function generateCyclicScan(options: PagedGeneratorOptions): DecodedTrace {
  checkPagedOptions(options);
  const { runCount, pageCount } = options;
  const page = new Uint32Array(runCount);
  for (let run = 0; run < runCount; run++) page[run] = run % pageCount;
  return finishTrace(page, pageCount, options);
}
