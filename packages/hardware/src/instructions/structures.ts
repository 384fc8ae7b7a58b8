import type { RdInfo, SecsSource } from '@epckit/interface';
import { foldAttributes, isZero } from '../sigstruct.js';

/** Size of PAGEINFO in bytes. */
export const PAGEINFO_BYTES = 32;
/** Size of SECINFO in bytes. */
export const SECINFO_BYTES = 64;
/** A bit that no legal SECINFO.FLAGS has: stands for all that is reserved and not in bits 15:0. */
const RESERVED = 0x10000;
/** RDINFO.FLAGS bit 63. */
const BLOCKED = 1n << 63n;

/** PAGEINFO (SDM vol. 3D, 38.11): what a leaf works on. All are linear addresses. */
export interface PageInfo {
  /** LINADDR. */
  readonly linearAddress: bigint;
  /** SRCPGE. */
  readonly source: bigint;
  /** SECINFO or PCMD. */
  readonly metadata: bigint;
  /** SECS. */
  readonly secs: bigint;
}

/** Reads the 32 bytes of a PAGEINFO. */
export function decodePageInfo(bytes: Uint8Array): PageInfo {
  const view = viewOf(bytes);
  const at = (offset: number) => view.getBigUint64(offset, true);
  return { linearAddress: at(0), source: at(8), metadata: at(16), secs: at(24) };
}

/** The 32 bytes of a PAGEINFO. */
export function encodePageInfo({ linearAddress, source, metadata, secs }: PageInfo): Uint8Array {
  return quadwords(linearAddress, source, metadata, secs);
}

/** SECINFO.FLAGS from its 64 bytes; anything reserved becomes one bit that every leaf refuses. */
export function decodeSecInfo(bytes: Uint8Array): number {
  const flags = viewOf(bytes).getBigUint64(0, true);
  const isClear = flags >> 16n === 0n && isZero(bytes.subarray(8));
  return Number(flags & 0xffffn) | (isClear ? 0 : RESERVED);
}

/** The 64 bytes of a SECINFO. */
export function encodeSecInfo(flags: number | bigint): Uint8Array {
  const bytes = new Uint8Array(SECINFO_BYTES);
  viewOf(bytes).setBigUint64(0, BigInt(flags), true);
  return bytes;
}

/** Bytes of a source SECS that must be 0 (SDM vol. 3D, 38.7). */
const SECS_RESERVED: readonly (readonly [start: number, end: number])[] = [
  [33, 48],
  [96, 128],
  [160, 192],
  [262, 4096],
];

/** What ECREATE takes from the 4096 bytes of a SECS. MRENCLAVE, MRSIGNER, ISVPRODID and ISVSVN are not looked at. */
export function decodeSecs(bytes: Uint8Array): SecsSource {
  const view = viewOf(bytes);
  return {
    pageCount: pagesOf(view.getBigUint64(0, true)),
    basePage: pagesOf(view.getBigUint64(8, true)),
    ssaFrameSize: view.getUint32(16, true),
    miscSelect: view.getUint32(20, true),
    cetBitmapOffset: view.getBigUint64(24, true),
    cetAttributes: view.getUint8(32),
    attributes: foldAttributes(view.getBigUint64(48, true)),
    xfrm: view.getBigUint64(56, true),
    configId: bytes.slice(192, 256),
    configSvn: view.getUint16(260, true),
    isReservedZero: SECS_RESERVED.every(([start, end]) => isZero(bytes.subarray(start, end))),
  };
}

/** Fields of a source SECS as they lie in memory; addresses and sizes in bytes. */
export interface SecsImageFields {
  /** SIZE. */
  readonly size: bigint;
  /** BASEADDR. */
  readonly base: bigint;
  /** SSAFRAMESIZE in pages. */
  readonly ssaFrameSize: number;
  /** ATTRIBUTES bits 31:0. */
  readonly attributes: number;
  /** XFRM; `3n` if left out. */
  readonly xfrm?: bigint | undefined;
  /** MISCSELECT; 0 if left out. */
  readonly miscSelect?: number | undefined;
}

/** The 4096 bytes of a source SECS. */
export function encodeSecs(fields: SecsImageFields): Uint8Array {
  const bytes = new Uint8Array(4096);
  const view = viewOf(bytes);
  view.setBigUint64(0, fields.size, true);
  view.setBigUint64(8, fields.base, true);
  view.setUint32(16, fields.ssaFrameSize, true);
  view.setUint32(20, fields.miscSelect ?? 0, true);
  view.setBigUint64(48, BigInt(fields.attributes), true);
  view.setBigUint64(56, fields.xfrm ?? 3n, true);
  return bytes;
}

/** The 32 bytes of an RDINFO; offsets and the position of BLOCKED are unconfirmed. */
export function encodeRdInfo({ status, flags, blocked, context }: RdInfo): Uint8Array {
  const word = BigInt(flags) | (blocked ? BLOCKED : 0n);
  return quadwords(BigInt(status), word, BigInt.asUintN(64, BigInt(context)), 0n);
}

/** A size or an address in pages; what is not page-aligned becomes a fraction. Exact for all 64-bit values. */
export function pagesOf(address: bigint): number {
  return Number(address >> 12n) + ((address & 0xfffn) === 0n ? 0 : 0.5);
}

function quadwords(...words: readonly bigint[]): Uint8Array {
  const bytes = new Uint8Array(words.length * 8);
  const view = viewOf(bytes);
  for (const [index, word] of words.entries()) view.setBigUint64(index * 8, word, true);
  return bytes;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
