import type { DecodedTrace } from '../decoded-trace.js';
import { createRandom, type Random } from '../random.js';
import { requireInteger, requireNumber } from '../require-option.js';
import { finishTrace } from './finish-trace.js';
import { checkPagedOptions, MAX_GENERATED, type PagedGeneratorOptions } from './generator-options.js';

/** What {@link generateZipf} asks for. */
export interface ZipfOptions extends PagedGeneratorOptions {
  /** Skew, from 0 (uniform) to 10; 1 is the usual anchor of cache studies. */
  readonly exponent: number;
  /**
   * Whether popularity is scattered over the page numbers (stream `order`), as it should be
   * unless a policy with spatial reach is studied. Otherwise page 0 is the most popular,
   * page 1 the next, and so on.
   */
  readonly shuffled: boolean;
}

/**
 * Generates independent references with Zipf's law: the page of rank `k` (from 1) has
 * probability `k^-exponent / H`, where `H` is the sum of `k^-exponent` over all ranks.
 *
 * Sampling is exact (Walker's alias method in Vose's form): one integer and one float of the
 * stream `pages` per run. Exponents other than 0 and 1 go through `Math.pow`, whose last bit
 * may differ between JavaScript engines.
 *
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function generateZipf(options: ZipfOptions): DecodedTrace {
  checkPagedOptions(options);
  const { runCount, pageCount, exponent, seed } = options;
  const table = buildAliasTable(zipfProbabilities(pageCount, exponent));
  const pageOfRank = options.shuffled ? shuffledPages(pageCount, seed) : undefined;
  const random = createRandom(seed, 'pages');
  const page = new Uint32Array(runCount);
  for (let run = 0; run < runCount; run++) {
    const rank = sampleAlias(table, random);
    page[run] = pageOfRank === undefined ? rank : (pageOfRank[rank] as number);
  }
  return finishTrace(page, pageCount, options);
}

/**
 * Returns the probability of each rank under Zipf's law, most popular first; they add up to 1.
 *
 * @param pageCount - how many ranks there are
 * @param exponent - the skew, from 0 to 10
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function zipfProbabilities(pageCount: number, exponent: number): Float64Array {
  requireInteger('pageCount', pageCount, 1, MAX_GENERATED);
  requireNumber('exponent', exponent, 0, 10);
  const probabilities = new Float64Array(pageCount);
  let sum = 0;
  // From the smallest weight up: adds with the least rounding.
  for (let index = pageCount - 1; index >= 0; index--) {
    const weight = exponent === 1 ? 1 / (index + 1) : (index + 1) ** -exponent;
    probabilities[index] = weight;
    sum += weight;
  }
  for (let index = 0; index < pageCount; index++) {
    probabilities[index] = (probabilities[index] as number) / sum;
  }
  return probabilities;
}

interface AliasTable {
  /** Probability of staying in a column. */
  readonly stay: Float64Array;
  /** Where to go otherwise. */
  readonly alias: Uint32Array;
}

/** Cuts the distribution into columns of equal weight with at most two ranks in each. */
function buildAliasTable(probabilities: Float64Array): AliasTable {
  const size = probabilities.length;
  const stay = probabilities.map((probability) => probability * size);
  const alias = Uint32Array.from(stay, (_, index) => index);
  const small: number[] = [];
  const large: number[] = [];
  for (let index = 0; index < size; index++) {
    ((stay[index] as number) < 1 ? small : large).push(index);
  }
  while (small.length > 0 && large.length > 0) {
    const low = small.pop() as number;
    const high = large[large.length - 1] as number;
    alias[low] = high;
    stay[high] = (stay[high] as number) + (stay[low] as number) - 1;
    if ((stay[high] as number) >= 1) continue;
    large.pop();
    small.push(high);
  }
  // What is left is 1 but for rounding.
  for (const index of small) stay[index] = 1;
  for (const index of large) stay[index] = 1;
  return { stay, alias };
}

function sampleAlias(table: AliasTable, random: Random): number {
  const column = random.nextBelow(table.stay.length);
  const stays = random.nextFloat() < (table.stay[column] as number);
  return stays ? column : (table.alias[column] as number);
}

/** Fisher–Yates. */
function shuffledPages(pageCount: number, seed: number): Uint32Array {
  const random = createRandom(seed, 'order');
  const pages = Uint32Array.from({ length: pageCount }, (_, index) => index);
  for (let last = pageCount - 1; last > 0; last--) {
    const chosen = random.nextBelow(last + 1);
    const page = pages[chosen] as number;
    pages[chosen] = pages[last] as number;
    pages[last] = page;
  }
  return pages;
}
