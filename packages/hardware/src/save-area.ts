import type { CpuId, LeafResult, PageIndex } from '@epckit/interface';
import { Mode, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { xsaveBytes } from './check-secs.js';
import { FaultOperand } from './faults.js';
import type { TcsFields } from './page-contents.js';
import type { Parts } from './parts.js';

/**
 * Row 12 of EENTER and ERESUME: the pages of one save state frame must be readable and writable pages of the enclave.
 * The XSAVE area begins the frame, the registers end it. ERESUME's #GP is about what the XSAVE area holds, as of XRSTOR,
 * and cannot happen here: the model has no extended state. Nothing is looked at for contents without TCS fields or
 * without a page walk: then the frame is taken to be fine.
 */
export function refuseSaveArea(
  parts: Parts,
  cpu: CpuId,
  secs: PageIndex,
  fields: TcsFields | null,
  frame: number,
): LeafResult {
  if (fields === null || parts.walk === null) return SgxCode.SUCCESS;
  const { first, xsavePages, pageCount } = frameOf(parts, secs, fields, frame);
  for (let page = 0; page < pageCount; page++) {
    if (page >= xsavePages && page !== pageCount - 1) continue;
    if (isUsable(parts, secs, parts.walk(cpu, first + page), first + page)) continue;
    parts.faults.linearPage = first + page;
    return parts.faults.at(FaultOperand.SAVE_AREA);
  }
  return SgxCode.SUCCESS;
}

/** An entry keeps the physical pages of its frame: asynchronous exits write there without another check. */
export function keepSaveArea(
  parts: Parts,
  cpu: CpuId,
  secs: PageIndex,
  fields: TcsFields | null,
  frame: number,
): void {
  if (fields === null || parts.walk === null) return;
  const { first, xsavePages, pageCount } = frameOf(parts, secs, fields, frame);
  for (let page = 0; page < pageCount; page++) {
    // An exit writes to no page between them.
    if (page >= xsavePages && page !== pageCount - 1) continue;
    const epcPage = parts.walk(cpu, first + page);
    if (epcPage >= 0) parts.tlbs?.keepSaveArea(cpu, epcPage);
  }
}

function frameOf(parts: Parts, secs: PageIndex, fields: TcsFields, frame: number) {
  const { basePage, ssaFrameSize, xfrm } = parts.secsTable.entry(parts.epcm.link(secs));
  const first = basePage + Number(fields.saveArea >> 12n) + frame * ssaFrameSize;
  return { first, xsavePages: Math.ceil(xsaveBytes(xfrm) / 4096), pageCount: ssaFrameSize };
}

function isUsable(parts: Parts, secs: PageIndex, page: PageIndex, linearPage: number): boolean {
  const { epcm, accesses } = parts;
  if (!epcm.isEpc(page)) return false;
  accesses.entry(page, Mode.READ);
  if (!epcm.isChild(page) || epcm.isBlocked(page) || epcm.type(page) !== PageType.REG) return false;
  const flags = epcm.flags(page);
  if ((flags & (SecInfo.PENDING | SecInfo.MODIFIED)) !== 0) return false;
  if (epcm.link(page) !== secs || epcm.linearPage(page) !== linearPage) return false;
  return (flags & (SecInfo.R | SecInfo.W)) === (SecInfo.R | SecInfo.W);
}
