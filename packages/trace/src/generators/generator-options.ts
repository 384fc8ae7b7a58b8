import { requireInteger, requireNumber } from '../require-option.js';

/** What every generator asks for. Nothing has a default: a trace is what its options say. */
export interface GeneratorOptions {
  /** Runs to generate, from 1 to 2^31. Each run is one reference. */
  readonly runCount: number;
  /** Share of the runs that write, from 0 to 1; the others read. */
  readonly writeShare: number;
  /** Seed of all random streams of the trace, an integer from 0 to 2^53 − 1. */
  readonly seed: number;
}

/** What the generators with one range of pages ask for besides. */
export interface PagedGeneratorOptions extends GeneratorOptions {
  /** Pages to choose from, numbered from 0, from 1 to 2^31. */
  readonly pageCount: number;
}

/** The most runs or pages of a generated trace. */
export const MAX_GENERATED = 2 ** 31;

/**
 * Checks the options that all generators share; the seed is checked where it is used.
 *
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function checkOptions(options: GeneratorOptions): void {
  requireInteger('runCount', options.runCount, 1, MAX_GENERATED);
  requireNumber('writeShare', options.writeShare, 0, 1);
}

/**
 * Checks the options of a generator with one range of pages.
 *
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function checkPagedOptions(options: PagedGeneratorOptions): void {
  checkOptions(options);
  requireInteger('pageCount', options.pageCount, 1, MAX_GENERATED);
}
