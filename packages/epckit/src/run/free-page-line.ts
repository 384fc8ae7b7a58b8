/** Buckets of a time line; when time runs beyond them, each becomes twice as long. */
const BUCKET_COUNT = 128;
const FIRST_INTERVAL_CYCLES = 1024;

/** Free pages over time, in buckets of equal length. */
export interface FreePageReport {
  /** Length of a bucket; a power of two. */
  readonly intervalCycles: number;
  /** Fewest free pages in each bucket; at most 128 entries. */
  readonly lowest: readonly number[];
  /** Free pages after the last change in each bucket, or before it. */
  readonly last: readonly number[];
}

/**
 * Follows the number of free pages in a bounded number of buckets.
 *
 * The run's length need not be known: when the buckets are used up, neighbours are merged and the interval
 * doubles. CPUs may report slightly out of order; a change that comes late counts for its own bucket.
 */
export class FreePageLine {
  readonly #lowest = new Float64Array(BUCKET_COUNT).fill(Number.POSITIVE_INFINITY);
  /** Negative: no change in this bucket. */
  readonly #last = new Float64Array(BUCKET_COUNT).fill(-1);
  #interval = FIRST_INTERVAL_CYCLES;
  #free: number;
  #end = 0;

  /** @param freePages at time 0 */
  constructor(freePages: number) {
    this.#free = freePages;
    this.#note(0);
  }

  /** Free pages now. */
  get freePages(): number {
    return this.#free;
  }

  /** The number of free pages changes by `change` at `cycle`. */
  add(cycle: number, change: number): void {
    this.#free += change;
    this.#note(Math.max(0, cycle));
  }

  /** What reports say of it. */
  report(): FreePageReport {
    const lowest: number[] = [];
    const last: number[] = [];
    let before = 0;
    for (let bucket = 0; bucket <= this.#end; bucket++) {
      const isEmpty = (this.#last[bucket] as number) < 0;
      if (!isEmpty) before = this.#last[bucket] as number;
      last.push(before);
      lowest.push(isEmpty ? before : (this.#lowest[bucket] as number));
    }
    return { intervalCycles: this.#interval, lowest, last };
  }

  #note(cycle: number): void {
    while (cycle >= this.#interval * BUCKET_COUNT) this.#mergeNeighbours();
    const bucket = Math.floor(cycle / this.#interval);
    this.#lowest[bucket] = Math.min(this.#lowest[bucket] as number, this.#free);
    this.#last[bucket] = this.#free;
    if (bucket > this.#end) this.#end = bucket;
  }

  #mergeNeighbours(): void {
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) {
      const left = 2 * bucket;
      const isInside = left + 1 < BUCKET_COUNT;
      const lowest = isInside ? Math.min(this.#lowest[left]!, this.#lowest[left + 1]!) : Infinity;
      const rightLast = isInside ? this.#last[left + 1]! : -1;
      const last = isInside && rightLast < 0 ? this.#last[left]! : rightLast;
      this.#lowest[bucket] = lowest;
      this.#last[bucket] = last;
    }
    this.#end = Math.floor(this.#end / 2);
    this.#interval *= 2;
  }
}
