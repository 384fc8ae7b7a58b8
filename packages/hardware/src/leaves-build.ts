import type { CpuId, LeafResult, PageIndex, SecsSource, SigStruct } from '@epckit/interface';
import { Attribute, LeafFault, Mode, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { ConflictRows } from './conflicts.js';
import { HardwareMisuse } from './errors.js';
import { measureAdd, measureCreate, measureExtend, measurementOf } from './measurement.js';
import type { Parts } from './parts.js';
import { CONTENTS_LIMIT } from './tcs.js';

const PERMISSIONS = SecInfo.R | SecInfo.W | SecInfo.X;
const SETTABLE = Attribute.DEBUG | Attribute.MODE64BIT | Attribute.PROVISIONKEY | Attribute.EINITTOKENKEY;
const CHUNK_COUNT = 16;
/** First page number that is not canonical in the lower half, with 48-bit linear addresses. */
const CANONICAL_PAGES = 2 ** 35;
const LINEAR_PAGES = 2 ** 52;
const PAGES_BELOW_4GIB = 2 ** 20;

/** ECREATE (SDM vol. 3D): `target` becomes a SECS with the next EID. */
export function ecreate(parts: Parts, cpu: CpuId, target: PageIndex, source: SecsSource): LeafResult {
  const { epcm, secsTable, tracking, accesses } = parts;
  if (!epcm.isEpc(target)) return LeafFault.PF;
  const conflict = parts.locks.judge(cpu, ConflictRows.ECREATE_TARGET, target);
  if (conflict !== 0) return conflict;
  accesses.entry(target, Mode.READ);
  if (epcm.isValid(target)) return LeafFault.PF;
  if (!isLegalSecs(source)) return LeafFault.GP;

  const slot = secsTable.create(source);
  measureCreate(secsTable, slot);
  tracking.reset(slot);
  epcm.install(target, PageType.SECS << SecInfo.TYPE_SHIFT, slot, 0, 0);
  accesses.entry(target, Mode.WRITE);
  accesses.tracking(target, Mode.WRITE);
  accesses.children(target, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** Rows 13 to 18 of ECREATE; all of them end in #GP. */
function isLegalSecs({ basePage, pageCount, attributes, ssaFrameSize }: SecsSource): boolean {
  const isWide = (attributes & Attribute.MODE64BIT) !== 0;
  const isLow = basePage >= 0 && basePage < (isWide ? CANONICAL_PAGES : PAGES_BELOW_4GIB);
  const isHigh = isWide && basePage >= LINEAR_PAGES - CANONICAL_PAGES && basePage < LINEAR_PAGES;
  if (ssaFrameSize < 1 || !(isLow || isHigh)) return false;
  if (pageCount < 2 || 2 ** Math.round(Math.log2(pageCount)) !== pageCount) return false;
  return basePage % pageCount === 0 && (attributes & ~SETTABLE) === 0;
}

/** EADD (SDM vol. 3D): `target` becomes a page of an enclave that is not initialised yet. */
export function eadd(
  parts: Parts,
  cpu: CpuId,
  target: PageIndex,
  secs: PageIndex,
  linearPage: number,
  secinfo: number,
  contents: number,
): LeafResult {
  const { epcm, secsTable, locks, accesses } = parts;
  if (!epcm.isEpc(target) || !epcm.isEpc(secs)) return LeafFault.PF;
  if (!isLegalSecInfo(secinfo)) return LeafFault.GP;
  let conflict = locks.judge(cpu, ConflictRows.EADD_TARGET, target);
  if (conflict !== 0) return conflict;
  accesses.entry(target, Mode.READ);
  if (epcm.isValid(target)) return LeafFault.PF;
  conflict = locks.judge(cpu, ConflictRows.EADD_SECS, secs);
  if (conflict !== 0) return conflict;
  accesses.entry(secs, Mode.READ);
  if (!epcm.isSecs(secs)) return LeafFault.PF;

  const slot = epcm.link(secs);
  const isTcs = secinfo >> SecInfo.TYPE_SHIFT === PageType.TCS;
  if (!isTcs && (secinfo & (SecInfo.R | SecInfo.W)) === SecInfo.W) return LeafFault.GP;
  if (!secsTable.contains(slot, linearPage)) return LeafFault.GP;
  conflict = locks.judge(cpu, ConflictRows.EADD_MEASURE, secs);
  if (conflict !== 0) return conflict;
  if (secsTable.isInitialised(slot)) return LeafFault.GP;

  requireTag(contents);
  const installed = isTcs ? secinfo & ~PERMISSIONS : secinfo;
  measureAdd(secsTable, slot, linearPage, installed);
  epcm.install(target, installed, secs, linearPage, contents);
  secsTable.addChildren(slot, 1);
  accesses.entry(target, Mode.WRITE);
  accesses.entry(secs, Mode.WRITE);
  accesses.children(secs, Mode.ADD);
  return SgxCode.SUCCESS;
}

/** A larger tag would collide with the hidden bytes of a TCS page. */
function requireTag(contents: number): void {
  if (Number.isInteger(contents) && contents >= 0 && contents < CONTENTS_LIMIT) return;
  throw new HardwareMisuse(
    'A contents tag must be an integer from 0 to 2^40 - 1.',
    [`given: ${contents}`],
    'Number the contents, or hash them to 40 bits.',
  );
}

/** Permissions and a type that EADD takes; PENDING, MODIFIED and PR count as reserved. */
function isLegalSecInfo(secinfo: number): boolean {
  const type = secinfo & ~PERMISSIONS;
  return type === PageType.REG << SecInfo.TYPE_SHIFT || type === PageType.TCS << SecInfo.TYPE_SHIFT;
}

/** EEXTEND (SDM vol. 3D): measures 256 bytes. */
export function eextend(
  parts: Parts,
  cpu: CpuId,
  page: PageIndex,
  secs: PageIndex,
  chunk: number,
): LeafResult {
  const { epcm, secsTable, locks, accesses } = parts;
  if (!epcm.isEpc(secs)) return LeafFault.PF;
  if ((chunk & (CHUNK_COUNT - 1)) !== chunk) return LeafFault.GP;
  if (!epcm.isEpc(page)) return LeafFault.PF;
  let conflict = locks.judge(cpu, ConflictRows.EEXTEND_TARGET, page);
  if (conflict !== 0) return conflict;
  accesses.entry(page, Mode.READ);
  if (!epcm.isValid(page)) return LeafFault.PF;
  if (!epcm.isChild(page) || epcm.type(page) === PageType.TRIM) return LeafFault.PF;
  if (epcm.link(page) !== secs) return LeafFault.GP;
  conflict = locks.judge(cpu, ConflictRows.EEXTEND_MEASURE, secs);
  if (conflict !== 0) return conflict;
  const slot = epcm.link(secs);
  accesses.entry(secs, Mode.READ);
  if (secsTable.isInitialised(slot)) return LeafFault.GP;

  measureExtend(secsTable, slot, epcm.linearPage(page), chunk, epcm.contents(page));
  accesses.entry(secs, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** EINIT (SDM vol. 3D): ends the building phase. */
export function einit(parts: Parts, cpu: CpuId, secs: PageIndex, signature: SigStruct): LeafResult {
  const { epcm, secsTable, locks, accesses } = parts;
  if (!epcm.isEpc(secs)) return LeafFault.PF;
  let conflict = locks.judge(cpu, ConflictRows.EINIT_SECS, secs);
  if (conflict !== 0) return conflict;
  accesses.entry(secs, Mode.READ);
  if (!epcm.isSecs(secs)) return LeafFault.PF;
  conflict = locks.judge(cpu, ConflictRows.EINIT_MEASURE, secs);
  if (conflict !== 0) return conflict;
  const slot = epcm.link(secs);
  if (secsTable.isInitialised(slot)) return LeafFault.GP;
  const expected = signature.measurement;
  if (expected !== undefined && expected.toLowerCase() !== measurementOf(secsTable, slot)) {
    return SgxCode.INVALID_MEASUREMENT;
  }

  secsTable.initialise(slot);
  accesses.entry(secs, Mode.WRITE);
  return SgxCode.SUCCESS;
}

/** EPA (SDM vol. 3D): `target` becomes an empty version array page. */
export function epa(parts: Parts, cpu: CpuId, target: PageIndex): LeafResult {
  const { epcm, accesses } = parts;
  if (!epcm.isEpc(target)) return LeafFault.PF;
  const conflict = parts.locks.judge(cpu, ConflictRows.EPA_TARGET, target);
  if (conflict !== 0) return conflict;
  accesses.entry(target, Mode.READ);
  if (epcm.isValid(target)) return LeafFault.PF;

  epcm.install(target, PageType.VA << SecInfo.TYPE_SHIFT, parts.versions.take(), 0, 0);
  accesses.entry(target, Mode.WRITE);
  accesses.slots(target, Mode.WRITE);
  return SgxCode.SUCCESS;
}
