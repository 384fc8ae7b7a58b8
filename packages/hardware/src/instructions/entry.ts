import type { LeafResult } from '@epckit/interface';
import { SgxCode } from '@epckit/interface';
import type { Instruction, ProcessorComponents } from './instruction.js';
import { linearPageOf } from './memory.js';
import type { Outcome } from './outcome.js';
import { DONE } from './outcome.js';
import type { ActiveThread } from './thread.js';
import { exitPointerOf, restoreRegisters, threadAt } from './thread.js';

const PAGE_BYTES = 4096;
/** Length of ENCLU in bytes: the return address lies behind it. */
const ENCLU_BYTES = 3n;

/** Where a logical processor keeps its thread. */
export interface ThreadSlot {
  thread: ActiveThread | null;
}

/** EENTER: RBX TCS, RCX AEP. RAX gets CSSA, RCX the return address. Segments and CET state are not modelled. */
export function eenter(i: Instruction, components: ProcessorComponents, slot: ThreadSlot): Outcome {
  const { registers, hardware } = i;
  const result = enter(i, components, slot, hardware.eenter.bind(hardware));
  if (result.outcome !== null) return result.outcome;
  const fields = i.contents.thread(hardware.entry(result.tcs).contents);
  registers.rax = BigInt(fields?.frame ?? 0);
  registers.rcx = BigInt.asUintN(64, registers.rip + ENCLU_BYTES);
  const base = BigInt(hardware.enclave(hardware.insideOf(i.cpu)).basePage) * BigInt(PAGE_BYTES);
  registers.rip = BigInt.asUintN(64, base + (fields?.entry ?? 0n));
  return DONE;
}

/** ERESUME: RBX TCS, RCX AEP. Registers come from the frame. */
export function eresume(i: Instruction, components: ProcessorComponents, slot: ThreadSlot): Outcome {
  const { outcome } = enter(i, components, slot, i.hardware.eresume.bind(i.hardware));
  if (outcome !== null) return outcome;
  restoreRegisters(components, slot.thread?.framePage ?? -1, i.registers);
  return DONE;
}

/** Rows 1 to 3, the leaf, and what both entries keep. */
function enter(
  i: Instruction,
  components: ProcessorComponents,
  slot: ThreadSlot,
  leaf: (cpu: number, tcs: number, linearPage: number) => LeafResult,
): { outcome: Outcome | null; tcs: number } {
  const { rbx, rcx } = i.registers;
  i.requireAligned(rbx, PAGE_BYTES);
  const tcs = i.epcPage(rbx);
  i.requireCanonical(rcx);
  const result = leaf(i.cpu, tcs, linearPageOf(rbx));
  if (result !== SgxCode.SUCCESS) return { outcome: i.end(result, { page: rbx }), tcs };
  i.contents.setExitPointer(i.hardware.entry(tcs).contents, rcx);
  slot.thread = threadAt(components, i.cpu, tcs, rbx);
  return { outcome: null, tcs };
}

/** EEXIT: RBX target. RCX gets AEP. */
export function eexit(i: Instruction, components: ProcessorComponents, slot: ThreadSlot): Outcome {
  const { registers, hardware } = i;
  i.requireCanonical(registers.rbx);
  const exitPointer = exitPointerOf(components, hardware.tcsOf(i.cpu));
  const outcome = i.endSilent(hardware.eexit(i.cpu), { page: registers.rbx });
  slot.thread = null;
  registers.rcx = exitPointer;
  registers.rip = registers.rbx;
  return outcome;
}

/** EDECCSSA: the next asynchronous exit fills the frame before. */
export function edeccssa(i: Instruction, components: ProcessorComponents, slot: ThreadSlot): Outcome {
  const tcs = i.hardware.tcsOf(i.cpu);
  const outcome = i.endSilent(i.hardware.edeccssa(i.cpu), { page: 0n });
  if (outcome === DONE && slot.thread !== null) {
    slot.thread = threadAt(components, i.cpu, tcs, slot.thread.tcsAddress);
  }
  return outcome;
}
