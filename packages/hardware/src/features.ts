import { Attribute } from '@epckit/interface';
import { HardwareMisuse } from './errors.js';

/**
 * What a processor can do (CPUID 7.0 and 0x12, SDM vol. 2A): the switches that decide which leaves exist and what
 * ECREATE allows. SGX1 leaves are always there.
 */
export interface SgxFeatures {
  /** SGX2 leaves: EAUG, EMODPR, EMODT, EACCEPT, EMODPE, EACCEPTCOPY (CPUID 0x12.0 EAX bit 1). */
  readonly sgx2: boolean;
  /** ENCLV leaves: EINCVIRTCHILD, EDECVIRTCHILD, ESETCONTEXT (CPUID 0x12.0 EAX bit 5). */
  readonly enclv: boolean;
  /** ENCLS_C leaves: ETRACKC, ERDINFO, ELDBC, ELDUC (CPUID 0x12.0 EAX bit 6). */
  readonly enclsC: boolean;
  /** EUPDATESVN (CPUID 0x12.0 EAX bit 10). */
  readonly eupdatesvn: boolean;
  /** Control-flow enforcement in enclaves and shadow-stack pages (CPUID 7.0 ECX bit 7, EDX bit 20). */
  readonly cet: boolean;
  /** MISCSELECT.EXINFO (CPUID 0x12.0 EBX bit 0). */
  readonly exinfo: boolean;
  /** Key separation and sharing: CONFIGID, CONFIGSVN and the extended identity (ATTRIBUTES bit 7). */
  readonly kss: boolean;
  /** AEX-Notify and EDECCSSA (CPUID 0x12.0 EAX bit 11). */
  readonly aexNotify: boolean;
  /** IA32_SGXLEPUBKEYHASH0…3 can be written (CPUID 7.0 ECX bit 30, SGX_LC). */
  readonly launchControl: boolean;
  /** MaxEnclaveSize_Not64: an enclave without MODE64BIT has less than 2 to this power bytes (CPUID 0x12.0 EDX 7:0). */
  readonly maxSizeLog2Not64: number;
  /** MaxEnclaveSize_64: an enclave with MODE64BIT has less than 2 to this power bytes (CPUID 0x12.0 EDX 15:8). */
  readonly maxSizeLog2For64: number;
  /** XFRM bits that ECREATE allows (CPUID 0x12.1 ECX:EDX); below 2^64. */
  readonly xfrmMask: bigint;
  /** ATTRIBUTES bits 31:0 that ECREATE allows, INIT never (CPUID 0x12.1 EAX). The model knows no bit above. */
  readonly attributeMask: number;
  /** Width of linear addresses in bits: 57 with five levels of page tables. */
  readonly linearAddressBits: 48 | 57;
  /** How the EPCM refuses an access or an operand: processors with SGX1 only raise #GP instead of #PF. */
  readonly epcmFault: 'PF' | 'GP';
}

/** {@link SgxFeatures} with everything optional; what is left out or undefined is as {@link resolveFeatures} says. */
export type SgxFeatureOptions = { readonly [Name in keyof SgxFeatures]?: SgxFeatures[Name] | undefined };

/** {@link SgxFeatures} without what follows from the rest: add to it and hand it to {@link resolveFeatures}. */
export type SgxFeatureBase = Omit<SgxFeatures, 'attributeMask'>;

/** XFRM of client parts with SGX1: x87, SSE, AVX, MPX. */
const XFRM_CLIENT = 0x1fn;
/** x87, SSE, AVX, AVX-512 and protection keys. Which of them ECREATE sees is a choice of the model. [model] */
const XFRM_SERVER = 0x2e7n;
/** DEBUG, MODE64BIT, PROVISIONKEY and EINITTOKENKEY: CPUID 0x12.1 EAX = 0x36 on every part. */
const COMMON_ATTRIBUTES =
  Attribute.DEBUG | Attribute.MODE64BIT | Attribute.PROVISIONKEY | Attribute.EINITTOKENKEY;

