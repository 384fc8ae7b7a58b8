import { ACCESS_EXECUTE, ACCESS_READ, ACCESS_WRITE } from './access-type.js';

/** Sums over a trace. All are counts, none has another unit. */
export interface TraceStatistics {
  /** Runs: lines of the file. */
  readonly runCount: number;
  /** References: the sum of the counts of all runs. */
  readonly referenceCount: number;
  /** Distinct pages. */
  readonly uniquePageCount: number;
  /**
   * Requests to a pager that does not look at types: runs whose page differs from the page of
   * the run before, whatever the type. The first run counts.
   */
  readonly pageChangeCount: number;
  /** References of type R. */
  readonly readCount: number;
  /** References of type W. */
  readonly writeCount: number;
  /** References of type X. */
  readonly executeCount: number;
}

/** Adds up the statistics of columns whose pages are numbered densely. */
export function sumStatistics(
  page: Uint32Array,
  type: Uint8Array,
  count: Uint32Array,
  uniquePageCount: number,
): TraceStatistics {
  const referencesByType = new Float64Array(3);
  let pageChangeCount = 0;
  let previousPage = -1;
  for (let run = 0; run < page.length; run++) {
    const accessType = type[run] as number;
    referencesByType[accessType] = (referencesByType[accessType] as number) + (count[run] as number);
    if (page[run] !== previousPage) pageChangeCount++;
    previousPage = page[run] as number;
  }
  const readCount = referencesByType[ACCESS_READ] as number;
  const writeCount = referencesByType[ACCESS_WRITE] as number;
  const executeCount = referencesByType[ACCESS_EXECUTE] as number;
  return {
    runCount: page.length,
    referenceCount: readCount + writeCount + executeCount,
    uniquePageCount,
    pageChangeCount,
    readCount,
    writeCount,
    executeCount,
  };
}
