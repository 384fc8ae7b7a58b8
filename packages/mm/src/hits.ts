import { Pte, pteNeeds } from '@epckit/interface';

/** Type of a run that reads. Runs have the types of a decoded page trace. */
export const RUN_READ = 0;
/** Type of a run that writes. */
export const RUN_WRITE = 1;
/** Type of a run that executes. */
export const RUN_EXECUTE = 2;

/**
 * What an access makes of a page-table byte, indexed by `type * 256 + byte`: the byte with the accessed bit, and
 * the dirty bit for a write; zero if the byte does not allow the access. A look-up is faster than the bit tests.
 * It has room for every 8-bit type, so that no check of the type is needed.
 */
const after = new Uint8Array(256 * 256);
for (const type of [RUN_READ, RUN_WRITE, RUN_EXECUTE]) {
  const need = pteNeeds[type] as number;
  const sets = type === RUN_WRITE ? Pte.ACCESSED | Pte.DIRTY : Pte.ACCESSED;
  for (let entry = 0; entry < 256; entry++) {
    if ((entry & need) === need) after[type * 256 + entry] = entry | sets;
  }
}

/**
 * Performs the runs `from … to` until one of them needs more than its page-table byte: the hit path.
 *
 * Sets the accessed bit, and the dirty bit for a write, of each run that is performed. A page outside `pte`
 * or a type above 2 counts as no hit. Never allocates. Bench: `bench/src/hits.bench.ts`.
 *
 * @param pte - page-table bytes
 * @param page - page of each run
 * @param type - {@link RUN_READ}, {@link RUN_WRITE} or {@link RUN_EXECUTE} of each run
 * @param from - first run
 * @param to - run after the last
 * @returns first run that is not a plain hit, or `to`
 */
export function runHits(
  pte: Uint8Array,
  page: Uint32Array | Int32Array,
  type: Uint8Array,
  from: number,
  to: number,
): number {
  const table = after; // a local: bundlers turn module constants into variables
  for (let run = from; run < to; run++) {
    const at = page[run] as number;
    const next = table[((type[run] as number) << 8) | (pte[at] as number)] as number;
    if (next === 0) return run;
    pte[at] = next;
  }
  return to;
}

/**
 * {@link runHits} with a limit on references, for a clock that must not run too far ahead.
 *
 * Stops behind the run with which the sum of `count` reaches `budgetReferences`: a run is never split. Writes
 * the sum over the runs that were performed into `out[0]`, so `out[0] >= budgetReferences` tells a spent
 * budget from a run that is not a plain hit.
 *
 * @returns first run that was not performed, or `to`
 */
export function runHitsUntil(
  pte: Uint8Array,
  page: Uint32Array | Int32Array,
  type: Uint8Array,
  count: Uint32Array | Int32Array,
  from: number,
  to: number,
  budgetReferences: number,
  out: Float64Array,
): number {
  const table = after;
  let references = 0;
  let run = from;
  for (; run < to && references < budgetReferences; run++) {
    const at = page[run] as number;
    const next = table[((type[run] as number) << 8) | (pte[at] as number)] as number;
    if (next === 0) break;
    pte[at] = next;
    references += count[run] as number;
  }
  out[0] = references;
  return run;
}
