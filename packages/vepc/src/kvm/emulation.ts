import type { InitToken, Routine, SecsSource, SigStruct, Thread } from '@epckit/interface';
import { PAGE_SIZE_BYTES } from '@epckit/interface';
import type { VepcAddress } from '../address.js';
import type { GuestMemory } from './guest-memory.js';
import { linearOperand } from './operand.js';
import type { EnclsOutcome, Injected } from './outcome.js';
import { EMULATION_FAILED, inject, injectTrap, Vector } from './outcome.js';
import {
  INITTOKEN_ALIGN,
  INITTOKEN_BYTES,
  isSecsInfo,
  PAGEINFO_BYTES,
  pageInfoOf,
  SECINFO_BYTES,
  SIGSTRUCT_BYTES,
  secsOf,
} from './structures.js';
import type { KvmVcpu } from './vcpu.js';
import type { VirtualLeaves } from './virtual-leaves.js';
import { faultModels } from './virtual-leaves.js';

/** Registers that ECREATE and EINIT take their operands from. */
export interface EnclsRegisters {
  /** PAGEINFO, or SIGSTRUCT. */
  readonly rbx: bigint;
  /** SECS. */
  readonly rcx: bigint;
  /** EINITTOKEN. */
  readonly rdx: bigint;
}

/** Turns bytes of the guest into what EINIT checks. */
export interface LaunchDecoders {
  /** SIGSTRUCT. */
  signature(bytes: Uint8Array): SigStruct;
  /** EINITTOKEN. */
  token(bytes: Uint8Array): InitToken;
}

/** Thrown by the steps of an emulation, and caught by it. */
class Ended extends Error {
  readonly outcome: EnclsOutcome;
  constructor(outcome: EnclsOutcome) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

/**
 * ECREATE and EINIT from registers and memory of a guest (Linux `handle_encls_ecreate`, `handle_encls_einit`): operands
 * are found and copied, every check is made in KVM's order, and nothing of the guest is read twice.
 */
export class EnclsEmulation {
  readonly #leaves: VirtualLeaves;
  readonly #decoders: LaunchDecoders;

  constructor(leaves: VirtualLeaves, decoders: LaunchDecoders) {
    this.#leaves = leaves;
    this.#decoders = decoders;
  }

  /** ECREATE: RBX PAGEINFO, RCX SECS. */
  *ecreate(
    thread: Thread,
    vcpu: KvmVcpu,
    registers: EnclsRegisters,
    memory: GuestMemory,
  ): Routine<EnclsOutcome> {
    const found = caught(() => ecreateOperands(vcpu, registers, memory));
    if ('kind' in found) return found;
    const { secs, source, isDescribed, guestAddress } = found;
    const refusal = this.#leaves.refusal(vcpu, source);
    if (refusal !== null) return refusal;
    // From here on what the leaf finds, in its order.
    if (secs === 'memory') return outsideEpc(vcpu, guestAddress);
    if (!isDescribed) return injectTrap({ vector: Vector.GP }, faultModels(vcpu), guestAddress);
    return yield* this.#leaves.ecreate(thread, vcpu, secs, source, guestAddress);
  }

