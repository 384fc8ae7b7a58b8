import type { SecsSource } from '@epckit/interface';
import { PAGE_SIZE_BYTES, SecInfo } from '@epckit/interface';

/** Bytes of PAGEINFO, and its alignment. */
export const PAGEINFO_BYTES = 32;
/** Bytes of SECINFO, and its alignment. */
export const SECINFO_BYTES = 64;
/** Bytes of SIGSTRUCT. */
export const SIGSTRUCT_BYTES = 1808;
/** Bytes of EINITTOKEN. */
export const INITTOKEN_BYTES = 304;
/** Alignment of EINITTOKEN. */
export const INITTOKEN_ALIGN = 512;

/** What ECREATE takes from PAGEINFO. */
export interface PageInfo {
  /** Source SECS. */
  readonly contents: bigint;
  /** SECINFO. */
  readonly metadata: bigint;
  /** Are LINADDR and SECS 0, as ECREATE wants them? KVM hands both to the leaf as they are. */
  readonly isRestZero: boolean;
}

/** Fields of a PAGEINFO: LINADDR at 0, contents at 8, metadata at 16, SECS at 24. */
export function pageInfoOf(bytes: Uint8Array): PageInfo {
  const view = viewOf(bytes);
  const at = (offset: number) => view.getBigUint64(offset, true);
  return { contents: at(8), metadata: at(16), isRestZero: at(0) === 0n && at(24) === 0n };
}

/** Reserved ranges of a source SECS (SDM vol. 3D, 38.7). */
const RESERVED: readonly (readonly [start: number, end: number])[] = [
  [33, 48],
  [96, 128],
  [160, 192],
  [262, 4096],
];
/** Bits 31:0 of ATTRIBUTES, and one bit that nobody supports for all above. */
const UNKNOWN_ATTRIBUTE = 2 ** 31;

/** Fields of the 4096 bytes of a source SECS. */
export function secsOf(bytes: Uint8Array): SecsSource {
  const view = viewOf(bytes);
  const attributes = view.getBigUint64(48, true);
  return {
    pageCount: pagesOf(view.getBigUint64(0, true)),
    basePage: pagesOf(view.getBigUint64(8, true)),
    ssaFrameSize: view.getUint32(16, true),
    miscSelect: view.getUint32(20, true),
    cetBitmapOffset: view.getBigUint64(24, true),
    cetAttributes: view.getUint8(32),
    attributes: Number(attributes & 0x7fff_ffffn) + (attributes >> 31n === 0n ? 0 : UNKNOWN_ATTRIBUTE),
    xfrm: view.getBigUint64(56, true),
    configId: bytes.slice(192, 256),
    configSvn: view.getUint16(260, true),
    isReservedZero: RESERVED.every(([start, end]) => bytes.subarray(start, end).every((byte) => byte === 0)),
  };
}

/** Is SECINFO that of a SECS page: type SECS, which is 0, and nothing reserved set? Permissions do not matter. */
export function isSecsInfo(bytes: Uint8Array): boolean {
  const [first = 0, ...rest] = bytes;
  return (first & ~(SecInfo.R | SecInfo.W | SecInfo.X)) === 0 && rest.every((byte) => byte === 0);
}

/** A size or an address in pages; what is not page-aligned becomes a fraction. */
function pagesOf(bytes: bigint): number {
  return Number(bytes / BigInt(PAGE_SIZE_BYTES)) + (bytes % BigInt(PAGE_SIZE_BYTES) === 0n ? 0 : 0.5);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
