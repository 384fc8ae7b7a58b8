import { PageType } from '@epckit/interface';
import { hasReservedOrState, typeOf } from '../secinfo.js';
import type { Instruction } from './instruction.js';
import { linearPageOf, offsetOf } from './memory.js';
import type { Outcome } from './outcome.js';
import { decodeSecs } from './structures.js';

const PAGE_BYTES = 4096;
const CHUNK_BYTES = 256;

/** ECREATE: RBX PAGEINFO, RCX target. PENDING, MODIFIED and PR of SECINFO count as reserved [model]. */
export function ecreate(i: Instruction): Outcome {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rbx, 32);
  const info = i.readPageInfo(rbx);
  i.requireAligned(rcx, PAGE_BYTES);
  const target = i.epcPage(rcx);
  i.requireAligned(info.source, PAGE_BYTES);
  i.requireAligned(info.metadata, 64);
  const image = i.read(info.source, PAGE_BYTES);
  const secinfo = i.readSecInfo(info.metadata);
  i.require(info.linearAddress === 0n && info.secs === 0n);
  i.require(!hasReservedOrState(secinfo) && typeOf(secinfo) === PageType.SECS);
  return i.endSilent(i.hardware.ecreate(i.cpu, target, decodeSecs(image)), { page: rcx });
}

/** EADD: RBX PAGEINFO, RCX target. */
export function eadd(i: Instruction): Outcome {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rbx, 32);
  const info = i.readPageInfo(rbx);
  i.requireAligned(rcx, PAGE_BYTES);
  const target = i.epcPage(rcx);
  i.requireAligned(info.source, PAGE_BYTES);
  i.requireAligned(info.secs, PAGE_BYTES);
  i.require(info.linearAddress % BigInt(PAGE_BYTES) === 0n);
  i.requireAligned(info.metadata, 64);
  const bytes = i.read(info.source, PAGE_BYTES);
  const secinfo = i.readSecInfo(info.metadata);
  const secs = i.epcPage(info.secs);
  const linearPage = linearPageOf(info.linearAddress);
  const result = i.hardware.eaddBytes(i.cpu, target, secs, linearPage, secinfo, bytes);
  return i.endSilent(result, { page: rcx, secs: info.secs });
}

/** EEXTEND: RBX SECS, RCX chunk of 256 bytes. */
export function eextend(i: Instruction): Outcome {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rbx, PAGE_BYTES);
  const secs = i.epcPage(rbx);
  i.requireAligned(rcx, CHUNK_BYTES);
  const page = i.epcPage(rcx);
  const result = i.hardware.eextend(i.cpu, page, secs, offsetOf(rcx) / CHUNK_BYTES);
  return i.endSilent(result, { page: rcx, secs: rbx });
}

/** EPA: RBX the page type VA, RCX target. */
export function epa(i: Instruction): Outcome {
  const { rbx, rcx } = i.registers;
  i.require(rbx === BigInt(PageType.VA));
  i.requireAligned(rcx, PAGE_BYTES);
  const target = i.epcPage(rcx);
  return i.endSilent(i.hardware.epa(i.cpu, target), { page: rcx });
}

/** EREMOVE: RCX page. */
export function eremove(i: Instruction): Outcome {
  const { rcx } = i.registers;
  i.requireAligned(rcx, PAGE_BYTES);
  return i.end(i.hardware.eremove(i.cpu, i.epcPage(rcx)), { page: rcx });
}
