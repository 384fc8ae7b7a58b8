import { generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { Attribute } from '@epckit/interface';
import fc from 'fast-check';
import { beforeAll, describe, expect, it, test } from 'vitest';
import { generateSigner, signSigStruct, verifySigStruct } from '../src/real/rsa.js';
import { sha256, toHex } from '../src/sha256.js';
import type { SigStructFields } from '../src/sigstruct.js';
import {
  decodeSigStruct,
  encodeSigStruct,
  foldAttributes,
  SIGSTRUCT_BYTES,
  signedBytes,
} from '../src/sigstruct.js';

const misuse = expect.objectContaining({ code: 'EPCKIT_HARDWARE_MISUSE' });
const measurement = 'ab'.repeat(32);
const modulus = new Uint8Array(384).map((_, index) => index);
const fields: SigStructFields = {
  vendor: 0x8086,
  date: 0x20260131,
  swDefined: 0x11223344,
  modulus,
  miscSelect: 1,
  miscMask: 0xfffffffe,
  cetAttributes: 0x11,
  cetMask: 0x22,
  familyId: new Uint8Array(16).fill(0x33),
  attributes: Attribute.MODE64BIT,
  xfrm: 3n,
  attributeMask: 0xffff_ffff_ffff_fffdn,
  xfrmMask: 0xffff_ffff_ffff_ff1bn,
  measurement,
  extProductId: new Uint8Array(16).fill(0x44),
  productId: 0x5555,
  securityVersion: 0x6666,
};

/** Offsets of a range of bytes. */
const range = (start: number, end: number) =>
  Array.from({ length: end - start }, (_, index) => start + index);

/** A copy with one byte changed. */
function flipped(bytes: Uint8Array, offset: number, mask = 0xff): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[offset]! ^= mask;
  return copy;
}

it('every field lies where SDM-2016 table 38-19 has it', () => {
  const bytes = encodeSigStruct(fields);
  const at = (offset: number, sizeBytes: number) => toHex(bytes.subarray(offset, offset + sizeBytes));
  expect(bytes).toHaveLength(1808);
  expect(at(0, 24)).toBe('06000000e100000000000100000000008680000031012620');
  expect(at(24, 20)).toBe('0101000060000000600000000100000044332211');
  expect(at(128, 384)).toBe(toHex(modulus));
  expect(at(512, 4)).toBe('03000000');
  expect(at(900, 12)).toBe('01000000feffffff11220000');
  expect(at(912, 16)).toBe('33'.repeat(16));
  expect(at(928, 16)).toBe('04000000000000000300000000000000');
  expect(at(944, 16)).toBe('fdffffffffffffff1bffffffffffffff');
  expect(at(960, 32)).toBe(measurement);
  expect(at(1008, 20)).toBe(`${'44'.repeat(16)}55556666`);
  expect([...bytes.subarray(516, 900), ...bytes.subarray(1028)].every((byte) => byte === 0)).toBe(true);
});

it('decodes to what EINIT takes', () => {
  expect(decodeSigStruct(encodeSigStruct(fields))).toEqual({
    measurement,
    isWellFormed: true,
    isAuthentic: undefined,
    signer: toHex(sha256(modulus)),
    attributes: Attribute.MODE64BIT,
    attributeMask: 0xfffffffd,
    xfrm: 3n,
    xfrmMask: 0xffff_ffff_ffff_ff1bn,
    miscSelect: 1,
    miscMask: 0xfffffffe,
    cetAttributes: 0x11,
    cetMask: 0x22,
    isFamilyIdZero: false,
    productId: 0x5555,
    securityVersion: 0x6666,
  });
  expect(decodeSigStruct(encodeSigStruct({ measurement })).isFamilyIdZero).toBe(true);
});

it('fields come back', () => {
  const drawn = fc.record({
    measurement: fc.uint8Array({ minLength: 32, maxLength: 32 }).map(toHex),
    attributeMask: fc.nat(0xffffffff),
    xfrm: fc.bigInt(0n, 2n ** 64n - 1n),
    xfrmMask: fc.bigInt(0n, 2n ** 64n - 1n),
    miscSelect: fc.nat(0xffffffff),
    miscMask: fc.nat(0xffffffff),
    cetAttributes: fc.nat(0xff),
    cetMask: fc.nat(0xff),
    productId: fc.nat(0xffff),
    securityVersion: fc.nat(0xffff),
  });
  fc.assert(
    fc.property(drawn, (given) => {
      const decoded = decodeSigStruct(encodeSigStruct(given));
      expect(decoded).toMatchObject({ ...given, isWellFormed: true });
    }),
  );
});

describe('the form', () => {
  const headers = [...range(0, 20), ...range(24, 40), ...range(512, 516)];
  const reserved = [...range(44, 128), 910, 911, ...range(992, 1008), ...range(1028, 1040)];

  it('is broken by every byte of headers, vendor, exponent and reserved parts, and by no other', () => {
    const bytes = encodeSigStruct(fields);
    const broken = range(0, SIGSTRUCT_BYTES).filter(
      (at) => !decodeSigStruct(flipped(bytes, at)).isWellFormed,
    );
    expect(broken).toEqual([...headers, ...reserved].sort((a, b) => a - b));
  });

  test.each([
    [0, true],
    [0x8086, true],
    [0x8087, false],
    [1, false],
  ])('vendor %i: %s', (vendor, isWellFormed) => {
    expect(decodeSigStruct(encodeSigStruct({ measurement, vendor })).isWellFormed).toBe(isWellFormed);
  });
});

