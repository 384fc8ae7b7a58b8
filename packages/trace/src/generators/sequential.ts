import type { DecodedTrace } from '../decoded-trace.js';
import { requireInteger } from '../require-option.js';
import { finishTrace } from './finish-trace.js';
import { checkPagedOptions, type PagedGeneratorOptions } from './generator-options.js';

/**
 * Generates one pass over the pages in ascending order.
 *
 * The runs of a page follow each other and are spread evenly: every page gets
 * `runCount / pageCount` of them, rounded down or up. No page comes back, so every policy has
 * exactly `pageCount` misses.
 *
 * @param options - `runCount` must be at least `pageCount`
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function generateSequential(options: PagedGeneratorOptions): DecodedTrace {
  checkPagedOptions(options);
  const { runCount, pageCount } = options;
  requireInteger('pageCount', pageCount, 1, runCount);
  const page = new Uint32Array(runCount);
  for (let run = 0; run < runCount; run++) page[run] = Math.floor((run * pageCount) / runCount);
  return finishTrace(page, pageCount, options);
}
