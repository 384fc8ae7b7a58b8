import type { AccessKind, CpuId, PageIndex } from '@epckit/interface';
import { Access, EpcmCheck, NONE } from '@epckit/interface';
import { checkAccess, permission } from './access-check.js';
import type { Parts } from './parts.js';
import { PERMISSIONS } from './secinfo.js';

/** How an access of user code to an address ends (SDM vol. 3D, 38.3; C&D, section 5). */
export const Translated = {
  /** the translation was in the TLB and is not checked again */
  HIT: 0,
  /** the translation was made and is kept */
  FILLED: 1,
  /** the page table denies it: #PF without the SGX bit */
  PAGE_FAULT: 2,
  /** EPC outside an enclave: reads give ones, writes are dropped, no fault */
  ABORT_PAGE: 3,
  /** code outside ELRANGE was fetched: #GP */
  GENERAL_PROTECTION: 4,
  /** the EPCM refuses: #PF with the SGX bit, or #GP on processors with SGX1 only */
  EPCM_FAULT: 5,
  /** the memory is broken: asynchronous exit, then #MC; the enclave cannot be entered again */
  MACHINE_CHECK: 6,
} as const;
/** Value of {@link Translated}. */
export type TranslatedId = (typeof Translated)[keyof typeof Translated];

/** What the page table (and EPT) say about a linear page; null: not present. */
export interface PageMapping {
  /** EPC page, or a negative number for ordinary memory. */
  readonly page: PageIndex;
  /** R, W and X as in SECINFO. */
  readonly rights: number;
}

/** Bits of the error code of #PF (SDM vol. 3A, 4.7, and 3D, 38.3). */
export const PageFaultCode = {
  /** the page is present */
  PRESENT: 1,
  /** a write */
  WRITE: 2,
  /** user mode */
  USER: 4,
  /** an instruction fetch */
  FETCH: 0x10,
  /** the EPCM refused */
  SGX: 0x8000,
} as const;

/**
 * Error code of the #PF that an access got; 0 if it got none.
 *
 * @param isPresent - was there a page-table entry
 */
export function pageFaultCode(result: TranslatedId, kind: AccessKind, isPresent: boolean): number {
  if (result !== Translated.PAGE_FAULT && result !== Translated.EPCM_FAULT) return 0;
  const access =
    kind === Access.WRITE ? PageFaultCode.WRITE : kind === Access.EXECUTE ? PageFaultCode.FETCH : 0;
  const present = isPresent || result === Translated.EPCM_FAULT ? PageFaultCode.PRESENT : 0;
  return PageFaultCode.USER | access | present | (result === Translated.EPCM_FAULT ? PageFaultCode.SGX : 0);
}

/** An access by code on `cpu`, judged by TLB, page table and EPCM in this order. */
export function translate(
  parts: Parts,
  cpu: CpuId,
  linearPage: number,
  mapping: PageMapping | null,
  kind: AccessKind,
): TranslatedId {
  const { tracking, epcm, secsTable, tlbs } = parts;
  const needed = permission(kind);
  const known = tlbs?.find(cpu, linearPage);
  if (known !== undefined && (known.rights & needed) !== 0)
    return use(parts, cpu, known.page, Translated.HIT);
  if (mapping === null || (mapping.rights & needed) === 0) return Translated.PAGE_FAULT;
  const secs = tracking.activeSecs(cpu);
  if (secs === NONE || !secsTable.contains(epcm.link(secs), linearPage)) {
    if (secs !== NONE && kind === Access.EXECUTE) return Translated.GENERAL_PROTECTION;
    return epcm.isEpc(mapping.page) ? Translated.ABORT_PAGE : Translated.FILLED;
  }
  const verdict = checkAccess(parts, secs, mapping.page, linearPage, kind);
  if (verdict === EpcmCheck.POISON) return use(parts, cpu, mapping.page, Translated.FILLED);
  if (verdict !== EpcmCheck.OK) return Translated.EPCM_FAULT;
  const rights = mapping.rights & epcm.flags(mapping.page) & PERMISSIONS;
  tlbs?.fill(cpu, linearPage, { page: mapping.page, rights });
  return use(parts, cpu, mapping.page, Translated.FILLED);
}

/** Broken memory shows when it is used. */
function use(parts: Parts, cpu: CpuId, page: PageIndex, result: TranslatedId): TranslatedId {
  const { epcm, tracking, secsTable } = parts;
  if (!epcm.isPoisoned(page)) return result;
  const secs = tracking.activeSecs(cpu);
  if (secs !== NONE) secsTable.kill(epcm.link(secs));
  return Translated.MACHINE_CHECK;
}
