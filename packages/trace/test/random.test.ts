import { describe, expect, it } from 'vitest';
import { createRandom } from '../src/index.js';
import { Sfc32 } from '../src/random.js';

const take = (count: number, draw: () => number) => Array.from({ length: count }, draw);

/** sfc32 as its author writes it, in arithmetic without a fixed width. */
function referenceSfc32(state: [bigint, bigint, bigint]): () => number {
  const mask = 0xffff_ffffn;
  let [a, b, c] = state;
  let counter = 1n;
  return () => {
    const result = (a + b + counter++) & mask;
    a = b ^ (b >> 9n);
    b = (c + (c << 3n)) & mask;
    c = (((c << 21n) | (c >> 11n)) + result) & mask;
    return Number(result);
  };
}

describe('createRandom', () => {
  it('draws what sfc32 draws', () => {
    const random = new Sfc32(0xdead_beef, 0x8000_0000, 7);
    const reference = referenceSfc32([0xdead_beefn, 0x8000_0000n, 7n]);
    for (let step = 0; step < 10_000; step++) expect(random.nextUint32()).toBe(reference());
  });

  it('keeps its numbers: they are part of the contract', () => {
    const random = createRandom(42, 'pages');
    expect(take(4, () => random.nextUint32())).toMatchInlineSnapshot(`
      [
        3146182309,
        4101928402,
        4238402152,
        2876163079,
      ]
    `);
  });

  it('gives equal numbers to equal arguments, others to others', () => {
    const first = (seed: number, name: string) => {
      const random = createRandom(seed, name);
      return take(8, () => random.nextUint32()).join();
    };
    const all = [
      first(1, 'a'),
      first(1, 'b'),
      first(2, 'a'),
      first(11, ''),
      first(1, '1'),
      first(2 ** 53 - 1, 'a'),
    ];
    expect(new Set(all).size).toBe(all.length);
    expect(first(1, 'a')).toBe(all[0]);
  });

  it('fills the unit interval evenly', () => {
    const random = createRandom(3, 'even');
    const bins = new Uint32Array(64);
    for (let step = 0; step < 640_000; step++) bins[Math.floor(random.nextFloat() * 64)]! += 1;
    const chiSquare = bins.reduce((sum, bin) => sum + (bin - 10_000) ** 2 / 10_000, 0);
    expect(chiSquare).toBeLessThan(115); // 63 degrees of freedom: p = 0.0001
  });

  it.each([1, 2, 3, 1000, 3_000_000_000, 2 ** 32])('draws below %d only', (bound) => {
    const random = createRandom(4, 'below');
    let sum = 0;
    for (let step = 0; step < 20_000; step++) {
      const drawn = random.nextBelow(bound);
      expect(drawn < bound && drawn >= 0 && Number.isInteger(drawn)).toBe(true);
      sum += drawn;
    }
    expect(Math.abs(sum / 20_000 - (bound - 1) / 2)).toBeLessThan(bound * 0.01);
  });

  it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses the seed %d', (seed) => {
    expect(() => createRandom(seed, 'x')).toThrow(/"seed"/);
  });
});
