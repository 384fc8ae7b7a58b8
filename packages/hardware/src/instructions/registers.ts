import { Leaf, SgxCode } from '@epckit/interface';

/** Flags that leaves write. */
export interface Flags {
  /** ZF: an error code was returned. */
  zf: boolean;
  /** CF: a code that informs was returned. */
  cf: boolean;
  /** PF. */
  pf: boolean;
  /** AF. */
  af: boolean;
  /** OF. */
  of: boolean;
  /** SF. */
  sf: boolean;
}

/** Registers that leaves read and write: unsigned 64-bit numbers. Caller-owned and mutable. */
export interface Registers {
  /** RAX: the leaf in EAX; the code afterwards. */
  rax: bigint;
  /** RBX. */
  rbx: bigint;
  /** RCX. */
  rcx: bigint;
  /** RDX. */
  rdx: bigint;
  /** Address of the instruction; entries and exits change it, other leaves leave it to the caller. */
  rip: bigint;
  /** Status flags. */
  flags: Flags;
}

/** Registers with what is given, everything else 0 or false. */
export function createRegisters(
  values: Partial<Omit<Registers, 'flags'>> & { readonly flags?: Partial<Flags> } = {},
): Registers {
  const { flags, ...rest } = values;
  const clear = { zf: false, cf: false, pf: false, af: false, of: false, sf: false };
  return { rax: 0n, rbx: 0n, rcx: 0n, rdx: 0n, rip: 0n, ...rest, flags: { ...clear, ...flags } };
}

/** Codes that set CF instead of ZF, from every leaf that returns them (SDM vol. 3D). 31 is unconfirmed. */
const CARRY_CODES: readonly number[] = [
  SgxCode.BLSTATE,
  SgxCode.NOTBLOCKABLE,
  SgxCode.VA_SLOT_OCCUPIED,
  SgxCode.PG_IS_SECS,
  SgxCode.PG_NONEPC,
  SgxCode.TRACK_NOT_REQUIRED,
  SgxCode.NO_UPDATE,
];

/**
 * Ends a leaf that returns a code: RAX, and ZF or CF; PF, AF, OF and SF are cleared (SDM vol. 3D, leaf pages).
 *
 * Code 6 sets CF if ERDINFO returns it and ZF otherwise. Code 15 sets ZF [model].
 */
export function setCode(registers: Registers, leaf: number, code: number): void {
  const isInvalidInfo = leaf === Leaf.ERDINFO && code === SgxCode.PG_INVLD;
  const cf = isInvalidInfo || CARRY_CODES.includes(code);
  registers.rax = BigInt(code);
  registers.flags = { zf: code !== SgxCode.SUCCESS && !cf, cf, pf: false, af: false, of: false, sf: false };
}