  /** EINIT: RBX SIGSTRUCT, RCX SECS, RDX EINITTOKEN, whose offset within its page counts (V-14). */
  *einit(
    thread: Thread,
    vcpu: KvmVcpu,
    registers: EnclsRegisters,
    memory: GuestMemory,
  ): Routine<EnclsOutcome> {
    const found = caught(() => einitOperands(vcpu, registers, memory));
    if ('kind' in found) return found;
    const { secs, guestAddress } = found;
    if (secs === 'memory') return outsideEpc(vcpu, guestAddress);
    const signature = this.#decoders.signature(found.signature);
    const token = this.#decoders.token(found.token);
    return yield* this.#leaves.einit(thread, vcpu, secs, signature, token, guestAddress);
  }
}

interface EcreateOperands {
  readonly secs: VepcAddress | 'memory';
  /** What was copied of the source SECS. */
  readonly source: SecsSource;
  /** Is SECINFO that of a SECS, and the rest of PAGEINFO 0? */
  readonly isDescribed: boolean;
  readonly guestAddress: bigint;
}

function ecreateOperands(vcpu: KvmVcpu, { rbx, rcx }: EnclsRegisters, memory: GuestMemory): EcreateOperands {
  const pageInfo = operand(vcpu, rbx, PAGEINFO_BYTES, PAGEINFO_BYTES);
  const guestAddress = operand(vcpu, rcx, PAGE_SIZE_BYTES, PAGE_SIZE_BYTES);
  const info = pageInfoOf(readAt(memory, physicalOf(memory, pageInfo, false), PAGEINFO_BYTES));
  const metadata = operand(vcpu, info.metadata, SECINFO_BYTES, SECINFO_BYTES);
  const contents = operand(vcpu, info.contents, PAGE_SIZE_BYTES, PAGE_SIZE_BYTES);
  const metadataAt = physicalOf(memory, metadata, false);
  const contentsAt = physicalOf(memory, contents, false);
  const secsAt = physicalOf(memory, guestAddress, true);
  for (const physical of [metadataAt, contentsAt]) slotAt(memory, physical);
  const secs = slotAt(memory, secsAt);
  const source = secsOf(readAt(memory, contentsAt, PAGE_SIZE_BYTES).slice());
  const isDescribed = isSecsInfo(readAt(memory, metadataAt, SECINFO_BYTES)) && info.isRestZero;
  return { secs, source, isDescribed, guestAddress };
}

interface EinitOperands {
  readonly secs: VepcAddress | 'memory';
  readonly signature: Uint8Array;
  readonly token: Uint8Array;
  readonly guestAddress: bigint;
}

function einitOperands(vcpu: KvmVcpu, { rbx, rcx, rdx }: EnclsRegisters, memory: GuestMemory): EinitOperands {
  const signature = operand(vcpu, rbx, SIGSTRUCT_BYTES, PAGE_SIZE_BYTES);
  const guestAddress = operand(vcpu, rcx, PAGE_SIZE_BYTES, PAGE_SIZE_BYTES);
  const token = operand(vcpu, rdx, INITTOKEN_BYTES, INITTOKEN_ALIGN);
  const signatureAt = physicalOf(memory, signature, false);
  const secsAt = physicalOf(memory, guestAddress, true);
  const tokenAt = physicalOf(memory, token, false);
  for (const physical of [signatureAt, tokenAt]) slotAt(memory, physical);
  return {
    secs: slotAt(memory, secsAt),
    signature: readAt(memory, signatureAt, SIGSTRUCT_BYTES).slice(),
    token: readAt(memory, tokenAt, INITTOKEN_BYTES).slice(),
    guestAddress,
  };
}

function operand(vcpu: KvmVcpu, offset: bigint, sizeBytes: number, alignBytes: number): bigint {
  const linear = linearOperand(vcpu.mode, offset, sizeBytes, alignBytes);
  if (linear === null) throw new Ended(inject(Vector.GP));
  return linear;
}

function physicalOf(memory: GuestMemory, linear: bigint, isWrite: boolean): bigint {
  const translation = memory.translate(linear, isWrite);
  if ('physical' in translation) return translation.physical;
  const fault: Injected = { kind: 'inject', ...translation };
  throw new Ended(fault);
}

function slotAt(memory: GuestMemory, physical: bigint): VepcAddress | 'memory' {
  const slot = memory.slot(physical);
  if (slot === null) throw new Ended(EMULATION_FAILED);
  return slot;
}

/** The leaf takes anything but EPC for a page fault; the guest sees it as one of its EPCM. */
function outsideEpc(vcpu: KvmVcpu, linear: bigint): EnclsOutcome {
  return injectTrap({ vector: Vector.PF }, faultModels(vcpu), linear);
}

function readAt(memory: GuestMemory, physical: bigint, sizeBytes: number): Uint8Array {
  const bytes = memory.read(physical, sizeBytes);
  if (bytes === null) throw new Ended(EMULATION_FAILED);
  return bytes;
}

/** What `action` returns, or the outcome that one of its steps has ended with. */
function caught<T extends object>(action: () => T): T | EnclsOutcome {
  try {
    return action();
  } catch (error) {
    if (error instanceof Ended) return error.outcome;
    throw error;
  }
}
