/** Bits of a value that a bucket keeps: 64 buckets per octave. */
const SUB_BITS = 6;
const SUB_COUNT = 2 ** SUB_BITS;
/** Octaves above the exact ones, up to 2^53. */
const OCTAVES = 53 - SUB_BITS;

/** What is reported of the values of a histogram. Zero for no values. */
export interface LatencySummary {
  /** Number of values. */
  readonly count: number;
  /** Median. */
  readonly p50Cycles: number;
  /** 90 of 100 values are at most this. */
  readonly p90Cycles: number;
  /** 99 of 100 values are at most this. */
  readonly p99Cycles: number;
  /** Largest value, exact. */
  readonly maxCycles: number;
}

/**
 * Log-linear histogram of whole numbers from 0 to 2^53 − 1.
 *
 * Values below 64 have a bucket each; above, every octave has 64. A percentile is the upper end of its bucket:
 * never below the exact one, and above it by less than 1/64 (1.6 %). Adding is a few integer operations and
 * never allocates.
 */
export class Histogram {
  readonly #buckets = new Uint32Array(SUB_COUNT * (OCTAVES + 1));
  #count = 0;
  #max = 0;

  /** Number of values. */
  get count(): number {
    return this.#count;
  }

  /** Largest value; 0 for none. */
  get max(): number {
    return this.#max;
  }

  /** Adds a value; a fraction is cut off, a negative value counts as 0. */
  add(value: number): void {
    const whole = value > 0 ? Math.floor(value) : 0;
    (this.#buckets[bucketOf(whole)] as number)++;
    this.#count++;
    if (whole > this.#max) this.#max = whole;
  }

  /**
   * Value of which at least the share `quantile` of all values is not larger (nearest rank).
   *
   * @param quantile - from 0 to 1
   * @returns upper end of the bucket, or the largest value if that is smaller; 0 for no values
   */
  percentile(quantile: number): number {
    let rank = Math.max(1, Math.ceil(quantile * this.#count));
    if (this.#count === 0) return 0;
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) {
      rank -= this.#buckets[bucket] as number;
      if (rank <= 0) return Math.min(upperEnd(bucket), this.#max);
    }
    return this.#max;
  }

  /** Adds all values of another histogram. */
  addAll(other: Histogram): void {
    for (let bucket = 0; bucket < this.#buckets.length; bucket++) {
      (this.#buckets[bucket] as number) += other.#buckets[bucket] as number;
    }
    this.#count += other.#count;
    this.#max = Math.max(this.#max, other.#max);
  }

  /** What reports say of it. */
  summary(): LatencySummary {
    return {
      count: this.#count,
      p50Cycles: this.percentile(0.5),
      p90Cycles: this.percentile(0.9),
      p99Cycles: this.percentile(0.99),
      maxCycles: this.#max,
    };
  }
}

function bucketOf(value: number): number {
  if (value < SUB_COUNT) return value;
  let high = value;
  let octave = 0;
  // Bit operations have 32 bits; values beyond are rare.
  for (; high >= 2 ** 31; octave++) high /= 2;
  const shift = 31 - SUB_BITS - Math.clz32(high);
  return (octave + shift) * SUB_COUNT + (Math.floor(high) >>> shift);
}

function upperEnd(bucket: number): number {
  if (bucket < 2 * SUB_COUNT) return bucket;
  const shift = Math.floor(bucket / SUB_COUNT) - 1;
  return ((bucket % SUB_COUNT) + SUB_COUNT + 1) * 2 ** shift - 1;
}