const SGX1: SgxFeatureBase = {
  sgx2: false,
  enclv: false,
  enclsC: false,
  eupdatesvn: false,
  cet: false,
  exinfo: false,
  kss: false,
  aexNotify: false,
  launchControl: false,
  maxSizeLog2Not64: 31,
  maxSizeLog2For64: 36,
  xfrmMask: XFRM_CLIENT,
  linearAddressBits: 48,
  epcmFault: 'GP',
};

const SGX2: SgxFeatureBase = { ...SGX1, sgx2: true, launchControl: true, epcmFault: 'PF' };

const OVERSUB: SgxFeatureBase = {
  ...SGX2,
  enclv: true,
  enclsC: true,
  eupdatesvn: true,
  maxSizeLog2For64: 56,
  xfrmMask: XFRM_SERVER,
};

/**
 * Named feature sets to start from, as in `resolveFeatures({ ...FeatureSet.SGX1, launchControl: true })`.
 * Which features come together is a choice of the model. [model]
 */
export const FeatureSet = {
  /** First clients: SGX1 leaves, #GP from the EPCM, fixed launch key, enclaves below 64 GiB (CPUID EDX = 0x241F). */
  SGX1,
  /** SGX2 leaves, #PF from the EPCM, launch control MSRs. */
  SGX2,
  /** SGX2 with ENCLV, ENCLS_C and EUPDATESVN; enclaves below 2^56 bytes. The default. */
  OVERSUB,
} as const;

/**
 * Fills what `options` leaves out from {@link FeatureSet}`.OVERSUB`; `attributeMask` follows from `cet`, `kss` and
 * `aexNotify` unless it is given. One that is given is kept even where it disagrees with them.
 *
 * @throws HardwareMisuse for a value that CPUID could not report
 */
export function resolveFeatures(options: SgxFeatureOptions = {}): SgxFeatures {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  // A spread of unchecked entries keeps the types of `options`, minus undefined.
  const chosen: SgxFeatureBase & { attributeMask?: number } = { ...OVERSUB, ...Object.fromEntries(given) };
  const features = { ...chosen, attributeMask: chosen.attributeMask ?? attributesOf(chosen) };
  requireReportable(features);
  return features;
}

function attributesOf({ cet, kss, aexNotify }: SgxFeatureBase): number {
  const extended = (cet ? Attribute.CET : 0) | (kss ? Attribute.KSS : 0);
  return COMMON_ATTRIBUTES | extended | (aexNotify ? Attribute.AEXNOTIFY : 0);
}

function requireReportable(features: SgxFeatures): void {
  for (const [name, value] of Object.entries(features)) {
    const usual = name === 'attributeMask' ? 0 : OVERSUB[name as keyof SgxFeatureBase];
    requireThat(
      typeof value === typeof usual,
      name,
      value,
      usual === undefined ? 'no such name' : typeof usual,
    );
  }
  const { attributeMask, xfrmMask, maxSizeLog2Not64, maxSizeLog2For64, linearAddressBits } = features;
  requireThat(isBelow(maxSizeLog2Not64, 256), 'maxSizeLog2Not64', maxSizeLog2Not64, '0 to 255');
  requireThat(isBelow(maxSizeLog2For64, 256), 'maxSizeLog2For64', maxSizeLog2For64, '0 to 255');
  const isMask = isBelow(attributeMask, 2 ** 32) && (attributeMask & Attribute.INIT) === 0;
  requireThat(isMask, 'attributeMask', attributeMask, '32 bits, without INIT (bit 0)');
  const isXfrm = xfrmMask >= 0n && xfrmMask < 1n << 63n && (xfrmMask & 3n) === 3n;
  requireThat(isXfrm, 'xfrmMask', xfrmMask, 'bits 0 and 1 and any of 62:2');
  requireThat([48, 57].includes(linearAddressBits), 'linearAddressBits', linearAddressBits, '48 or 57');
  requireThat(['PF', 'GP'].includes(features.epcmFault), 'epcmFault', features.epcmFault, 'PF or GP');
}

function isBelow(value: number, limit: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < limit;
}

function requireThat(holds: boolean, name: string, given: unknown, allowed: string): void {
  if (holds) return;
  throw new HardwareMisuse(
    `No processor reports such a value of ${name}.`,
    [`given: ${String(given)}`, `allowed: ${allowed}`],
    'Start from a FeatureSet and change single features.',
  );
}
