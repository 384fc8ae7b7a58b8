import { PageType, SecInfo } from '@epckit/interface';

/** R, W and X. */
export const PERMISSIONS = SecInfo.R | SecInfo.W | SecInfo.X;
const STATES = SecInfo.PENDING | SecInfo.MODIFIED | SecInfo.PR;
const TYPE = 0xff << SecInfo.TYPE_SHIFT;

/** PAGE_TYPE of SECINFO.FLAGS. */
export function typeOf(secinfo: number): number {
  return (secinfo & TYPE) >> SecInfo.TYPE_SHIFT;
}
/** Is a reserved bit set? */
export function hasReserved(secinfo: number): boolean {
  return secinfo < 0 || secinfo > 0xffff || (secinfo & ~(PERMISSIONS | STATES | TYPE)) !== 0;
}
/** [model] PENDING, MODIFIED and PR are inputs of EACCEPT only; every other leaf takes them for reserved bits. */
export function hasReservedOrState(secinfo: number): boolean {
  return hasReserved(secinfo) || (secinfo & STATES) !== 0;
}
/** W without R. */
export function writesBlindly(secinfo: number): boolean {
  return (secinfo & (SecInfo.R | SecInfo.W)) === SecInfo.W;
}
/** First or further page of a shadow stack. */
export function isShadowStack(type: number): boolean {
  return type === PageType.SS_FIRST || type === PageType.SS_REST;
}
/** Rights of a shadow stack page when it is made: R and W, never X. */
export function hasShadowStackRights(secinfo: number): boolean {
  return (secinfo & PERMISSIONS) === (SecInfo.R | SecInfo.W);
}
