import type { TraceStatistics } from './trace-statistics.js';

/**
 * A whole trace in memory, in the columns that a simulator's hit loop reads.
 *
 * Pages are numbered densely, from 0, in **ascending order of virtual page number**: two pages
 * that are neighbours in the address space keep their order, so spatial policies (read-ahead,
 * fault-around) can compare indices, and `pageNumber` tells whether there is a gap between.
 * Every entry of `pageNumber` occurs in `page`. 9 bytes per run and 8 per page.
 */
export interface DecodedTrace {
  /** How many runs there are. */
  readonly length: number;
  /** Dense page index of each run, below `pageNumber.length`. */
  readonly page: Uint32Array;
  /** Access type of each run: 0 read, 1 write, 2 execute. */
  readonly type: Uint8Array;
  /** References in each run, at least 1. */
  readonly count: Uint32Array;
  /** Virtual page number (address >> 12) of each dense page index, ascending. */
  readonly pageNumber: Float64Array;
  /** Sums over the trace. */
  readonly statistics: TraceStatistics;
}
