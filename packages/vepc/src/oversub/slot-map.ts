import { InvariantViolation, NONE } from '@epckit/interface';

/** Which slots of each leaf are in use: one bit per slot, all leaves in one column. */
export class SlotMap {
  readonly #slotsPerPage: number;
  readonly #wordsPerPage: number;
  readonly #words: Uint32Array;

  constructor(leafCount: number, slotsPerPage: number) {
    this.#slotsPerPage = slotsPerPage;
    this.#wordsPerPage = Math.ceil(slotsPerPage / 32);
    this.#words = new Uint32Array(leafCount * this.#wordsPerPage);
  }

  /** Is the slot in use? */
  has(leaf: number, position: number): boolean {
    return (((this.#words[this.#wordOf(leaf, position)] as number) >>> (position & 31)) & 1) === 1;
  }

  /** Takes the lowest free slot of a leaf. @returns its position, or `-1`: all are in use */
  takeLowest(leaf: number): number {
    const first = leaf * this.#wordsPerPage;
    for (let word = 0; word < this.#wordsPerPage; word++) {
      const free = ~(this.#words[first + word] as number);
      if (free === 0) continue;
      const bit = Math.clz32(free & -free) ^ 31;
      if (word * 32 + bit >= this.#slotsPerPage) return NONE;
      (this.#words[first + word] as number) |= 1 << bit;
      return word * 32 + bit;
    }
    return NONE;
  }

  /** Gives a slot back. @throws InvariantViolation if it is not in use */
  clear(leaf: number, position: number): void {
    if (!this.has(leaf, position))
      throw new InvariantViolation('A version slot is given back twice.', [
        `slot ${position} of leaf ${leaf}`,
      ]);
    (this.#words[this.#wordOf(leaf, position)] as number) &= ~(1 << (position & 31));
  }

  #wordOf(leaf: number, position: number): number {
    return leaf * this.#wordsPerPage + (position >>> 5);
  }
}
