/**
 * A stretch of consecutive runs in columns.
 *
 * A run is `count` consecutive references of one type to one page. Entry `i` of each column
 * belongs to run `i`; every column is exactly `length` long.
 */
export interface RunBatch {
  /** How many runs the batch holds. */
  readonly length: number;
  /** Virtual page number of each run: address >> 12, an integer below 2^52. */
  readonly pageNumber: Float64Array;
  /** Access type of each run: 0 read, 1 write, 2 execute. */
  readonly type: Uint8Array;
  /** References in each run, from 1 to 2^32 − 1. */
  readonly count: Uint32Array;
}

/** The largest page number of the format: 13 hexadecimal digits, exact in a double. */
export const MAX_PAGE_NUMBER = 2 ** 52 - 1;

/** The largest count of one run; a longer run is written as two lines. */
export const MAX_RUN_COUNT = 2 ** 32 - 1;

/** A batch while it is being filled: full-size columns and a length that moves. */
export interface OpenRunBatch {
  length: number;
  readonly pageNumber: Float64Array;
  readonly type: Uint8Array;
  readonly count: Uint32Array;
}

/** Allocates an empty batch with room for `capacity` runs. */
export function createOpenRunBatch(capacity: number): OpenRunBatch {
  return {
    length: 0,
    pageNumber: new Float64Array(capacity),
    type: new Uint8Array(capacity),
    count: new Uint32Array(capacity),
  };
}

/** Views the filled part of an open batch as a finished one; no copy. */
export function closeRunBatch(open: OpenRunBatch): RunBatch {
  const { length } = open;
  if (length === open.type.length) return open;
  return {
    length,
    pageNumber: open.pageNumber.subarray(0, length),
    type: open.type.subarray(0, length),
    count: open.count.subarray(0, length),
  };
}
