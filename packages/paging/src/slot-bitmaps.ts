import { InvariantViolation } from '@epckit/interface';
import { enlarge } from './enlarge.js';

/** Version slots in one version array page: 4096 bytes of 8 (Linux `SGX_VA_SLOT_COUNT`). */
export const SLOTS_PER_PAGE = 512;

const WORDS = SLOTS_PER_PAGE / 32;
const ALL_TAKEN = 0xffffffff;
const FIRST_CAPACITY = 4;

/**
 * One bitmap of 512 bits per version array page, all of one owner in one growable column.
 *
 * The lowest clear bit is found from a hint, the first word that may have one, so that filling a page costs
 * one word per slot and sixteen words per page.
 */
export class SlotBitmaps {
  #words = new Uint32Array(FIRST_CAPACITY * WORDS);
  #used = new Uint16Array(FIRST_CAPACITY);
  #hint = new Uint8Array(FIRST_CAPACITY);

  /** Number of bitmaps that fit without growing. */
  get capacity(): number {
    return this.#used.length;
  }

  /** Doubles the number of bitmaps; new ones are clear. */
  grow(): void {
    this.#words = enlarge(this.#words);
    this.#used = enlarge(this.#used);
    this.#hint = enlarge(this.#hint);
  }

  /** Number of bits set in `map`. */
  used(map: number): number {
    return this.#used[map] as number;
  }

  /** Are all bits of `map` set? */
  isFull(map: number): boolean {
    return this.#used[map] === SLOTS_PER_PAGE;
  }

  /** Is `bit` of `map` set? */
  has(map: number, bit: number): boolean {
    return (((this.#words[map * WORDS + (bit >>> 5)] as number) >>> (bit & 31)) & 1) === 1;
  }

  /**
   * Sets the lowest clear bit of `map`.
   *
   * @returns the bit
   * @throws InvariantViolation if there is none: slot 512 would lie in the next EPC page
   */
  takeLowest(map: number): number {
    const first = map * WORDS;
    for (let word = this.#hint[map] as number; word < WORDS; word++) {
      const bits = this.#words[first + word] as number;
      if (bits === ALL_TAKEN) continue;
      const bit = Math.clz32(~bits & -~bits) ^ 31;
      this.#words[first + word] = bits | (1 << bit);
      (this.#used[map] as number)++;
      this.#hint[map] = word;
      return word * 32 + bit;
    }
    throw new InvariantViolation('A version slot is taken from a full version array page.', [
      `slots per page: ${SLOTS_PER_PAGE}`,
    ]);
  }

  /** Clears `bit` of `map`. @throws InvariantViolation if it is clear */
  clear(map: number, bit: number): void {
    if (!this.has(map, bit)) {
      throw new InvariantViolation('A version slot is given back twice.', [`slot in its page: ${bit}`]);
    }
    const word = bit >>> 5;
    (this.#words[map * WORDS + word] as number) &= ~(1 << (bit & 31));
    (this.#used[map] as number)--;
    if (word < (this.#hint[map] as number)) this.#hint[map] = word;
  }

  /** Makes `map` ready for another page. @throws InvariantViolation if a bit is set */
  recycle(map: number): void {
    if (this.#used[map] !== 0) {
      throw new InvariantViolation('A version array page with versions in it is removed.', [
        `slots in use: ${this.#used[map]}`,
      ]);
    }
    this.#hint[map] = 0;
  }
}
