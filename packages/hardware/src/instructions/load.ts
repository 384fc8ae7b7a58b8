import type { CpuId, LeafResult, PageIndex, PagingBlob } from '@epckit/interface';
import { blobFromBytes, PCMD_BYTES } from '../pcmd.js';
import { requireBlob } from './evict.js';
import type { Instruction } from './instruction.js';
import { offsetOf } from './memory.js';
import type { Outcome } from './outcome.js';
import { pagesOf } from './structures.js';

const PAGE_BYTES = 4096;
const SLOT_BYTES = 8;

type Load = (
  cpu: CpuId,
  target: PageIndex,
  secs: PageIndex,
  vaPage: PageIndex,
  slot: number,
  blob: Readonly<PagingBlob>,
) => LeafResult;

/** ELDB: RBX PAGEINFO, RCX target, RDX slot. */
export function eldb(i: Instruction): Outcome {
  return load(i, i.hardware.eldb.bind(i.hardware));
}
/** ELDU: as ELDB. */
export function eldu(i: Instruction): Outcome {
  return load(i, i.hardware.eldu.bind(i.hardware));
}
/** ELDBC: as ELDB. */
export function eldbc(i: Instruction): Outcome {
  return load(i, i.hardware.eldbc.bind(i.hardware));
}
/** ELDUC: as ELDB. */
export function elduc(i: Instruction): Outcome {
  return load(i, i.hardware.elduc.bind(i.hardware));
}

/** PAGEINFO.SECS is judged by the leaf, after the VA page. A LINADDR that is not page-aligned is code 9. */
function load(i: Instruction, leaf: Load): Outcome {
  const { rbx, rcx, rdx } = i.registers;
  i.requireAligned(rbx, 32);
  i.requireAligned(rcx, PAGE_BYTES);
  const info = i.readPageInfo(rbx);
  const target = i.epcPage(rcx);
  i.requireAligned(rdx, SLOT_BYTES);
  const vaPage = i.epcPage(rdx);
  requireBlob(i, info);
  const pcmd = i.read(info.metadata, PCMD_BYTES);
  const blob = blobFromBytes(i.read(info.source, PAGE_BYTES), pcmd, pagesOf(info.linearAddress));
  const secs = i.pageOperand(info.secs, PAGE_BYTES);
  const result = leaf(i.cpu, target, secs, vaPage, offsetOf(rdx) / SLOT_BYTES, blob);
  return i.end(result, { page: rcx, secs: info.secs, va: rdx });
}