describe('attributes above bit 31', () => {
  const demand = (attributes: bigint, attributeMask: bigint) =>
    decodeSigStruct(encodeSigStruct({ measurement, attributes, attributeMask }));
  /** The comparison that EINIT makes with the attributes of an enclave. */
  const accepts = (had: number, { attributes = 0, attributeMask = 0 }) =>
    ((had ^ attributes) & attributeMask) === 0;

  it('fail if demanded, as no enclave has them', () => {
    expect(accepts(4, demand((1n << 40n) | 4n, (1n << 40n) | 4n))).toBe(false);
  });

  it('pass if masked off, or demanded to be 0', () => {
    expect(accepts(4, demand((1n << 40n) | 4n, 4n))).toBe(true);
    expect(accepts(4, demand(4n, 0xffff_ffff_ffff_fffdn))).toBe(true);
  });

  it('fold to bit 31', () => {
    expect([0n, 0x36n, 1n << 31n, 1n << 32n, (1n << 63n) | 4n].map(foldAttributes)).toEqual([
      0, 0x36, 0x80000000, 0x80000000, 0x80000004,
    ]);
  });
});

const misfits: Partial<SigStructFields>[] = [
  { measurement: '00' },
  { measurement: 'x'.repeat(64) },
  { modulus: new Uint8Array(383) },
  { productId: -1 },
  { productId: 0x10000 },
  { miscSelect: 0.5 },
  { attributes: 2 ** 60 },
  { xfrm: 1n << 64n },
];
test.each(misfits)('%o does not fit', (misfit) => {
  expect(() => encodeSigStruct({ ...fields, ...misfit })).toThrow(misuse);
});

test.each([0, 1807, 1809, 4096])('%i bytes are refused', (length) => {
  const bytes = new Uint8Array(length);
  for (const take of [decodeSigStruct, signedBytes, verifySigStruct])
    expect(() => take(bytes)).toThrow(misuse);
});

describe('the signature', () => {
  let key: KeyObject;
  let signed: Uint8Array;
  beforeAll(() => {
    key = generateSigner();
    signed = signSigStruct(encodeSigStruct(fields), key);
  }, 30_000);

  it('of a signed structure verifies, of an unsigned one not', () => {
    expect(verifySigStruct(signed)).toBe(true);
    expect(verifySigStruct(encodeSigStruct(fields))).toBe(false);
    expect(decodeSigStruct(signed, verifySigStruct)).toMatchObject({ isWellFormed: true, isAuthentic: true });
  });

  it('is what Node makes of the signed bytes', () => {
    const signature = Uint8Array.from(signed.subarray(516, 900)).reverse();
    expect(verify('sha256', signedBytes(signed), key, signature)).toBe(true);
  });

  it('satisfies the equation that the processor checks without dividing', () => {
    const number = (at: number) =>
      BigInt(`0x${toHex(Uint8Array.from(signed.subarray(at, at + 384)).reverse())}`);
    const [m, s, q1, q2] = [number(128), number(516), number(1040), number(1424)];
    const rest = s ** 3n - q1 * s * m - q2 * m;
    expect(rest).toBe(s ** 3n % m);
    expect(rest.toString(16)).toMatch(new RegExp(`^1f+00.*${toHex(sha256(signedBytes(signed)))}$`));
  });

  it('covers bytes 0 to 127 and 900 to 1027, and needs key, exponent, Q1 and Q2', () => {
    expect(signedBytes(Uint8Array.from(range(0, SIGSTRUCT_BYTES), (at) => at >> 3))).toEqual(
      Uint8Array.from([...range(0, 128), ...range(900, 1028)], (at) => at >> 3),
    );
    const ignored = range(0, SIGSTRUCT_BYTES).filter((at) => verifySigStruct(flipped(signed, at)));
    expect(ignored).toEqual(range(1028, 1040));
  });

  it('leaves its argument alone, also if that is a Node buffer', () => {
    const unsigned = encodeSigStruct(fields);
    const buffer = Buffer.from(unsigned);
    signSigStruct(buffer, key);
    verifySigStruct(buffer);
    decodeSigStruct(buffer);
    expect(Uint8Array.from(buffer)).toEqual(unsigned);
  });

  it('replaces an earlier one; everything else stays', () => {
    expect(signSigStruct(signed, key)).toEqual(signed);
    const { signer, ...rest } = decodeSigStruct(signed);
    const { signer: unsignedSigner, ...unsignedRest } = decodeSigStruct(encodeSigStruct(fields));
    expect(rest).toEqual(unsignedRest);
    expect(signer).not.toBe(unsignedSigner);
  });

  it('is refused for other keys', () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 1024, publicExponent: 3 });
    const elliptic = generateKeyPairSync('ed25519');
    for (const { privateKey } of [small, elliptic]) {
      expect(() => signSigStruct(signed, privateKey)).toThrow(misuse);
    }
  });
});
