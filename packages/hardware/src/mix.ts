/** Mixes one 32-bit word into a hash: the body of MurmurHash3 (A. Appleby, public domain). A bijection of `hash`. */
export function mixWord(hash: number, word: number): number {
  const spread = Math.imul(word, 0xcc9e2d51);
  const turned = Math.imul((spread << 15) | (spread >>> 17), 0x1b873593);
  const mixed = hash ^ turned;
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}

/** Bits 63:32 of a non-negative integer below 2^53. */
export function highWord(value: number): number {
  return value < 0x100000000 ? 0 : Math.floor(value / 0x100000000);
}

/** Spreads every bit over the whole word: the finaliser of MurmurHash3, unsigned. */
export function finish(hash: number): number {
  const first = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const second = Math.imul(first ^ (first >>> 13), 0xc2b2ae35);
  return (second ^ (second >>> 16)) >>> 0;
}
