import type { InitToken } from '@epckit/interface';
import { Attribute } from '@epckit/interface';
import { fromHex, toHex } from './sha256.js';
import type { ByteRange, FieldPlace } from './sigstruct.js';
import {
  bytesAt,
  foldAttributes,
  isZero,
  readInteger,
  requireLength,
  writeField,
  writeFields,
} from './sigstruct.js';

/** Size of EINITTOKEN in bytes. */
export const INIT_TOKEN_BYTES = 304;

/** What a launch enclave writes into an EINITTOKEN; everything that is left out is 0. */
export interface InitTokenFields {
  /** VALID, bit 0. */
  readonly isValid: boolean;
  /** ATTRIBUTES of the enclave, bits 63:0. */
  readonly attributes: number | bigint;
  /** XFRM of the enclave: ATTRIBUTES bits 127:64. */
  readonly xfrm?: number | bigint | undefined;
  /** MRENCLAVE of the enclave as 64 hexadecimal digits. */
  readonly measurement: string;
  /** MRSIGNER of the enclave as 64 hexadecimal digits. */
  readonly signer: string;
  /** CPUSVNLE: 16 bytes. */
  readonly cpuSvn?: Uint8Array | undefined;
  /** ISVPRODIDLE: the launch enclave's product. */
  readonly productId?: number | undefined;
  /** ISVSVNLE: the launch enclave's version. */
  readonly securityVersion?: number | undefined;
  /** MASKEDMISCSELECTLE. */
  readonly launchMiscSelect?: number | undefined;
  /** MASKEDATTRIBUTESLE bits 63:0. */
  readonly launchAttributes?: number | bigint | undefined;
  /** MASKEDATTRIBUTESLE bits 127:64. */
  readonly launchXfrm?: number | bigint | undefined;
  /** KEYID: 32 bytes. */
  readonly keyId?: Uint8Array | undefined;
  /** MAC over the first 192 bytes: 16 bytes. */
  readonly mac?: Uint8Array | undefined;
}

/** Verdicts that need secrets of the processor and are not in the bytes. */
export type InitTokenVerdicts = Pick<InitToken, 'isCpuSvnKnown' | 'isAuthentic'>;

/** Offsets from SDM-2016, table 38-20. */
const Place = {
  attributes: [48, 8],
  xfrm: [56, 8],
  cpuSvn: [192, 16],
  productId: [208, 2],
  securityVersion: [210, 2],
  launchMiscSelect: [236, 4],
  launchAttributes: [240, 8],
  launchXfrm: [248, 8],
  keyId: [256, 32],
  mac: [288, 16],
} as const satisfies Record<string, FieldPlace>;
const VALID_PLACE: FieldPlace = [0, 4];
const MEASUREMENT_PLACE: FieldPlace = [64, 32];
const SIGNER_PLACE: FieldPlace = [128, 32];
/** Bytes that must be 0; 235 is CET_MASKED_ATTRIBUTES_LE in later manuals (unconfirmed). */
const RESERVED: readonly ByteRange[] = [
  [4, 48],
  [96, 128],
  [160, 192],
  [212, 236],
];

/**
 * The 304 bytes of an EINITTOKEN.
 *
 * @throws HardwareMisuse if a field does not fit its place
 */
export function encodeInitToken(fields: InitTokenFields): Uint8Array {
  const bytes = new Uint8Array(INIT_TOKEN_BYTES);
  const { isValid, measurement, signer, ...rest } = fields;
  writeFields(bytes, Place, rest);
  writeField(bytes, VALID_PLACE, 'isValid', isValid ? 1 : 0);
  writeField(bytes, MEASUREMENT_PLACE, 'measurement', fromHex(measurement));
  writeField(bytes, SIGNER_PLACE, 'signer', fromHex(signer));
  return bytes;
}

/**
 * What EINIT takes from the 304 bytes of an EINITTOKEN (SDM-2016, 38.14).
 *
 * A production enclave is one whose token lacks ATTRIBUTES.DEBUG: the token must have the enclave's attributes
 * anyway. The CPUSVN is not in the result. [model]
 *
 * @param verdicts CPUSVN and MAC; what is left out counts as good
 * @throws HardwareMisuse for another number of bytes
 */
export function decodeInitToken(bytes: Uint8Array, verdicts: InitTokenVerdicts = {}): InitToken {
  requireLength(bytes, INIT_TOKEN_BYTES, 'EINITTOKEN');
  const valid = readInteger(bytes, VALID_PLACE);
  const attributes = foldAttributes(readInteger(bytes, Place.attributes));
  const launchAttributes = foldAttributes(readInteger(bytes, Place.launchAttributes));
  const isDebugLaunch = (launchAttributes & Attribute.DEBUG) !== 0;
  const isProduction = (attributes & Attribute.DEBUG) === 0;
  const isClear = valid <= 1n && RESERVED.every(([start, end]) => isZero(bytes.subarray(start, end)));
  return {
    ...verdicts,
    isValid: (valid & 1n) === 1n,
    isWellFormed: isClear && !(isDebugLaunch && isProduction),
    measurement: toHex(bytesAt(bytes, MEASUREMENT_PLACE)),
    signer: toHex(bytesAt(bytes, SIGNER_PLACE)),
    attributes,
    xfrm: readInteger(bytes, Place.xfrm),
  };
}
