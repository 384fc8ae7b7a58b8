import type { TracePart } from './deal.js';
import type { TraceColumns } from './scenario.js';

/** Traces of several threads of one enclave: the same address is the same page. */
export interface SharedTrace {
  /** Virtual page number of each page that some thread touches, ascending. */
  readonly pageNumber: Float64Array;
  /** The first `runs` runs of each thread, with pages numbered as in {@link pageNumber}. */
  readonly parts: readonly TracePart[];
}

/**
 * Puts the pages of several traces into one address space. Threads that replay the same trace share its columns.
 *
 * @param runs - most runs of each
 */
export function shareTraces(traces: readonly TraceColumns[], runs: number): SharedTrace {
  const pageNumber = pagesOf(traces);
  const indexOf = new Map<number, number>();
  for (let index = 0; index < pageNumber.length; index++) indexOf.set(pageNumber[index] as number, index);
  const renumbered = new Map<TraceColumns, Uint32Array>();
  const pageOf = (trace: TraceColumns): Uint32Array => {
    const known = renumbered.get(trace) ?? renumber(trace, indexOf);
    renumbered.set(trace, known);
    return known;
  };
  const parts = traces.map((trace): TracePart => {
    const { type, count, length } = trace;
    return { page: pageOf(trace), type, count, from: 0, to: Math.min(runs, length) };
  });
  return { pageNumber, parts };
}

/** Virtual page numbers of all pages of several traces, ascending. */
export function pagesOf(traces: readonly { readonly pageNumber: Iterable<number> }[]): Float64Array {
  const pages = new Set<number>();
  for (const { pageNumber } of new Set(traces)) for (const page of pageNumber) pages.add(page);
  return Float64Array.from(pages).sort();
}

function renumber(trace: TraceColumns, indexOf: ReadonlyMap<number, number>): Uint32Array {
  const { page, pageNumber } = trace;
  const newIndex = Uint32Array.from(pageNumber, (number) => indexOf.get(number) as number);
  return page.map((index) => newIndex[index] as number);
}
