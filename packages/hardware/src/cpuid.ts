import { Attribute } from '@epckit/interface';
import { HardwareMisuse } from './errors.js';
import { resolveFeatures, type SgxFeatures } from './features.js';

/** What CPUID returns: four unsigned 32-bit numbers. */
export interface CpuidRegisters {
  /** EAX. */
  readonly eax: number;
  /** EBX. */
  readonly ebx: number;
  /** ECX. */
  readonly ecx: number;
  /** EDX. */
  readonly edx: number;
}

/** A sub-leaf that is neither an EPC section nor the end of the list. */
export interface UnknownSubLeaf {
  /** ECX that was asked with. */
  readonly subLeaf: number;
  /** Type in EAX bits 3:0. */
  readonly type: number;
}

/** One EPC section as CPUID 0x12 reports it (Linux `struct sgx_epc_section`). */
export interface CpuidSection {
  /** Physical address of the first byte, a multiple of 4096 below 2^52. */
  readonly base: number;
  /** Size in bytes, a multiple of 4096. */
  readonly sizeBytes: number;
  /**
   * Protection of the memory, 4 bits: 1 confidentiality and integrity, 2 confidentiality only, 3 confidentiality
   * and integrity without replay protection (unconfirmed). 1 if left out.
   */
  readonly property?: number | undefined;
}

/** What {@link cpuidToSections} found. */
export interface CpuidSections {
  /** The sections in the order of their sub-leaves. */
  readonly sections: readonly Required<CpuidSection>[];
  /** The sub-leaf of an unknown type at which decoding stopped, or `null`: it stopped at the end of the list. */
  readonly unknown: UnknownSubLeaf | null;
}

/** First sub-leaf of CPUID 0x12 that describes a section. */
export const FIRST_SECTION_SUB_LEAF = 2;
/** Sections that Linux keeps (`SGX_MAX_EPC_SECTIONS`). */
export const LINUX_SECTION_LIMIT = 8;

const PAGE_BYTES = 4096;
const PHYSICAL_LIMIT = 2 ** 52;
const TYPE_MASK = 0xf;
const TYPE_INVALID = 0;
const TYPE_EPC = 1;
const HIGH_MASK = 0xfffff;
const END: CpuidRegisters = { eax: 0, ebx: 0, ecx: 0, edx: 0 };

/**
 * Sub-leaves 2, 3, … of CPUID 0x12 for `sections`, and the end marker (SDM vol. 2A).
 *
 * Does not judge whether sections overlap.
 *
 * @throws HardwareMisuse if a section cannot be encoded
 */
export function sectionsToCpuid(sections: readonly CpuidSection[]): CpuidRegisters[] {
  const subLeaves = sections.map((section) => {
    requireEncodable(section);
    const { base, sizeBytes, property = 1 } = section;
    return {
      eax: (base % 2 ** 32) + TYPE_EPC,
      ebx: Math.floor(base / 2 ** 32),
      ecx: (sizeBytes % 2 ** 32) + property,
      edx: Math.floor(sizeBytes / 2 ** 32),
    };
  });
  return [...subLeaves, END];
}

function requireEncodable({ base, sizeBytes, property = 1 }: CpuidSection): void {
  const problems: string[] = [];
  if (!isPageAligned(base)) problems.push('base must be a multiple of 4096');
  if (!isPageAligned(sizeBytes) || sizeBytes === 0) {
    problems.push('sizeBytes must be a positive multiple of 4096');
  }
  if (base + sizeBytes > PHYSICAL_LIMIT) problems.push('the section must end at or below 2^52');
  if (sizeBytes === PHYSICAL_LIMIT) problems.push('sizeBytes must be below 2^52');
  if (!(Number.isInteger(property) && property >= 1 && property <= TYPE_MASK)) {
    problems.push('property must be 1 to 15');
  }
  if (problems.length === 0) return;
  throw new HardwareMisuse(
    'CPUID cannot describe this EPC section.',
    [`given: base ${base}, sizeBytes ${sizeBytes}, property ${property}`, ...problems],
    'Give whole pages of physical memory, in bytes.',
  );
}

function isPageAligned(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value % PAGE_BYTES === 0;
}

/**
 * Reads EPC sections as Linux does (`sgx_page_cache_init`): from sub-leaf 2 to the first of type 0; another type
 * than 1 ends the search and is reported. Reserved bits are ignored. Size 0 is not refused here.
 *
 * @param query CPUID 0x12 with the given ECX
 * @param options most sub-leaves to query (`limit`); 8, as Linux, if left out
 */
export function cpuidToSections(
  query: (subLeaf: number) => CpuidRegisters,
  { limit = LINUX_SECTION_LIMIT }: { readonly limit?: number | undefined } = {},
): CpuidSections {
  const sections: Required<CpuidSection>[] = [];
  for (let index = 0; index < limit; index++) {
    const subLeaf = FIRST_SECTION_SUB_LEAF + index;
    const registers = query(subLeaf);
    const type = registers.eax & TYPE_MASK;
    if (type === TYPE_INVALID) break;
    if (type !== TYPE_EPC) return { sections, unknown: { subLeaf, type } };
    sections.push({
      base: pagesIn(registers.eax, registers.ebx),
      sizeBytes: pagesIn(registers.ecx, registers.edx),
      property: registers.ecx & TYPE_MASK,
    });
  }
  return { sections, unknown: null };
}

