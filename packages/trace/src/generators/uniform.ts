import type { DecodedTrace } from '../decoded-trace.js';
import { createRandom } from '../random.js';
import { finishTrace } from './finish-trace.js';
import { checkPagedOptions, type PagedGeneratorOptions } from './generator-options.js';

/**
 * Generates independent references, every page equally likely (stream `pages`).
 *
 * With `f` frames, every policy that does not know the future hits with probability
 * `f / pageCount` once the frames are full.
 *
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function generateUniform(options: PagedGeneratorOptions): DecodedTrace {
  checkPagedOptions(options);
  const { runCount, pageCount, seed } = options;
  const random = createRandom(seed, 'pages');
  const page = new Uint32Array(runCount);
  for (let run = 0; run < runCount; run++) page[run] = random.nextBelow(pageCount);
  return finishTrace(page, pageCount, options);
}
