/**
 * Page traces: reading, writing and generating them.
 *
 * A trace is a sequence of runs; a run is `count` consecutive references of one type to one
 * 4 KiB page. {@link loadTrace} brings a file into the columns that a simulator loops over,
 * {@link openTrace} streams it in batches, {@link writeTrace} writes it, and the generators
 * make traces of known shape.
 *
 * @packageDocumentation
 */
export {
  ACCESS_EXECUTE,
  ACCESS_LETTERS,
  ACCESS_READ,
  ACCESS_WRITE,
  type AccessType,
} from './access-type.js';
export type { DecodedTrace } from './decoded-trace.js';
export { encodeTrace, type RunSource } from './encode-trace.js';
export { generateCyclicScan } from './generators/cyclic-scan.js';
export type { GeneratorOptions, PagedGeneratorOptions } from './generators/generator-options.js';
export { generateHotSetAndScan, type HotSetAndScanOptions } from './generators/hot-set-and-scan.js';
export { generateSequential } from './generators/sequential.js';
export { generateUniform } from './generators/uniform.js';
export { generateZipf, type ZipfOptions, zipfProbabilities } from './generators/zipf.js';
export { type LoadTraceOptions, loadTrace } from './load-trace.js';
export { type OpenTraceOptions, openTrace } from './open-trace.js';
export { createRandom, type Random } from './random.js';
export { MAX_PAGE_NUMBER, MAX_RUN_COUNT, type RunBatch } from './run-batch.js';
export { type SampleName, samplePath } from './sample-path.js';
export type { TraceSource } from './text-chunks.js';
export {
  isTraceError,
  TraceError,
  type TraceErrorCode,
  type TraceErrorJson,
  type TraceErrorOptions,
  type TraceErrorPlace,
} from './trace-error.js';
export type { TraceStatistics } from './trace-statistics.js';
export { workingSetWindows } from './working-set.js';
export { type WriteTraceOptions, writeTrace } from './write-trace.js';
