import { SgxCode } from '@epckit/interface';
import type { Instruction } from './instruction.js';
import { offsetOf } from './memory.js';
import type { Outcome } from './outcome.js';

const WORD_BYTES = 8;

/** EDBGRD: RCX address, RBX gets 8 bytes. */
export function edbgrd(i: Instruction): Outcome {
  const { rcx } = i.registers;
  i.requireAligned(rcx, WORD_BYTES);
  const word = { value: 0n };
  const result = i.hardware.edbgrd(i.cpu, i.epcPage(rcx), offsetOf(rcx), word);
  if (result === SgxCode.SUCCESS) i.registers.rbx = word.value;
  return i.end(result, { page: rcx });
}

/** EDBGWR: RCX address, RBX 8 bytes. */
export function edbgwr(i: Instruction): Outcome {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rcx, WORD_BYTES);
  return i.end(i.hardware.edbgwr(i.cpu, i.epcPage(rcx), offsetOf(rcx), rbx), { page: rcx });
}
