import type { SecsSource } from '@epckit/interface';
import { Attribute } from '@epckit/interface';
import type { SgxFeatures } from './features.js';

const PAGE_BYTES = 4096n;
/** Bytes of GPRSGX in a save state frame (SDM vol. 3D, 38.9). */
const GPRSGX_BYTES = 184;
/** Bytes of the MISC area with EXINFO selected. */
const EXINFO_BYTES = 16;
/** MISCSELECT.EXINFO. */
const EXINFO = 1;
/** CET_ATTRIBUTES bits of shadow stacks and of indirect branch tracking; bit names unconfirmed. */
const CET_BITS = 0x3f;
/** State components that XSETBV takes all or none of (SDM vol. 1, 13.3): MPX, AVX-512, AMX. */
const XFRM_GROUPS = [0x18n, 0xe0n, 0x6_0000n];
const XFRM_AVX = 4n;
const XFRM_AVX512 = 0xe0n;
/** Ends of the XSAVE components that lie behind x87 and SSE, in the standard format (SDM vol. 1, 13.4.2). */
const XSAVE_ENDS: readonly (readonly [bit: bigint, end: number])[] = [
  [2n, 832],
  [3n, 1024],
  [4n, 1088],
  [5n, 1152],
  [6n, 1664],
  [7n, 2688],
  [9n, 2696],
  [17n, 2816],
  [18n, 11008],
];

/** Bytes of the XSAVE area of an enclave with this XFRM, standard format; 576 for x87 and SSE. */
export function xsaveBytes(xfrm: bigint): number {
  let end = 576;
  for (const [bit, componentEnd] of XSAVE_ENDS) if ((xfrm >> bit) & 1n) end = componentEnd;
  return end;
}

/** Is the address of a page canonical? */
export function isCanonicalPage(page: number, features: SgxFeatures): boolean {
  const half = 2 ** (features.linearAddressBits - 13);
  return page >= 0 && (page < half || (page >= 2 ** 52 - half && page < 2 ** 52));
}

/** A row of the order of checks that a SECS must pass; true is a refusal. */
type SecsRow = (source: SecsSource, features: SgxFeatures) => boolean;

/**
 * Rows 9 to 20 of ECREATE in their order; all of them end in #GP. [corrected] The SDM prints the test of MISCSELECT
 * inverted; bits that are not supported fail here. An enclave of exactly the maximum size fails, as in the flow and KVM.
 */
const ROWS: readonly SecsRow[] = [
  ({ xfrm = 3n }) => (xfrm & 3n) !== 3n,
  ({ xfrm = 3n }, { xfrmMask }) => (xfrm & ~xfrmMask) !== 0n || xfrm >> 63n !== 0n || !isLoadable(xfrm),
  refusesCet,
  ({ miscSelect = 0 }, { exinfo }) => (miscSelect & ~(exinfo ? EXINFO : 0)) !== 0,
  hasShortFrames,
  hasBadBase,
  ({ pageCount, attributes }, features) => {
    const isWide = (attributes & Attribute.MODE64BIT) !== 0;
    return pageCount * 4096 >= 2 ** (isWide ? features.maxSizeLog2For64 : features.maxSizeLog2Not64);
  },
  ({ pageCount }) => pageCount < 2 || !isPowerOfTwo(pageCount),
  ({ basePage, pageCount }) => basePage % pageCount !== 0,
  ({ attributes }, { attributeMask }) => (attributes & ~attributeMask) !== 0,
  ({ isReservedZero = true }) => !isReservedZero,
  hasStrayConfig,
];

/** Must ECREATE refuse the source (SDM vol. 3D, ECREATE)? */
export function refusesSecs(source: SecsSource, features: SgxFeatures): boolean {
  return ROWS.some((row) => row(source, features));
}

/** Row 10: would XSETBV take the value for XCR0 (SDM-2016, 42.7.3)? */
function isLoadable(xfrm: bigint): boolean {
  const isSplit = XFRM_GROUPS.some((group) => (xfrm & group) !== 0n && (xfrm & group) !== group);
  return !isSplit && ((xfrm & XFRM_AVX512) === 0n || (xfrm & XFRM_AVX) !== 0n);
}

/** Row 11. [model] Offsets of the legacy bitmap are judged within ELRANGE. */
function refusesCet(source: SecsSource, { cet }: SgxFeatures): boolean {
  const { attributes, cetAttributes = 0, cetBitmapOffset = 0n, pageCount } = source;
  if ((attributes & Attribute.CET) === 0) return cetAttributes !== 0 || cetBitmapOffset !== 0n;
  if (!cet || (cetAttributes & ~CET_BITS) !== 0) return true;
  return cetBitmapOffset % PAGE_BYTES !== 0n || cetBitmapOffset >= BigInt(Math.ceil(pageCount)) * PAGE_BYTES;
}

/** Row 13. */
function hasShortFrames({ ssaFrameSize, xfrm = 3n, miscSelect = 0 }: SecsSource): boolean {
  const misc = (miscSelect & EXINFO) === 0 ? 0 : EXINFO_BYTES;
  return ssaFrameSize * 4096 < xsaveBytes(xfrm) + GPRSGX_BYTES + misc;
}

/** Row 14. */
function hasBadBase({ basePage, attributes }: SecsSource, features: SgxFeatures): boolean {
  if ((attributes & Attribute.MODE64BIT) !== 0) return !isCanonicalPage(basePage, features);
  return !(basePage >= 0 && basePage < 2 ** 20);
}

/** Row 20. */
function hasStrayConfig({ attributes, configId, configSvn = 0 }: SecsSource): boolean {
  if ((attributes & Attribute.KSS) !== 0) return false;
  return configSvn !== 0 || (configId?.some((byte) => byte !== 0) ?? false);
}

function isPowerOfTwo(value: number): boolean {
  return 2 ** Math.round(Math.log2(value)) === value;
}
