/** What CPUID returns: four unsigned 32-bit numbers. */
export interface KvmCpuidRegisters {
  /** EAX. */
  readonly eax: number;
  /** EBX. */
  readonly ebx: number;
  /** ECX. */
  readonly ecx: number;
  /** EDX. */
  readonly edx: number;
}

/** The CPUID leaves that decide what a guest may do with SGX. */
export interface KvmCpuid {
  /** Leaf 7, sub-leaf 0; the bits that concern SGX. */
  readonly leaf7: KvmCpuidRegisters;
  /** Leaf 0x12, sub-leaf 0, or null: user space has not set it. */
  readonly sgxLeaf0: KvmCpuidRegisters | null;
  /** Leaf 0x12, sub-leaf 1, or null: user space has not set it. */
  readonly sgxLeaf1: KvmCpuidRegisters | null;
  /**
   * Leaf 0x12, sub-leaves 2, 3, …: an EPC section in each, with its guest-physical address and size. Left out: user space
   * has set none. KVM reads nothing from them.
   */
  readonly epcSections?: readonly KvmCpuidRegisters[];
}

/** Bits of leaf 7. */
export const Leaf7 = {
  /** EBX: SGX */
  EBX_SGX: 1 << 2,
  /** ECX: flexible launch control */
  ECX_LAUNCH_CONTROL: 1 << 30,
} as const;

/** Bits of leaf 0x12, sub-leaf 0, EAX. */
export const SgxLeaf0 = {
  /** leaves of SGX1 */
  SGX1: 1,
  /** leaves of SGX2 */
  SGX2: 2,
  /** EDECCSSA */
  EDECCSSA: 1 << 11,
} as const;

/** Bit of leaf 0x12, sub-leaf 0, EBX: MISCSELECT.EXINFO. */
const EXINFO = 1;
/** DEBUG, MODE64, PROVISIONKEY, EINITTOKENKEY and KSS. */
const KNOWN_ATTRIBUTES = 0xb6;
const NOTHING: KvmCpuidRegisters = Object.freeze({ eax: 0, ebx: 0, ecx: 0, edx: 0 });

const SGX_LEAF = 0x12;
const FIRST_SECTION = 2;

/** What a guest finds in a leaf (EAX) and sub-leaf (ECX) of its CPUID, as far as it is about SGX; 0 where nothing is set. */
export function cpuidAt(cpuid: KvmCpuid, leaf: number, subLeaf: number): KvmCpuidRegisters {
  if (leaf === 7 && subLeaf === 0) return cpuid.leaf7;
  if (leaf !== SGX_LEAF) return NOTHING;
  if (subLeaf === 0) return cpuid.sgxLeaf0 ?? NOTHING;
  if (subLeaf === 1) return cpuid.sgxLeaf1 ?? NOTHING;
  return cpuid.epcSections?.[subLeaf - FIRST_SECTION] ?? NOTHING;
}

/**
 * What KVM offers to guests on a processor (Linux `KVM_GET_SUPPORTED_CPUID`): nothing of SGX while the module parameter
 * is off, not even EDECCSSA (V-17). User space may take more away. EPC sections come from user space alone.
 */
export function supportedCpuid(host: KvmCpuid, isSgxEnabled: boolean): KvmCpuid {
  const hasSgx = isSgxEnabled && (host.leaf7.ebx & Leaf7.EBX_SGX) !== 0;
  if (!hasSgx) return { leaf7: NOTHING, sgxLeaf0: NOTHING, sgxLeaf1: NOTHING };
  const leaf7 = { ...NOTHING, ebx: Leaf7.EBX_SGX, ecx: host.leaf7.ecx & Leaf7.ECX_LAUNCH_CONTROL };
  const { sgxLeaf0, sgxLeaf1 } = host;
  return {
    leaf7,
    sgxLeaf0: sgxLeaf0 && {
      ...NOTHING,
      eax: sgxLeaf0.eax & (SgxLeaf0.SGX1 | SgxLeaf0.SGX2 | SgxLeaf0.EDECCSSA),
      ebx: sgxLeaf0.ebx & EXINFO,
      edx: sgxLeaf0.edx,
    },
    sgxLeaf1: sgxLeaf1 && {
      ...NOTHING,
      eax: sgxLeaf1.eax & KNOWN_ATTRIBUTES,
      ecx: sgxLeaf1.ecx,
      edx: sgxLeaf1.edx,
    },
  };
}
