import type { CpuId, DebugWord, LeafResult, PageIndex } from '@epckit/interface';
import { Attribute, LeafFault, Mode, PageType, SecInfo, SgxCode } from '@epckit/interface';
import type { ConflictRow } from './conflicts.js';
import { ConflictRows } from './conflicts.js';
import { FaultOperand } from './faults.js';
import type { Parts } from './parts.js';
import { isShadowStack } from './secinfo.js';

const PAGE_BYTES = 4096;
/** Bytes of a TCS that a debugger may read, without and with CET; unconfirmed. */
const TCS_BYTES = 72;
const TCS_BYTES_CET = 88;
/** TCS.FLAGS, the only part of a TCS that a debugger may write. */
const FLAGS_OFFSET = 8;
const STATE_OFFSET = 0;
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

/** EDBGRD (SDM vol. 3D): reads 8 bytes. Permissions and BLOCKED do not matter. */
export function edbgrd(
  parts: Parts,
  cpu: CpuId,
  page: PageIndex,
  offset: number,
  word: DebugWord,
): LeafResult {
  const { epcm, accesses } = parts;
  const refusal = refuse(parts, cpu, ConflictRows.EDBGRD_TARGET, page, offset, true);
  if (refusal !== 0) return refusal;
  if (epcm.isVersionArray(page)) {
    accesses.slots(page, Mode.READ);
    word.value = parts.versions.get(epcm.link(page), offset / 8) === 0 ? 0n : ALL_ONES;
    return SgxCode.SUCCESS;
  }
  const type = epcm.type(page);
  const limit = parts.features.cet ? TCS_BYTES_CET : TCS_BYTES;
  if (type === PageType.TCS && offset >= limit) return LeafFault.GP;
  if (!isDebuggable(parts, page)) return LeafFault.GP;
  const isState = type === PageType.TCS && offset === STATE_OFFSET && parts.tcsState;
  if (isState) word.value = epcm.isActive(page) ? 1n : 0n;
  else word.value = parts.contents.read(epcm.contents(page), offset);
  return SgxCode.SUCCESS;
}

/** EDBGWR (SDM vol. 3D): writes 8 bytes, in a TCS only its flags. */
export function edbgwr(parts: Parts, cpu: CpuId, page: PageIndex, offset: number, value: bigint): LeafResult {
  const { epcm, contents, accesses } = parts;
  const refusal = refuse(parts, cpu, ConflictRows.EDBGWR_TARGET, page, offset, false);
  if (refusal !== 0) return refusal;
  if (epcm.type(page) === PageType.TCS && offset !== FLAGS_OFFSET) return LeafFault.GP;
  if (!isDebuggable(parts, page)) return LeafFault.GP;
  epcm.setContents(page, contents.write(epcm.contents(page), offset, BigInt.asUintN(64, value)));
  accesses.entry(page, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** Rows 1 to 6. */
function refuse(
  parts: Parts,
  cpu: CpuId,
  row: ConflictRow,
  page: PageIndex,
  offset: number,
  reads: boolean,
): LeafResult {
  const { epcm, faults } = parts;
  if (!(offset >= 0 && offset < PAGE_BYTES) || offset % 8 !== 0) return LeafFault.GP;
  if (!epcm.isEpc(page)) return faults.notEpc(FaultOperand.PAGE, page);
  const conflict = parts.locks.judge(cpu, row, page);
  if (conflict !== 0) return conflict;
  parts.accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return faults.at(FaultOperand.PAGE);
  const type = epcm.type(page);
  // [model] Shadow-stack pages are read like REG; the SDM's flow lets them fall into the branch of VA pages.
  const hasData = type === PageType.REG || type === PageType.TCS || isShadowStack(type);
  if (!hasData && !(reads && type === PageType.VA)) return faults.at(FaultOperand.PAGE);
  const isInFlux = (epcm.flags(page) & (SecInfo.PENDING | SecInfo.MODIFIED)) !== 0;
  return isInFlux ? SgxCode.PAGE_NOT_DEBUGGABLE : SgxCode.SUCCESS;
}

function isDebuggable({ epcm, secsTable, accesses }: Parts, page: PageIndex): boolean {
  const secs = epcm.link(page);
  accesses.entry(secs, Mode.READ);
  return secsTable.has(epcm.link(secs), Attribute.DEBUG);
}
