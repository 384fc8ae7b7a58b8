/** Numbers by chance: the same ones for the same seed (xorshift32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) | 1;
    // Seeds that are near to each other begin alike.
    for (let i = 0; i < 8; i++) this.below(2);
  }

  /** A number from 0 to `limit` - 1. */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  /** One of the items. */
  of<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}
