import type { SigStruct } from '@epckit/interface';
import { HardwareMisuse } from './errors.js';
import { fromHex, sha256, toHex } from './sha256.js';

/** Size of SIGSTRUCT in bytes. */
export const SIGSTRUCT_BYTES = 1808;
/** Size of MODULUS, SIGNATURE, Q1 and Q2 in bytes: RSA-3072, little-endian. */
export const RSA_BYTES = 384;
/** The only EXPONENT. */
export const RSA_EXPONENT = 3;

/** Byte offsets in SIGSTRUCT of what {@link SigStructFields} does not name (SDM-2016, table 38-19). */
export const SigStructOffset = {
  HEADER: 0,
  HEADER2: 24,
  MODULUS: 128,
  EXPONENT: 512,
  SIGNATURE: 516,
  ENCLAVEHASH: 960,
  Q1: 1040,
  Q2: 1424,
} as const;

/** Where an integer or a string of bytes lies in a structure: offset and size, both in bytes. */
export type FieldPlace = readonly [offset: number, sizeBytes: number];

/** A range of bytes, the end not included. */
export type ByteRange = readonly [start: number, end: number];

/** What a signer writes into SIGSTRUCT; everything but the measurement is 0 if left out. */
export interface SigStructFields {
  /** VENDOR: 0, or 0x8086 for Intel. */
  readonly vendor?: number | undefined;
  /** DATE: year, month and day as the hexadecimal digits of 0xYYYYMMDD. Not checked by EINIT. */
  readonly date?: number | undefined;
  /** SWDEFINED: 4 bytes for software. */
  readonly swDefined?: number | undefined;
  /** MODULUS: 384 bytes, little-endian. */
  readonly modulus?: Uint8Array | undefined;
  /** MISCSELECT. */
  readonly miscSelect?: number | undefined;
  /** MISCMASK. */
  readonly miscMask?: number | undefined;
  /** CET_ATTRIBUTES; offset unconfirmed. */
  readonly cetAttributes?: number | undefined;
  /** CET_ATTRIBUTES_MASK; offset unconfirmed. */
  readonly cetMask?: number | undefined;
  /** ISVFAMILYID: 16 bytes; offset unconfirmed. */
  readonly familyId?: Uint8Array | undefined;
  /** ATTRIBUTES bits 63:0. */
  readonly attributes?: number | bigint | undefined;
  /** XFRM: ATTRIBUTES bits 127:64. */
  readonly xfrm?: number | bigint | undefined;
  /** ATTRIBUTEMASK bits 63:0. */
  readonly attributeMask?: number | bigint | undefined;
  /** ATTRIBUTEMASK bits 127:64. */
  readonly xfrmMask?: number | bigint | undefined;
  /** ENCLAVEHASH: 64 hexadecimal digits. */
  readonly measurement: string;
  /** ISVEXTPRODID: 16 bytes; offset unconfirmed. */
  readonly extProductId?: Uint8Array | undefined;
  /** ISVPRODID. */
  readonly productId?: number | undefined;
  /** ISVSVN. */
  readonly securityVersion?: number | undefined;
}

/** Offsets from SDM-2016, table 38-19; 908, 909, 912 and 1008 are reserved there and unconfirmed. */
const Place = {
  vendor: [16, 4],
  date: [20, 4],
  swDefined: [40, 4],
  modulus: [SigStructOffset.MODULUS, RSA_BYTES],
  miscSelect: [900, 4],
  miscMask: [904, 4],
  cetAttributes: [908, 1],
  cetMask: [909, 1],
  familyId: [912, 16],
  attributes: [928, 8],
  xfrm: [936, 8],
  attributeMask: [944, 8],
  xfrmMask: [952, 8],
  extProductId: [1008, 16],
  productId: [1024, 2],
  securityVersion: [1026, 2],
} as const satisfies Record<Exclude<keyof SigStructFields, 'measurement'>, FieldPlace>;

const HEADER = fromHex('06000000e10000000000010000000000');
const HEADER2 = fromHex('01010000600000006000000001000000');
const HASH_PLACE: FieldPlace = [SigStructOffset.ENCLAVEHASH, 32];
const EXPONENT_PLACE: FieldPlace = [SigStructOffset.EXPONENT, 4];
const VENDORS = [0n, 0x8086n];
/** Bytes that must be 0; around the KSS and CET fields unconfirmed. */
const RESERVED: readonly ByteRange[] = [
  [44, 128],
  [910, 912],
  [992, 1008],
  [1028, 1040],
];
/** What the signature covers: HEADER … reserved before MODULUS, and MISCSELECT … ISVSVN (table 38-19). */
const SIGNED: readonly ByteRange[] = [
  [0, 128],
  [900, 1028],
];

/**
 * SIGSTRUCT without a signature: headers, EXPONENT and `fields`; SIGNATURE, Q1 and Q2 are 0.
 *
 * @throws HardwareMisuse if a field does not fit its place
 */
export function encodeSigStruct(fields: SigStructFields): Uint8Array {
  const bytes = new Uint8Array(SIGSTRUCT_BYTES);
  bytes.set(HEADER, SigStructOffset.HEADER);
  bytes.set(HEADER2, SigStructOffset.HEADER2);
  const { measurement, ...rest } = fields;
  writeFields(bytes, Place, rest);
  writeField(bytes, HASH_PLACE, 'measurement', fromHex(measurement));
  writeField(bytes, EXPONENT_PLACE, 'exponent', RSA_EXPONENT);
  return bytes;
}

