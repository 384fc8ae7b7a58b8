import type { PageIndex } from '@epckit/interface';
import { PageOperand, SgxCode } from '@epckit/interface';
import { HardwareMisuse } from '../errors.js';
import type { Instruction } from './instruction.js';
import type { Outcome } from './outcome.js';
import { encodeRdInfo } from './structures.js';

const PAGE_BYTES = 4096;

/** ERDINFO: RBX RDINFO, RCX page. RDINFO is written on success only. */
export function erdinfo(i: Instruction): Outcome {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rbx, 32);
  i.requireAligned(rcx, PAGE_BYTES);
  i.requireWritable(rbx);
  const info = { status: 0, flags: 0, blocked: false, context: 0 };
  const result = i.hardware.erdinfo(i.cpu, i.mappedPage(rcx), info);
  if (result === SgxCode.SUCCESS) i.write(rbx, encodeRdInfo(info));
  return i.end(result, { page: rcx });
}

/** EUPDATESVN: no operands. */
export function eupdatesvn(i: Instruction): Outcome {
  return i.end(i.hardware.eupdatesvn(i.cpu), { page: 0n });
}

/** EINCVIRTCHILD: RBX child or SECS, RCX SECS. */
export function eincvirtchild(i: Instruction): Outcome {
  const { page, secs } = childOperands(i);
  return i.end(i.hardware.eincvirtchild(i.cpu, page, secs), operandsOf(i));
}

/** EDECVIRTCHILD: RBX child or SECS, RCX SECS. */
export function edecvirtchild(i: Instruction): Outcome {
  const { page, secs } = childOperands(i);
  return i.end(i.hardware.edecvirtchild(i.cpu, page, secs), operandsOf(i));
}

function operandsOf({ registers }: Instruction) {
  return { page: registers.rbx, secs: registers.rcx };
}

/** Rows 1 to 3. An address in the SECS that is not its first is not the SECS: row 6. */
function childOperands(i: Instruction): { page: PageIndex; secs: PageIndex } {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rbx, PAGE_BYTES);
  const page = i.epcPage(rbx);
  i.requireCanonical(rcx);
  const secs = i.epcPage(rcx);
  return { page, secs: rcx % BigInt(PAGE_BYTES) === 0n ? secs : PageOperand.MISALIGNED };
}

/** ESETCONTEXT: RCX SECS, RDX address of the value. */
export function esetcontext(i: Instruction): Outcome {
  const { rcx, rdx } = i.registers;
  i.requireAligned(rcx, PAGE_BYTES);
  const secs = i.epcPage(rcx);
  i.requireAligned(rdx, 8);
  const bytes = i.read(rdx, 8);
  const value = new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0, true);
  return i.end(i.hardware.esetcontext(i.cpu, secs, exactly(value)), { page: rcx });
}

/** [model] ENCLAVECONTEXT is kept as a number: canonical addresses are exact, read as signed 64-bit values. */
function exactly(value: bigint): number {
  if (BigInt(Number(value)) === value) return Number(value);
  throw new HardwareMisuse(
    'The model keeps ENCLAVECONTEXT in 53 bits.',
    [`given: 0x${BigInt.asUintN(64, value).toString(16)}`],
    'Use an address, or another number below 2^53.',
  );
}
