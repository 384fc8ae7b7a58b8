import { fileURLToPath } from 'node:url';
import { TraceError } from './trace-error.js';

/** The name of a trace that is part of this package. */
export type SampleName = 'sqlite3-small';

const SAMPLE_FILES: Readonly<Record<SampleName, string>> = {
  'sqlite3-small': 'sqlite3-small.runs.gz',
};

/**
 * Returns the path of a small trace that is part of this package.
 *
 * `sqlite3-small`: 200,000 runs of a recording of sqlite3, near its end, where the working set is
 * largest (runs 16,300,001 to 16,500,000); 1,520 distinct pages. The README says more.
 *
 * @throws TraceError `EPCKIT_TRACE_NOT_FOUND`
 */
export function samplePath(name: SampleName): string {
  if (!Object.hasOwn(SAMPLE_FILES, name)) {
    throw new TraceError('EPCKIT_TRACE_NOT_FOUND', `There is no sample "${String(name)}".`, {
      hint: `Samples are: ${Object.keys(SAMPLE_FILES).join(', ')}.`,
    });
  }
  // One folder up from src and from dist alike.
  return fileURLToPath(new URL(`../samples/${SAMPLE_FILES[name]}`, import.meta.url));
}
