import type { DecodedTrace } from './decoded-trace.js';
import { requireInteger } from './require-option.js';

/**
 * Counts the distinct pages in each window of `windowReferenceCount` references, in order.
 *
 * Windows follow each other without overlap. A run that crosses a border belongs to both
 * windows. References behind the last full window are left out, so a trace shorter than one
 * window has no entry.
 *
 * @param trace - the trace
 * @param windowReferenceCount - references per window, at least 1
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function workingSetWindows(trace: DecodedTrace, windowReferenceCount: number): Uint32Array {
  requireInteger('windowReferenceCount', windowReferenceCount, 1, Number.MAX_SAFE_INTEGER);
  const { page, count } = trace;
  const windowCount = Math.floor(trace.statistics.referenceCount / windowReferenceCount);
  const windows = new Uint32Array(windowCount);
  const lastWindowOfPage = new Float64Array(trace.pageNumber.length).fill(-1);
  let window = 0;
  let room = windowReferenceCount;
  for (let run = 0; run < trace.length && window < windowCount; run++) {
    const pageIndex = page[run] as number;
    let references = count[run] as number;
    while (references > 0 && window < windowCount) {
      if (lastWindowOfPage[pageIndex] !== window) {
        lastWindowOfPage[pageIndex] = window;
        windows[window] = (windows[window] as number) + 1;
      }
      const taken = Math.min(references, room);
      references -= taken;
      room -= taken;
      if (room > 0) continue;
      window++;
      room = windowReferenceCount;
    }
  }
  return windows;
}
