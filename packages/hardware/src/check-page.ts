import { Attribute, PageType } from '@epckit/interface';
import type { TcsFields } from './page-contents.js';
import type { Parts } from './parts.js';
import { hasShadowStackRights, isShadowStack, typeOf, writesBlindly } from './secinfo.js';

const TOKEN_OFFSET = 4088;
/** Low bits that FSLIMIT and GSLIMIT of a 32-bit enclave must have set. */
const LIMIT_BITS = 0xfff;

/** Rows 12a to 12c of EADD: must it refuse the contents with these rights? */
export function refusesPage(
  parts: Parts,
  slot: number,
  linearPage: number,
  secinfo: number,
  handle: number,
): boolean {
  const type = typeOf(secinfo);
  if (type === PageType.REG) return writesBlindly(secinfo);
  if (!isShadowStack(type)) return refusesThread(parts, slot, parts.contents.thread(handle));
  return !hasShadowStackRights(secinfo) || refusesShadowStack(parts, slot, linearPage, type, handle);
}

/** Row 12a. Also part of row 12 of EACCEPT. */
export function refusesThread(parts: Parts, slot: number, fields: TcsFields | null): boolean {
  if (fields === null) return false;
  if (!fields.isReservedZero) return true;
  const isWide = parts.secsTable.has(slot, Attribute.MODE64BIT);
  const hasLimits = (fields.fsLimit & fields.gsLimit & LIMIT_BITS) === LIMIT_BITS;
  return (!isWide && !hasLimits) || (parts.features.cet && fields.previousShadowStack !== 0n);
}

/** Is the page at either end of ELRANGE? Shadow stacks may not be there. */
export function isAtEnd(parts: Parts, slot: number, linearPage: number): boolean {
  const { basePage, pageCount } = parts.secsTable.entry(slot);
  return linearPage === basePage || linearPage === basePage + pageCount - 1;
}

/** Token at the end of the first page of a shadow stack: the address behind it, bit 0 as MODE64BIT. */
export function shadowStackToken(parts: Parts, slot: number, linearPage: number): bigint {
  const mode = parts.secsTable.has(slot, Attribute.MODE64BIT) ? 1n : 0n;
  return (BigInt(linearPage) + 1n) * 4096n + mode;
}

function refusesShadowStack(
  parts: Parts,
  slot: number,
  linearPage: number,
  type: number,
  handle: number,
): boolean {
  if (isAtEnd(parts, slot, linearPage)) return true;
  for (let offset = 0; offset < TOKEN_OFFSET; offset += 8) {
    if (parts.contents.read(handle, offset) !== 0n) return true;
  }
  const token = type === PageType.SS_FIRST ? shadowStackToken(parts, slot, linearPage) : 0n;
  return parts.contents.read(handle, TOKEN_OFFSET) !== token;
}
