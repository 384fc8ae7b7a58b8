import { TraceError } from './trace-error.js';

/** A deterministic stream of pseudo-random numbers. */
export interface Random {
  /** Returns the next integer from 0 to 2^32 − 1. */
  nextUint32(): number;
  /** Returns the next number in [0, 1), a multiple of 2^-53; draws two integers. */
  nextFloat(): number;
  /**
   * Returns the next integer from 0 to `bound` − 1, each equally likely (by rejection, so the
   * number of integers drawn varies). `bound` is an integer from 1 to 2^32; not checked.
   */
  nextBelow(bound: number): number;
}

/**
 * Starts the random stream `streamName` of `seed`.
 *
 * Equal arguments give equal numbers on every machine; streams of different names are
 * independent, so that drawing more from one does not move another. The generator is
 * sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, a period of at least 2^32.
 * The state comes from hashing the text `<seed>:<streamName>`, which is followed by 20 steps
 * that are thrown away. Not for cryptography.
 *
 * @param seed - an integer from 0 to 2^53 − 1
 * @param streamName - what the numbers are for, for example `pages`
 * @throws TraceError `EPCKIT_TRACE_BAD_OPTION`
 */
export function createRandom(seed: number, streamName: string): Random {
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new TraceError('EPCKIT_TRACE_BAD_OPTION', `Option "seed" is ${String(seed)}.`, {
      hint: `It must be an integer from 0 to ${Number.MAX_SAFE_INTEGER}.`,
    });
  }
  const text = Buffer.from(`${seed}:${streamName}`, 'utf8');
  const random = new Sfc32(
    hashBytes(text, 0x9e37_79b9),
    hashBytes(text, 0x243f_6a88),
    hashBytes(text, 0xb7e1_5162),
  );
  for (let step = 0; step < 20; step++) random.nextUint32();
  return random;
}

/** The generator itself, from its three free state words; the counter starts at 1. */
export class Sfc32 implements Random {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(a: number, b: number, c: number) {
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
  }

  nextUint32(): number {
    const result = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  nextFloat(): number {
    const high = this.nextUint32() >>> 5;
    const low = this.nextUint32() >>> 6;
    return (high * 0x400_0000 + low) / 0x20_0000_0000_0000;
  }

  nextBelow(bound: number): number {
    const fairLimit = 0x1_0000_0000 - (0x1_0000_0000 % bound);
    let drawn = this.nextUint32();
    while (drawn >= fairLimit) drawn = this.nextUint32();
    return drawn % bound;
  }
}

/** MurmurHash3's mixing, byte by byte: enough to spread similar names over the seed space. */
function hashBytes(bytes: Uint8Array, basis: number): number {
  let hash = basis | 0;
  for (const byte of bytes) {
    hash = Math.imul(hash ^ byte, 0xcc9e_2d51);
    hash = Math.imul((hash << 15) | (hash >>> 17), 0x1b87_3593) ^ (hash >>> 16);
  }
  hash ^= bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
