import type { PageIndex } from '@epckit/interface';
import { SgxCode } from '@epckit/interface';
import { hasReserved } from '../secinfo.js';
import type { Instruction } from './instruction.js';
import { linearPageOf, offsetOf } from './memory.js';
import type { Outcome } from './outcome.js';
import { Refusal } from './outcome.js';
import { decodeSecInfo, SECINFO_BYTES } from './structures.js';

const PAGE_BYTES = 4096;

/** EACCEPT: RBX SECINFO, RCX page, both in the enclave. */
export function eaccept(i: Instruction): Outcome {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rbx, SECINFO_BYTES);
  requireInRange(i, rbx);
  const secinfo = secinfoOfEnclave(i, i.epcPage(rbx));
  i.require(!hasReserved(secinfo));
  i.requireAligned(rcx, PAGE_BYTES);
  requireInRange(i, rcx);
  const page = i.epcPage(rcx);
  return i.end(i.hardware.eaccept(i.cpu, page, linearPageOf(rcx), secinfo), { page: rcx });
}

/** EMODPE: RBX SECINFO, RCX page, both in the enclave. */
export function emodpe(i: Instruction): Outcome {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rbx, SECINFO_BYTES);
  i.requireAligned(rcx, PAGE_BYTES);
  for (const address of [rbx, rcx]) requireInRange(i, address);
  const secinfoPage = i.epcPage(rbx);
  const page = i.epcPage(rcx);
  const secinfo = secinfoOfEnclave(i, secinfoPage);
  return i.endSilent(i.hardware.emodpe(i.cpu, page, linearPageOf(rcx), secinfo), { page: rcx });
}

/** EACCEPTCOPY: RBX SECINFO, RCX target, RDX source, all in the enclave. */
export function eacceptcopy(i: Instruction): Outcome {
  const { rbx, rcx, rdx } = i.registers;
  i.requireAligned(rbx, SECINFO_BYTES);
  i.requireAligned(rcx, PAGE_BYTES);
  i.requireAligned(rdx, PAGE_BYTES);
  for (const address of [rbx, rcx, rdx]) requireInRange(i, address);
  const [secinfoPage, page, source] = [i.epcPage(rbx), i.epcPage(rcx), i.epcPage(rdx)];
  const secinfo = secinfoOfEnclave(i, secinfoPage);
  const result = i.hardware.eacceptcopy(i.cpu, page, linearPageOf(rcx), source, linearPageOf(rdx), secinfo);
  return i.end(result, { page: rcx, source: rdx });
}

/** #GP outside ELRANGE. */
function requireInRange(i: Instruction, address: bigint): void {
  const { basePage, pageCount } = i.hardware.enclave(i.hardware.insideOf(i.cpu));
  const offset = linearPageOf(address) - basePage;
  i.require(offset >= 0 && offset < pageCount);
}

/** SECINFO.FLAGS at RBX, in a page that must be a readable page of the enclave. */
function secinfoOfEnclave(i: Instruction, page: PageIndex): number {
  const { rbx } = i.registers;
  const refusal = i.hardware.refuseSecinfoPage(i.cpu, page, linearPageOf(rbx));
  if (refusal !== SgxCode.SUCCESS) throw new Refusal(i.end(refusal, { page: rbx }));
  const bytes = new DataView(new ArrayBuffer(SECINFO_BYTES));
  const handle = i.hardware.entry(page).contents;
  for (let at = 0; at < SECINFO_BYTES; at += 8) {
    bytes.setBigUint64(at, i.contents.read(handle, offsetOf(rbx) + at), true);
  }
  return decodeSecInfo(new Uint8Array(bytes.buffer));
}
