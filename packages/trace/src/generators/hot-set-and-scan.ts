import type { DecodedTrace } from '../decoded-trace.js';
import { createRandom } from '../random.js';
import { requireInteger, requireNumber } from '../require-option.js';
import { finishTrace } from './finish-trace.js';
import { checkOptions, type GeneratorOptions, MAX_GENERATED } from './generator-options.js';

/** What {@link generateHotSetAndScan} asks for. */
export interface HotSetAndScanOptions extends GeneratorOptions {
  /** Pages of the hot set, numbered from 0; at least 1. */
  readonly hotPageCount: number;
  /** Pages of the scan, numbered behind the hot set; at least 1. */
  readonly scanPageCount: number;
  /** Share of the runs that go to the hot set, from 0 to 1. */
  readonly hotShare: number;
}

/**
 * Generates a hot set, referenced uniformly, under a cyclic scan that wants to push it out.
 *
 * Each run goes to the hot set with probability `hotShare` (stream `choice`; the page comes
 * from the stream `pages`), otherwise to the next page of the scan. Tells policies that resist
 * scans from those that do not.
 *
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function generateHotSetAndScan(options: HotSetAndScanOptions): DecodedTrace {
  checkOptions(options);
  const { runCount, hotPageCount, scanPageCount, hotShare, seed } = options;
  requireInteger('hotPageCount', hotPageCount, 1, MAX_GENERATED / 2);
  requireInteger('scanPageCount', scanPageCount, 1, MAX_GENERATED / 2);
  requireNumber('hotShare', hotShare, 0, 1);
  const choice = createRandom(seed, 'choice');
  const pages = createRandom(seed, 'pages');
  const page = new Uint32Array(runCount);
  let scanPosition = 0;
  for (let run = 0; run < runCount; run++) {
    if (choice.nextFloat() < hotShare) {
      page[run] = pages.nextBelow(hotPageCount);
    } else {
      page[run] = hotPageCount + scanPosition;
      scanPosition = (scanPosition + 1) % scanPageCount;
    }
  }
  return finishTrace(page, hotPageCount + scanPageCount, options);
}
