import type { PageTypeId } from '@epckit/interface';
import { SecInfo } from '@epckit/interface';
import type { StructCodec } from './struct-codec.js';
import { viewOf } from './struct-codec.js';

/** SECINFO as it lies in memory (Linux `struct sgx_secinfo`): 64 bytes. */
export interface SecInfoStruct {
  /** Permissions, state and type; bits of `SecInfo`. */
  readonly flags: bigint;
  /** The 56 reserved bytes. */
  readonly reserved: Uint8Array;
}

const SIZE_BYTES = 64;
const RESERVED_OFFSET = 8;
const TYPE_MASK = 0xffn;
/** Everything below the type (Linux `SGX_SECINFO_PERMISSION_MASK` and the bits of state). */
const STATE_MASK = 0xffn;
const TYPE_SHIFT = BigInt(SecInfo.TYPE_SHIFT);

/** Codec of {@link SecInfoStruct}. */
export const secInfoStruct: StructCodec<SecInfoStruct> = {
  sizeBytes: SIZE_BYTES,
  encode: ({ flags, reserved }) => {
    const bytes = new Uint8Array(SIZE_BYTES);
    viewOf(bytes, SIZE_BYTES).setBigUint64(0, flags, true);
    bytes.set(reserved.subarray(0, SIZE_BYTES - RESERVED_OFFSET), RESERVED_OFFSET);
    return bytes;
  },
  decode: (bytes) => {
    const flags = viewOf(bytes, SIZE_BYTES).getBigUint64(0, true);
    return { flags, reserved: bytes.slice(RESERVED_OFFSET, SIZE_BYTES) };
  },
};

/** What ADD_PAGES takes from a SECINFO. */
export interface SecInfoFields {
  /** PAGE_TYPE, bits 15:8. */
  readonly type: PageTypeId;
  /** Bits 7:0: permissions, and bits of state, which are refused. */
  readonly prot: number;
  /** A reserved bit or byte is not zero. */
  readonly isSecInfoReserved: boolean;
}

/** Fields of a SECINFO as an argument of ADD_PAGES. */
export function secInfoFields({ flags, reserved }: SecInfoStruct): SecInfoFields {
  return {
    type: Number((flags >> TYPE_SHIFT) & TYPE_MASK) as PageTypeId,
    prot: Number(flags & STATE_MASK),
    isSecInfoReserved: flags >> (TYPE_SHIFT + 8n) !== 0n || reserved.some((byte) => byte !== 0),
  };
}
