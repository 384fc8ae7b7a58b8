import { Attribute } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import type { InitTokenFields } from '../src/init-token.js';
import { decodeInitToken, encodeInitToken, INIT_TOKEN_BYTES } from '../src/init-token.js';
import { toHex } from '../src/sha256.js';

const misuse = expect.objectContaining({ code: 'EPCKIT_HARDWARE_MISUSE' });
const fields: InitTokenFields = {
  isValid: true,
  attributes: Attribute.MODE64BIT,
  xfrm: 3n,
  measurement: '11'.repeat(32),
  signer: '22'.repeat(32),
  cpuSvn: new Uint8Array(16).fill(0x33),
  productId: 0x4444,
  securityVersion: 0x5555,
  launchMiscSelect: 1,
  launchAttributes: Attribute.MODE64BIT | Attribute.EINITTOKENKEY,
  launchXfrm: 3n,
  keyId: new Uint8Array(32).fill(0x66),
  mac: new Uint8Array(16).fill(0x77),
};

/** The token of {@link fields} with one byte changed. */
function flipped(offset: number, mask = 0xff): Uint8Array {
  const bytes = encodeInitToken(fields);
  bytes[offset]! ^= mask;
  return bytes;
}

/** Offsets of a range of bytes. */
const range = (start: number, end: number) =>
  Array.from({ length: end - start }, (_, index) => start + index);

it('every field lies where SDM-2016 table 38-20 has it', () => {
  const bytes = encodeInitToken(fields);
  const at = (offset: number, sizeBytes: number) => toHex(bytes.subarray(offset, offset + sizeBytes));
  expect(bytes).toHaveLength(304);
  expect(at(0, 4)).toBe('01000000');
  expect(at(48, 16)).toBe('04000000000000000300000000000000');
  expect(at(64, 32)).toBe(fields.measurement);
  expect(at(128, 32)).toBe(fields.signer);
  expect(at(192, 20)).toBe(`${'33'.repeat(16)}44445555`);
  expect(at(236, 20)).toBe('0100000024000000000000000300000000000000');
  expect(at(256, 48)).toBe('66'.repeat(32) + '77'.repeat(16));
});

it('fields come back', () => {
  const hash = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex);
  const attributes = fc.nat(0x7fffffff);
  fc.assert(
    fc.property(fc.boolean(), attributes, hash, hash, (isValid, attributes, measurement, signer) => {
      const token = decodeInitToken(encodeInitToken({ isValid, attributes, measurement, signer }));
      expect(token).toEqual({
        isValid,
        isWellFormed: true,
        attributes,
        xfrm: expect.any(BigInt),
        measurement,
        signer,
      });
    }),
  );
});

it('verdicts are handed through', () => {
  const verdicts = { isCpuSvnKnown: false, isAuthentic: false };
  expect(decodeInitToken(encodeInitToken(fields), verdicts)).toMatchObject(verdicts);
});

describe('the form', () => {
  const reserved = [...range(1, 48), ...range(96, 128), ...range(160, 192), ...range(212, 236)];
  it('is broken by every reserved byte', () => {
    const broken = range(0, INIT_TOKEN_BYTES).filter(
      (at) => !decodeInitToken(flipped(at, 0x80)).isWellFormed,
    );
    expect(broken).toEqual([0, ...reserved]);
  });

  it('is not broken by VALID = 0', () => {
    expect(decodeInitToken(flipped(0, 1))).toMatchObject({ isValid: false, isWellFormed: true });
  });

  const debug = Attribute.DEBUG;
  const launches: [launchAttributes: number, attributes: number, isWellFormed: boolean][] = [
    [0, 0, true],
    [0, debug, true],
    [debug, debug, true],
    [debug, 0, false],
  ];
  test.each(launches)(
    'launch enclave %i for enclave %i: %s',
    (launchAttributes, attributes, isWellFormed) => {
      const bytes = encodeInitToken({ ...fields, launchAttributes, attributes });
      expect(decodeInitToken(bytes).isWellFormed).toBe(isWellFormed);
    },
  );
});

it('attributes that no enclave can have do not get lost', () => {
  const bytes = encodeInitToken({ ...fields, attributes: (1n << 40n) | 4n });
  expect(decodeInitToken(bytes).attributes).toBe(0x80000004);
});

test.each([0, 303, 305, 512])('%i bytes are refused', (length) => {
  expect(() => decodeInitToken(new Uint8Array(length))).toThrow(misuse);
});

const misfits: Partial<InitTokenFields>[] = [
  { measurement: '00' },
  { signer: 'x'.repeat(64) },
  { mac: new Uint8Array(15) },
  { productId: 0x10000 },
  { attributes: 1n << 64n },
];
test.each(misfits)('%o does not fit', (misfit) => {
  expect(() => encodeInitToken({ ...fields, ...misfit })).toThrow(misuse);
});
