/** Segmentation and address size of a virtual CPU, as far as ENCLS operands need them. */
export interface AddressingMode {
  /** A 64-bit code segment runs: no segment base, no limits. Not the same as long mode being active (V-13). */
  readonly is64Bit: boolean;
  /** Linear-address bits that are compared for the canonical form. */
  readonly linearAddressBits: 48 | 57;
  /** Lowest of the tag bits that are removed from an address, or null: there are none. */
  readonly tagBit?: number | null;
  /** Base of DS, used outside of 64-bit mode. */
  readonly dsBase: bigint;
  /** Last offset that DS allows. */
  readonly dsLimit: bigint;
  /** DS can be used: present, a data segment or readable code, not expand-down, not null. */
  readonly isDsUsable: boolean;
}

/** Mode of a 64-bit kernel. */
export const LONG_MODE: AddressingMode = Object.freeze({
  is64Bit: true,
  linearAddressBits: 48,
  dsBase: 0n,
  dsLimit: 0n,
  isDsUsable: true,
});

const LINEAR_MASK_32 = 0xffff_ffffn;

/**
 * Linear address of an operand of ENCLS with `sizeBytes` at `offset`.
 *
 * @returns null: #GP(0), because the address is misaligned, not canonical, or DS forbids it
 */
export function linearOperand(
  mode: AddressingMode,
  offset: bigint,
  sizeBytes: number,
  alignBytes: number,
): bigint | null {
  const linear = mode.is64Bit ? wideAddress(mode, offset) : segmentAddress(mode, offset, sizeBytes);
  if (linear === null || linear % BigInt(alignBytes) !== 0n) return null;
  return linear;
}

function wideAddress({ linearAddressBits, tagBit = null }: AddressingMode, offset: bigint): bigint | null {
  const address = BigInt.asUintN(64, offset);
  const plain = tagBit === null ? address : withoutTag(address, tagBit);
  const isCanonical = BigInt.asUintN(64, BigInt.asIntN(linearAddressBits, plain)) === plain;
  return isCanonical ? plain : null;
}

/** Bits from the tag up to bit 62 become copies of bit 63: the tag is in user and kernel addresses alike. */
function withoutTag(address: bigint, tagBit: number): bigint {
  const low = BigInt.asUintN(tagBit, address);
  const isHigh = address >> 63n === 1n;
  return isHigh ? BigInt.asUintN(64, low - (1n << BigInt(tagBit))) : low;
}

/** Base and offset wrap around at 32 bits; limit and type are checked. */
function segmentAddress(mode: AddressingMode, offset: bigint, sizeBytes: number): bigint | null {
  const start = offset & LINEAR_MASK_32;
  const last = start + BigInt(sizeBytes) - 1n;
  if (!mode.isDsUsable || last > mode.dsLimit || last > LINEAR_MASK_32) return null;
  return (mode.dsBase + start) & LINEAR_MASK_32;
}
