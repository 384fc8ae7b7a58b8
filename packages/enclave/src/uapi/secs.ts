import type { StructCodec } from './struct-codec.js';
import { viewOf } from './struct-codec.js';

/**
 * What user space says in the SECS that CREATE takes (Linux `struct sgx_secs`, 4096 bytes). The rest of the page is
 * filled by the hardware or reserved; {@link SecsStruct.isRestZero} tells whether it was left alone.
 */
export interface SecsStruct {
  /** SIZE in bytes. */
  readonly size: bigint;
  /** BASEADDR. */
  readonly base: bigint;
  /** SSAFRAMESIZE in pages. */
  readonly ssaFrameSize: number;
  /** MISCSELECT. */
  readonly miscSelect: number;
  /** ATTRIBUTES, lower half; bits of `Attribute`. */
  readonly attributes: bigint;
  /** ATTRIBUTES, upper half. */
  readonly xfrm: bigint;
  /** CONFIGID, 64 bytes. */
  readonly configId: Uint8Array;
  /** CONFIGSVN. */
  readonly configSvn: number;
  /** Is every other byte zero? */
  readonly isRestZero: boolean;
}

const SIZE_BYTES = 4096;
const CONFIG_ID_OFFSET = 192;
const CONFIG_ID_BYTES = 64;
const Offset = { SIZE: 0, BASE: 8, SSA: 16, MISC: 20, ATTRIBUTES: 48, XFRM: 56, CONFIG_SVN: 260 } as const;
/** Ranges that belong to user space: first byte and byte after the last. */
const OWN: readonly (readonly [number, number])[] = [
  [0, 24],
  [48, 64],
  [CONFIG_ID_OFFSET, CONFIG_ID_OFFSET + CONFIG_ID_BYTES],
  [260, 262],
];

/**
 * Codec of {@link SecsStruct}. Encoding with `isRestZero: false` sets the last byte of the page, which is
 * reserved.
 */
export const secsStruct: StructCodec<SecsStruct> = {
  sizeBytes: SIZE_BYTES,
  encode: (secs) => {
    const bytes = new Uint8Array(SIZE_BYTES);
    const view = viewOf(bytes, SIZE_BYTES);
    view.setBigUint64(Offset.SIZE, secs.size, true);
    view.setBigUint64(Offset.BASE, secs.base, true);
    view.setUint32(Offset.SSA, secs.ssaFrameSize, true);
    view.setUint32(Offset.MISC, secs.miscSelect, true);
    view.setBigUint64(Offset.ATTRIBUTES, secs.attributes, true);
    view.setBigUint64(Offset.XFRM, secs.xfrm, true);
    bytes.set(secs.configId.subarray(0, CONFIG_ID_BYTES), CONFIG_ID_OFFSET);
    view.setUint16(Offset.CONFIG_SVN, secs.configSvn, true);
    if (!secs.isRestZero) bytes[SIZE_BYTES - 1] = 1;
    return bytes;
  },
  decode: (bytes) => {
    const view = viewOf(bytes, SIZE_BYTES);
    return {
      size: view.getBigUint64(Offset.SIZE, true),
      base: view.getBigUint64(Offset.BASE, true),
      ssaFrameSize: view.getUint32(Offset.SSA, true),
      miscSelect: view.getUint32(Offset.MISC, true),
      attributes: view.getBigUint64(Offset.ATTRIBUTES, true),
      xfrm: view.getBigUint64(Offset.XFRM, true),
      configId: bytes.slice(CONFIG_ID_OFFSET, CONFIG_ID_OFFSET + CONFIG_ID_BYTES),
      configSvn: view.getUint16(Offset.CONFIG_SVN, true),
      isRestZero: isRestZero(bytes.subarray(0, SIZE_BYTES)),
    };
  },
};

function isRestZero(bytes: Uint8Array): boolean {
  const isOwn = (at: number) => OWN.some(([first, end]) => at >= first && at < end);
  return bytes.every((byte, at) => byte === 0 || isOwn(at));
}
