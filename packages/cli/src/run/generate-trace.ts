import { generateCyclicScan, generateSequential, generateUniform, generateZipf } from '@epckit/trace';
import type { TraceColumns } from 'epckit';
import type { Generator } from '../scenario/resolve.js';

/** Makes the trace that a generator of a scenario describes. */
export function generateTrace({ kind, runs, pages, writeShare, exponent, seed }: Generator): TraceColumns {
  const options = { runCount: runs, pageCount: pages, writeShare, seed };
  switch (kind) {
    case 'uniform':
      return generateUniform(options);
    case 'zipf':
      return generateZipf({ ...options, exponent, shuffled: true });
    case 'scan':
      return generateCyclicScan(options);
    case 'sequential':
      return generateSequential(options);
  }
}