/**
 * What EINIT takes from the 1808 bytes of a SIGSTRUCT (SDM-2016, 38.13).
 *
 * `signer` is SHA-256 of MODULUS as it lies in memory; `attributes` has only bits that the mask demands. Without `verify` the result does not say whether the
 * signature is authentic, which EINIT takes for yes.
 *
 * @param verify judges the signature, as `verifySigStruct` does
 * @throws HardwareMisuse for another number of bytes
 */
export function decodeSigStruct(bytes: Uint8Array, verify?: (bytes: Uint8Array) => boolean): SigStruct {
  requireLength(bytes, SIGSTRUCT_BYTES, 'SIGSTRUCT');
  const number = (place: FieldPlace) => Number(readInteger(bytes, place));
  const mask = readInteger(bytes, Place.attributeMask);
  const demanded = readInteger(bytes, Place.attributes) & mask;
  return {
    measurement: toHex(bytesAt(bytes, HASH_PLACE)),
    isWellFormed: isWellFormed(bytes),
    isAuthentic: verify?.(bytes),
    signer: toHex(sha256(bytesAt(bytes, Place.modulus))),
    attributes: foldAttributes(demanded),
    attributeMask: foldAttributes(mask),
    xfrm: readInteger(bytes, Place.xfrm),
    xfrmMask: readInteger(bytes, Place.xfrmMask),
    miscSelect: number(Place.miscSelect),
    miscMask: number(Place.miscMask),
    cetAttributes: number(Place.cetAttributes),
    cetMask: number(Place.cetMask),
    isFamilyIdZero: isZero(bytesAt(bytes, Place.familyId)),
    productId: number(Place.productId),
    securityVersion: number(Place.securityVersion),
  };
}

/** Row 4 of EINIT: headers, vendor, exponent and reserved bytes. */
function isWellFormed(bytes: Uint8Array): boolean {
  const hasHeaders =
    HEADER.every((byte, index) => byte === bytes[SigStructOffset.HEADER + index]) &&
    HEADER2.every((byte, index) => byte === bytes[SigStructOffset.HEADER2 + index]);
  if (!hasHeaders || !VENDORS.includes(readInteger(bytes, Place.vendor))) return false;
  if (readInteger(bytes, EXPONENT_PLACE) !== BigInt(RSA_EXPONENT)) return false;
  return RESERVED.every(([start, end]) => isZero(bytes.subarray(start, end)));
}

/**
 * The 256 bytes that the signature covers: 0 to 127 and 900 to 1027 (SDM-2016, table 38-19).
 *
 * @throws HardwareMisuse for another number of bytes than a SIGSTRUCT has
 */
export function signedBytes(bytes: Uint8Array): Uint8Array {
  requireLength(bytes, SIGSTRUCT_BYTES, 'SIGSTRUCT');
  return Uint8Array.from(SIGNED.flatMap(([start, end]) => [...bytes.subarray(start, end)]));
}

/**
 * 64 bits of ATTRIBUTES as the 32 that the model keeps.
 *
 * No enclave has bit 31 or a bit above, all are reserved. So bit 31 stands for any of them: a demand for one still
 * fails at EINIT. [model]
 */
export function foldAttributes(attributes: bigint): number {
  const folded = attributes >> 32n === 0n ? attributes : attributes | 0x80000000n;
  return Number(folded & 0xffffffffn);
}

/** The bytes of a field; a view, not a copy. */
export function bytesAt(bytes: Uint8Array, [offset, sizeBytes]: FieldPlace): Uint8Array {
  return bytes.subarray(offset, offset + sizeBytes);
}

/** A little-endian integer of any size. */
export function readInteger(bytes: Uint8Array, place: FieldPlace): bigint {
  // Not slice(): of a Node buffer it would be a view, and reverse() would change the caller's bytes.
  return BigInt(`0x${toHex(Uint8Array.from(bytesAt(bytes, place)).reverse())}`);
}

/** Are all of them 0? */
export function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}

/**
 * Writes the fields that are not undefined to their places.
 *
 * @throws HardwareMisuse if a field does not fit its place
 */
export function writeFields(
  bytes: Uint8Array,
  places: Readonly<Record<string, FieldPlace>>,
  fields: Readonly<Record<string, number | bigint | Uint8Array | undefined>>,
): void {
  for (const [name, place] of Object.entries(places)) {
    const value = fields[name];
    if (value !== undefined) writeField(bytes, place, name, value);
  }
}

/**
 * Writes an integer, little-endian, or bytes to their place.
 *
 * @throws HardwareMisuse for an integer that is too large, negative or broken, and for another number of bytes
 */
export function writeField(
  bytes: Uint8Array,
  [offset, sizeBytes]: FieldPlace,
  name: string,
  value: number | bigint | Uint8Array,
): void {
  if (typeof value === 'object') {
    requireLength(value, sizeBytes, name);
    bytes.set(value, offset);
    return;
  }
  const isWhole = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (!isWhole || value < 0 || BigInt(value) >> BigInt(8 * sizeBytes) !== 0n) {
    throw new HardwareMisuse(
      `The field ${name} holds an integer of ${8 * sizeBytes} bits.`,
      [`given: ${value}`],
      'Give a non-negative integer; above 2^53 as a bigint.',
    );
  }
  const digits = value.toString(16).padStart(2 * sizeBytes, '0');
  bytes.set(fromHex(digits).reverse(), offset);
}

/**
 * Refuses bytes of another length.
 *
 * @throws HardwareMisuse
 */
export function requireLength(bytes: Uint8Array, sizeBytes: number, name: string): void {
  if (bytes.length === sizeBytes) return;
  throw new HardwareMisuse(
    `${name} has ${sizeBytes} bytes.`,
    [`given: ${bytes.length} bytes`],
    'Give exactly the bytes of the structure or field, without what surrounds them in a file.',
  );
}
