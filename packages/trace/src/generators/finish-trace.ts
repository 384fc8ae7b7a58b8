import { ACCESS_READ, ACCESS_WRITE } from '../access-type.js';
import type { DecodedTrace } from '../decoded-trace.js';
import { createRandom } from '../random.js';
import { sumStatistics } from '../trace-statistics.js';
import type { GeneratorOptions } from './generator-options.js';

/**
 * Makes a decoded trace from the page of each run; `page` is renumbered in place.
 *
 * Types are drawn from the stream `types`, apart from the pages, so that another write share
 * leaves the pages as they are. Pages that were never chosen get no index, as in a trace that
 * was read from a file.
 */
export function finishTrace(page: Uint32Array, pageCount: number, options: GeneratorOptions): DecodedTrace {
  const type = drawTypes(options);
  const count = new Uint32Array(page.length).fill(1);
  const pageNumber = compactPages(page, pageCount);
  const statistics = sumStatistics(page, type, count, pageNumber.length);
  return { length: page.length, page, type, count, pageNumber, statistics };
}

function drawTypes(options: GeneratorOptions): Uint8Array {
  const random = createRandom(options.seed, 'types');
  const type = new Uint8Array(options.runCount);
  for (let run = 0; run < type.length; run++) {
    type[run] = random.nextFloat() < options.writeShare ? ACCESS_WRITE : ACCESS_READ;
  }
  return type;
}

/** Replaces page numbers by dense indices in ascending order and returns the table back. */
function compactPages(page: Uint32Array, pageCount: number): Float64Array {
  const isTouched = new Uint8Array(pageCount);
  for (const number of page) isTouched[number] = 1;
  const rank = new Uint32Array(pageCount);
  let uniquePageCount = 0;
  for (let number = 0; number < pageCount; number++) {
    rank[number] = uniquePageCount;
    uniquePageCount += isTouched[number] as number;
  }
  const pageNumber = new Float64Array(uniquePageCount);
  for (let number = 0; number < pageCount; number++) {
    if (isTouched[number] === 1) pageNumber[rank[number] as number] = number;
  }
  for (let run = 0; run < page.length; run++) {
    page[run] = rank[page[run] as number] as number;
  }
  return pageNumber;
}
