import type { TraceColumns } from './scenario.js';

/** How the threads of an enclave share its trace. */
export type DealName = 'slices' | 'turns' | 'copies';

/** The part of a trace that one thread replays. */
export interface TracePart {
  /** Dense page index of each run. */
  readonly page: Uint32Array;
  /** Type of each run. */
  readonly type: Uint8Array;
  /** References of each run. */
  readonly count: Uint32Array;
  /** First run to replay. */
  readonly from: number;
  /** Run after the last. */
  readonly to: number;
}

/**
 * Deals the first `runs` runs of a trace to threads.
 *
 * `slices`: contiguous parts of (almost) equal numbers of runs, in order of the threads. `turns`: run by run, one
 * thread after the other. `copies`: every thread replays all of them.
 */
export function dealTrace(
  trace: TraceColumns,
  runs: number,
  threadCount: number,
  deal: DealName,
): readonly TracePart[] {
  return Array.from({ length: threadCount }, (_, thread): TracePart => {
    const { page, type, count } = trace;
    if (deal === 'copies' || threadCount === 1) return { page, type, count, from: 0, to: runs };
    if (deal === 'turns') return everyNth(trace, runs, threadCount, thread);
    const from = Math.floor((runs * thread) / threadCount);
    return { page, type, count, from, to: Math.floor((runs * (thread + 1)) / threadCount) };
  });
}

function everyNth(trace: TraceColumns, runs: number, step: number, first: number): TracePart {
  const length = Math.max(0, Math.ceil((runs - first) / step));
  const part = {
    page: new Uint32Array(length),
    type: new Uint8Array(length),
    count: new Uint32Array(length),
  };
  for (let to = 0, from = first; to < length; to++, from += step) {
    part.page[to] = trace.page[from] as number;
    part.type[to] = trace.type[from] as number;
    part.count[to] = trace.count[from] as number;
  }
  return { ...part, from: 0, to: length };
}
