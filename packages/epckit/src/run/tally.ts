import { Leaf } from '@epckit/interface';
import type { RunCounts } from './report.js';

/** Counts that trace points give; the rest of {@link RunCounts} comes from the program itself. */
export type Tally = { -readonly [Key in keyof RunCounts]: RunCounts[Key] } & {
  /** EPC pages now. */
  epcPages: number;
  /** Most EPC pages at once. */
  peakEpcPages: number;
};

/** Leaves that fill an EPC page. */
export const fills: ReadonlySet<number> = new Set([Leaf.ECREATE, Leaf.EADD, Leaf.EAUG, Leaf.EPA, Leaf.ELDU]);

/** Counts of leaves by the field that they go to. */
export const fieldOf: Readonly<Record<number, keyof RunCounts>> = {
  [Leaf.EADD]: 'eadd',
  [Leaf.EEXTEND]: 'eextend',
  [Leaf.EAUG]: 'eaug',
  [Leaf.EACCEPT]: 'eaccept',
  [Leaf.ELDU]: 'eldu',
  [Leaf.EBLOCK]: 'eblock',
  [Leaf.ETRACK]: 'etrack',
  [Leaf.EREMOVE]: 'eremove',
  [Leaf.AEX]: 'aex',
  [Leaf.ERESUME]: 'eresume',
};

/** Zero of everything. */
export function emptyTally(): Tally {
  return {
    accesses: 0,
    faults: 0,
    faultRetries: 0,
    eadd: 0,
    eextend: 0,
    eaug: 0,
    eaccept: 0,
    eldu: 0,
    ewb: 0,
    ewbNotTracked: 0,
    eblock: 0,
    etrack: 0,
    eremove: 0,
    aex: 0,
    eresume: 0,
    epcPages: 0,
    peakEpcPages: 0,
  };
}

/** Sets everything to zero but the pages that are in the EPC now. */
export function forgetEvents(tally: Tally): void {
  const { epcPages } = tally;
  Object.assign(tally, emptyTally(), { epcPages, peakEpcPages: epcPages });
}

/** The counts without the bookkeeping fields of a tally. */
export function countsOf(tally: Tally, accesses: number): RunCounts {
  const { epcPages: _now, peakEpcPages: _peak, ...counts } = tally;
  return { ...counts, accesses };
}
