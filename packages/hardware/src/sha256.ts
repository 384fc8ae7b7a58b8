import { HardwareMisuse } from './errors.js';

// SHA-256 (FIPS 180-4). MRENCLAVE is hashed in whole blocks of 64 bytes, so the state of an unfinished
// measurement is eight words and a block count: callers keep them in columns and nothing is allocated per block.

/** Words of the state of an unfinished hash. */
export const SHA256_STATE_WORDS = 8;
/** Bytes of a block. */
export const SHA256_BLOCK_BYTES = 64;
/** Bytes of a digest. */
const SHA256_DIGEST_BYTES = 32;

const ROUNDS = 64;
/** Where the length in bits begins in the last block. */
const LENGTH_AT = 56;
/** Fractions of the square roots of the first 8 primes. */
const INITIAL = new Uint32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);
/** Fractions of the cube roots of the first 64 primes. */
const CONSTANTS = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
]);
/** Message schedule of the block at work. Signed words: they stay small integers in optimised code. */
const schedule = new Int32Array(ROUNDS);
const paddedBlock = new Uint8Array(SHA256_BLOCK_BYTES);
const NO_BYTES = new Uint8Array(0);
const finalState = new Uint32Array(SHA256_STATE_WORDS);

/** Puts the initial state into `state[offset … offset + 7]`. */
export function startSha256(state: Uint32Array, offset: number): void {
  state.set(INITIAL, offset);
}

/**
 * Takes one block of 64 bytes from `block[blockOffset …]` into the state at `state[stateOffset …]`.
 *
 * Allocates nothing and checks nothing: bytes beyond the end of `block` count as 0.
 */
export function compressSha256(
  state: Uint32Array,
  stateOffset: number,
  block: Uint8Array,
  blockOffset: number,
): void {
  expand(block, blockOffset);
  let a = state[stateOffset]! | 0;
  let b = state[stateOffset + 1]! | 0;
  let c = state[stateOffset + 2]! | 0;
  let d = state[stateOffset + 3]! | 0;
  let e = state[stateOffset + 4]! | 0;
  let f = state[stateOffset + 5]! | 0;
  let g = state[stateOffset + 6]! | 0;
  let h = state[stateOffset + 7]! | 0;
  for (let round = 0; round < ROUNDS; round++) {
    const bigE = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const choice = (e & f) ^ (~e & g);
    const first = (h + bigE + choice + CONSTANTS[round]! + schedule[round]!) | 0;
    const bigA = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const majority = (a & b) ^ (a & c) ^ (b & c);
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + bigA + majority) | 0;
  }
  // A Uint32Array keeps sums modulo 2^32.
  state[stateOffset] = state[stateOffset]! + a;
  state[stateOffset + 1] = state[stateOffset + 1]! + b;
  state[stateOffset + 2] = state[stateOffset + 2]! + c;
  state[stateOffset + 3] = state[stateOffset + 3]! + d;
  state[stateOffset + 4] = state[stateOffset + 4]! + e;
  state[stateOffset + 5] = state[stateOffset + 5]! + f;
  state[stateOffset + 6] = state[stateOffset + 6]! + g;
  state[stateOffset + 7] = state[stateOffset + 7]! + h;
}

/** Fills the schedule: 16 big-endian words of the block, and 48 that follow from them. */
function expand(block: Uint8Array, offset: number): void {
  for (let word = 0, at = offset; word < 16; word++, at += 4) {
    const high = (block[at]! << 24) | (block[at + 1]! << 16);
    schedule[word] = high | (block[at + 2]! << 8) | block[at + 3]!;
  }
  for (let word = 16; word < ROUNDS; word++) {
    const x = schedule[word - 15]!;
    const y = schedule[word - 2]!;
    const smallX = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const smallY = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    schedule[word] = (schedule[word - 16]! + smallX + schedule[word - 7]! + smallY) | 0;
  }
}

/**
 * Digest of the `blockCount` whole blocks that the state at `state[offset …]` has taken.
 *
 * Leaves the state as it is, so that the hash may go on: EINIT compares a measurement before it ends it.
 */
export function finishSha256(state: Uint32Array, offset: number, blockCount: number): Uint8Array {
  finalState.set(state.subarray(offset, offset + SHA256_STATE_WORDS));
  return pad(NO_BYTES, blockCount * SHA256_BLOCK_BYTES);
}

/** SHA-256 of `bytes`. */
export function sha256(bytes: Uint8Array): Uint8Array {
  finalState.set(INITIAL);
  const wholeBytes = bytes.length - (bytes.length % SHA256_BLOCK_BYTES);
  for (let at = 0; at < wholeBytes; at += SHA256_BLOCK_BYTES) compressSha256(finalState, 0, bytes, at);
  return pad(bytes.subarray(wholeBytes), bytes.length);
}

/** Ends `finalState` with the bytes after the last whole block, the padding and the length. */
function pad(tail: Uint8Array, totalBytes: number): Uint8Array {
  paddedBlock.fill(0);
  paddedBlock.set(tail);
  paddedBlock[tail.length] = 0x80;
  if (tail.length >= LENGTH_AT) {
    compressSha256(finalState, 0, paddedBlock, 0);
    paddedBlock.fill(0);
  }
  const length = new DataView(paddedBlock.buffer);
  length.setUint32(LENGTH_AT, Math.floor(totalBytes / 2 ** 29));
  length.setUint32(LENGTH_AT + 4, (totalBytes % 2 ** 29) * 8);
  compressSha256(finalState, 0, paddedBlock, 0);
  const digest = new Uint8Array(SHA256_DIGEST_BYTES);
  const words = new DataView(digest.buffer);
  for (let word = 0; word < SHA256_STATE_WORDS; word++) words.setUint32(word * 4, finalState[word]!);
  return digest;
}

/** Bytes as lower-case hexadecimal digits, first byte first: the form of MRENCLAVE and MRSIGNER in the model. */
export function toHex(bytes: Uint8Array): string {
  let digits = '';
  for (const byte of bytes) digits += byte.toString(16).padStart(2, '0');
  return digits;
}

/**
 * Bytes of hexadecimal digits of either case, as {@link toHex} writes them.
 *
 * @throws HardwareMisuse for anything but pairs of hexadecimal digits
 */
export function fromHex(digits: string): Uint8Array {
  if (!/^([0-9a-f]{2})*$/i.test(digits)) {
    throw new HardwareMisuse(
      'Bytes must be given as pairs of hexadecimal digits.',
      [`given: ${digits.length} characters, "${digits.slice(0, 16)}…"`],
      'Write every byte as two of the digits 0-9 and a-f, without a prefix.',
    );
  }
  return Uint8Array.from({ length: digits.length / 2 }, (_, byte) =>
    Number.parseInt(digits.slice(2 * byte, 2 * byte + 2), 16),
  );
}
