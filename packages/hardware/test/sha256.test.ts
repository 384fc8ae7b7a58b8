import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { compressSha256, finishSha256, fromHex, sha256, startSha256, toHex } from '../src/sha256.js';

const node = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const ascii = (text: string) => new TextEncoder().encode(text);

/** Examples of FIPS 180-4 from NIST. */
const vectors: [name: string, message: string, digest: string][] = [
  ['no bytes', '', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['one block', 'abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    'two blocks, the length alone in the second',
    'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq',
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  [
    'a million times a',
    'a'.repeat(1_000_000),
    'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
  ],
];
test.each(vectors)('NIST example: %s', (_, message, digest) => {
  expect(toHex(sha256(ascii(message)))).toBe(digest);
});

it('agrees with Node for any bytes, also for a view into others', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(20), (bytes, skipped) => {
      const view = bytes.subarray(Math.min(skipped, bytes.length));
      expect(toHex(sha256(view))).toBe(node(view));
    }),
  );
});

it('agrees with Node around every block boundary', () => {
  for (let length = 0; length <= 200; length++) {
    const bytes = new Uint8Array(length).fill(0xa5);
    expect(toHex(sha256(bytes))).toBe(node(bytes));
  }
});

describe('a state in columns', () => {
  /** A state at word `offset` of a larger array, after the whole blocks of `bytes` from `from` on. */
  function stateOf(bytes: Uint8Array, blockCount: number, offset: number, from: number): Uint32Array {
    const state = new Uint32Array(offset + 12).fill(7);
    startSha256(state, offset);
    for (let block = 0; block < blockCount; block++) compressSha256(state, offset, bytes, from + block * 64);
    return state;
  }

  it('ends in the digest of the blocks it has taken', () => {
    const blocks = fc.nat(5).chain((count) =>
      fc.record({
        count: fc.constant(count),
        offset: fc.nat(16),
        from: fc.nat(9),
        bytes: fc.uint8Array({ minLength: count * 64 + 9, maxLength: count * 64 + 9 }),
      }),
    );
    fc.assert(
      fc.property(blocks, ({ count, offset, from, bytes }) => {
        const state = stateOf(bytes, count, offset, from);
        const digest = node(bytes.subarray(from, from + count * 64));
        expect(toHex(finishSha256(state, offset, count))).toBe(digest);
      }),
    );
  });

  it('goes on after it was read, and leaves its neighbours alone', () => {
    const bytes = new Uint8Array(128).map((_, index) => index);
    const state = stateOf(bytes, 1, 3, 0);
    expect(toHex(finishSha256(state, 3, 1))).toBe(node(bytes.subarray(0, 64)));
    compressSha256(state, 3, bytes, 64);
    expect(toHex(finishSha256(state, 3, 2))).toBe(node(bytes));
    expect([...state.subarray(0, 3), ...state.subarray(11)]).toEqual(new Array(7).fill(7));
  });

  it('two hashes do not disturb each other', () => {
    const [first, second] = [new Uint8Array(64).fill(1), new Uint8Array(64).fill(2)];
    const state = new Uint32Array(16);
    startSha256(state, 0);
    startSha256(state, 8);
    compressSha256(state, 0, first, 0);
    sha256(ascii('in between'));
    compressSha256(state, 8, second, 0);
    expect(toHex(finishSha256(state, 0, 1))).toBe(node(first));
    expect(toHex(finishSha256(state, 8, 1))).toBe(node(second));
  });
});

describe('hexadecimal digits', () => {
  it('come back as the same bytes, in either case', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        expect(fromHex(toHex(bytes))).toEqual(bytes);
        expect(fromHex(toHex(bytes).toUpperCase())).toEqual(bytes);
      }),
    );
  });

  test.each(['0', 'zz', '0x00', '00 11', ' 00'])('"%s" is refused', (digits) => {
    expect(() => fromHex(digits)).toThrow(expect.objectContaining({ code: 'EPCKIT_HARDWARE_MISUSE' }));
  });
});
