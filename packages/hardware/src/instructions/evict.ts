import { SgxCode } from '@epckit/interface';
import { createByteBlob } from '../pcmd.js';
import type { Instruction } from './instruction.js';
import { offsetOf } from './memory.js';
import type { Outcome } from './outcome.js';
import type { PageInfo } from './structures.js';
import { encodePageInfo } from './structures.js';

const PAGE_BYTES = 4096;
const PCMD_ALIGNMENT = 128;
const SLOT_BYTES = 8;

/** EBLOCK: RCX page. */
export function eblock(i: Instruction): Outcome {
  const { rcx } = i.registers;
  i.requireAligned(rcx, PAGE_BYTES);
  return i.end(i.hardware.eblock(i.cpu, i.epcPage(rcx)), { page: rcx });
}

/** ETRACK: RCX SECS. */
export function etrack(i: Instruction): Outcome {
  const { rcx } = i.registers;
  i.requireAligned(rcx, PAGE_BYTES);
  return i.end(i.hardware.etrack(i.cpu, i.epcPage(rcx)), { page: rcx });
}

/** ETRACKC: RCX any page of the enclave. */
export function etrackc(i: Instruction): Outcome {
  const { rcx } = i.registers;
  i.requireAligned(rcx, PAGE_BYTES);
  return i.end(i.hardware.etrackc(i.cpu, i.epcPage(rcx)), { page: rcx });
}

/** EWB: RBX PAGEINFO, RCX source, RDX slot. Writes ciphertext, PCMD and PAGEINFO.LINADDR also with code 12. */
export function ewb(i: Instruction): Outcome {
  const { rbx, rcx, rdx } = i.registers;
  i.requireAligned(rbx, 32);
  i.requireAligned(rcx, PAGE_BYTES);
  const info = i.readPageInfo(rbx);
  i.requireWritable(rbx);
  const page = i.epcPage(rcx);
  i.requireAligned(rdx, SLOT_BYTES);
  const vaPage = i.epcPage(rdx);
  i.require(page !== vaPage);
  i.require(info.linearAddress === 0n && info.secs === 0n);
  requireBlob(i, info);
  i.requireWritable(info.metadata);
  i.requireWritable(info.source);
  const blob = createByteBlob();
  const result = i.hardware.ewb(i.cpu, page, vaPage, offsetOf(rdx) / SLOT_BYTES, blob);
  if (result === SgxCode.SUCCESS || result === SgxCode.VA_SLOT_OCCUPIED) {
    i.write(info.source, blob.page);
    i.write(info.metadata, blob.pcmd);
    i.write(rbx, encodePageInfo({ ...info, linearAddress: BigInt(blob.linearPage) * 4096n }));
  }
  return i.end(result, { page: rcx, va: rdx });
}

/** Row 7 of EWB and 5 of ELDx. */
export function requireBlob(i: Instruction, { source, metadata }: PageInfo): void {
  i.requireAligned(metadata, PCMD_ALIGNMENT);
  i.requireAligned(source, PAGE_BYTES);
}