/** Bits 51:12 of an address or size, from a low and a high register. */
function pagesIn(low: number, high: number): number {
  return ((low & ~(PAGE_BYTES - 1)) >>> 0) + (high & HIGH_MASK) * 2 ** 32;
}

/** The CPUID leaves that describe SGX features. */
export interface SgxCpuid {
  /** Leaf 7, sub-leaf 0; only the bits that concern SGX. */
  readonly leaf7: CpuidRegisters;
  /** Leaf 0x12, sub-leaf 0: leaves, MISCSELECT, largest enclave. */
  readonly sgxLeaf0: CpuidRegisters;
  /** Leaf 0x12, sub-leaf 1: ATTRIBUTES and XFRM that ECREATE allows. */
  readonly sgxLeaf1: CpuidRegisters;
}

/** Bits of leaf 7. LA57 is unconfirmed: the reference names no bit for five levels of page tables. */
const Bit7 = { EBX_SGX: 1 << 2, ECX_CET_SS: 1 << 7, ECX_LA57: 1 << 16, ECX_LC: 1 << 30, EDX_IBT: 1 << 20 };
/** Bits of leaf 0x12, sub-leaf 0, EAX. */
const Bit12 = { SGX1: 1, SGX2: 2, ENCLV: 0x20, ENCLS_C: 0x40, EUPDATESVN: 0x400, EDECCSSA: 0x800 };
/** Bit of leaf 0x12, sub-leaf 0, EBX: the MISCSELECT bits that exist. */
const MISC_EXINFO = 1;

/**
 * CPUID of a processor with `features` (SDM vol. 2A).
 *
 * @throws HardwareMisuse for a value that CPUID cannot report
 */
export function featuresToCpuid(features: SgxFeatures): SgxCpuid {
  const f = resolveFeatures(features);
  const ecx7 = bit(f.cet, Bit7.ECX_CET_SS) | bit(f.launchControl, Bit7.ECX_LC);
  const la57 = bit(f.linearAddressBits === 57, Bit7.ECX_LA57);
  const basic = Bit12.SGX1 | bit(f.sgx2, Bit12.SGX2) | bit(f.enclv, Bit12.ENCLV);
  const later = bit(f.eupdatesvn, Bit12.EUPDATESVN) | bit(f.aexNotify, Bit12.EDECCSSA);
  return {
    leaf7: { eax: 0, ebx: Bit7.EBX_SGX, ecx: ecx7 | la57, edx: bit(f.cet, Bit7.EDX_IBT) },
    sgxLeaf0: {
      eax: basic | bit(f.enclsC, Bit12.ENCLS_C) | later,
      ebx: bit(f.exinfo, MISC_EXINFO),
      ecx: 0,
      edx: f.maxSizeLog2Not64 | (f.maxSizeLog2For64 << 8),
    },
    sgxLeaf1: {
      eax: f.attributeMask,
      ebx: 0,
      ecx: Number(f.xfrmMask & 0xffffffffn),
      edx: Number(f.xfrmMask >> 32n),
    },
  };
}

function bit(isSet: boolean, value: number): number {
  return isSet ? value : 0;
}

/**
 * Features of a processor from its CPUID; `undefined` if it has no SGX.
 *
 * Choices of the model where CPUID does not say: a processor without SGX2 raises #GP for the EPCM, shadow stacks
 * stand for all of CET, ATTRIBUTES above bit 31 and XFRM bit 63 are left out. [model]
 *
 * @throws HardwareMisuse if the XFRM mask lacks x87 or SSE
 */
export function cpuidToFeatures({ leaf7, sgxLeaf0, sgxLeaf1 }: SgxCpuid): SgxFeatures | undefined {
  const leaves = sgxLeaf0.eax;
  if (!has(leaf7.ebx, Bit7.EBX_SGX) || !has(leaves, Bit12.SGX1)) return undefined;
  const attributeMask = (sgxLeaf1.eax & ~Attribute.INIT) >>> 0;
  const sgx2 = has(leaves, Bit12.SGX2);
  return resolveFeatures({
    sgx2,
    enclv: has(leaves, Bit12.ENCLV),
    enclsC: has(leaves, Bit12.ENCLS_C),
    eupdatesvn: has(leaves, Bit12.EUPDATESVN),
    cet: has(leaf7.ecx, Bit7.ECX_CET_SS),
    exinfo: has(sgxLeaf0.ebx, MISC_EXINFO),
    kss: has(attributeMask, Attribute.KSS),
    aexNotify: has(leaves, Bit12.EDECCSSA),
    launchControl: has(leaf7.ecx, Bit7.ECX_LC),
    maxSizeLog2Not64: sgxLeaf0.edx & 0xff,
    maxSizeLog2For64: (sgxLeaf0.edx >>> 8) & 0xff,
    xfrmMask: (BigInt(sgxLeaf1.edx & 0x7fffffff) << 32n) | BigInt(sgxLeaf1.ecx >>> 0),
    attributeMask,
    linearAddressBits: has(leaf7.ecx, Bit7.ECX_LA57) ? 57 : 48,
    epcmFault: sgx2 ? 'PF' : 'GP',
  });
}

function has(register: number, mask: number): boolean {
  return (register & mask) !== 0;
}
