import type { Instruction } from './instruction.js';
import { linearPageOf } from './memory.js';
import type { Outcome } from './outcome.js';

const PAGE_BYTES = 4096;
const SECINFO_ALIGNMENT = 64;
/** SECINFO.FLAGS that EAUG refuses, for a SECINFO whose flags are 0: the leaf takes 0 for "no SECINFO". */
const NO_TYPE = 0x10000;

/** EAUG: RBX PAGEINFO, RCX target. */
export function eaug(i: Instruction): Outcome {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rbx, 32);
  const info = i.readPageInfo(rbx);
  i.requireAligned(rcx, PAGE_BYTES);
  const target = i.epcPage(rcx);
  const secinfo = optionalSecInfo(i, info.metadata);
  i.requireAligned(info.secs, PAGE_BYTES);
  i.require(info.linearAddress % BigInt(PAGE_BYTES) === 0n);
  i.require(info.source === 0n);
  const secs = i.epcPage(info.secs);
  const result = i.hardware.eaug(i.cpu, target, secs, linearPageOf(info.linearAddress), secinfo);
  return i.endSilent(result, { page: rcx, secs: info.secs });
}

function optionalSecInfo(i: Instruction, address: bigint): number {
  if (address === 0n) return 0;
  i.requireAligned(address, SECINFO_ALIGNMENT);
  const secinfo = i.readSecInfo(address);
  return secinfo === 0 ? NO_TYPE : secinfo;
}

/** EMODPR: RBX SECINFO, RCX page. */
export function emodpr(i: Instruction): Outcome {
  const { page, secinfo } = changeOperands(i);
  return i.end(i.hardware.emodpr(i.cpu, page, secinfo), { page: i.registers.rcx });
}

/** EMODT: RBX SECINFO, RCX page. */
export function emodt(i: Instruction): Outcome {
  const { page, secinfo } = changeOperands(i);
  return i.end(i.hardware.emodt(i.cpu, page, secinfo), { page: i.registers.rcx });
}

/** Rows 1 to 3 of both. */
function changeOperands(i: Instruction) {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rbx, SECINFO_ALIGNMENT);
  const secinfo = i.readSecInfo(rbx);
  i.requireAligned(rcx, PAGE_BYTES);
  return { page: i.epcPage(rcx), secinfo };
}
