import type { KvmCpuid } from './cpuid.js';
import { Leaf7 } from './cpuid.js';
import type { KvmHost } from './host.js';
import type { HashMsrs } from './launch-key-hash.js';
import { INTEL_HASH_MSRS, launchKeyHashOf } from './launch-key-hash.js';

/** Numbers of the MSRs that a virtual CPU has for SGX. */
export const SgxMsr = {
  /** IA32_FEATURE_CONTROL */
  FEATURE_CONTROL: 0x3a,
  /** first of the four launch key hash MSRs */
  HASH0: 0x8c,
  /** last of them */
  HASH3: 0x8f,
} as const;

/** Bits of the feature-control MSR. */
export const FeatureControl = {
  /** no further writes until the reset */
  LOCKED: 1n,
  /** the hash MSRs can be written */
  LAUNCH_CONTROL: 1n << 17n,
  /** ENCLS can be executed */
  SGX_ENABLED: 1n << 18n,
} as const;

const HASH_COUNT = 4;

/** Who reads or writes: the guest's instruction, or user space through the KVM ioctl. */
export type MsrAccess = 'guest' | 'host';

/** SGX MSRs of one virtual CPU. A refused access of the guest is #GP(0). */
export class SgxMsrs {
  readonly #cpuid: () => KvmCpuid;
  readonly #resetHash: HashMsrs;
  #featureControl = 0n;
  #hash: bigint[];

  /** @param cpuid CPUID of the virtual CPU as it is now */
  constructor(host: KvmHost, cpuid: () => KvmCpuid) {
    this.#cpuid = cpuid;
    this.#resetHash = host.lockedHash ?? INTEL_HASH_MSRS;
    this.#hash = [...this.#resetHash];
  }

  /** Feature-control MSR. */
  get featureControl(): bigint {
    return this.#featureControl;
  }

  /** The hash MSRs as 64 hexadecimal digits, in the order of their bytes in memory. */
  get launchKeyHash(): string {
    return launchKeyHashOf(this.#hash);
  }

  /** @returns value, or null: #GP(0), or the ioctl fails */
  read(msr: number, by: MsrAccess): bigint | null {
    if (msr === SgxMsr.FEATURE_CONTROL) return this.#featureControl;
    if (!isHash(msr) || (by === 'guest' && !this.#hasLaunchControl)) return null;
    return this.#hash[msr - SgxMsr.HASH0] as bigint;
  }

  /** @returns whether the value was taken; if not: #GP(0), or the ioctl fails */
  write(msr: number, value: bigint, by: MsrAccess): boolean {
    if (msr === SgxMsr.FEATURE_CONTROL) return this.#writeFeatureControl(value, by);
    if (!isHash(msr) || (by === 'guest' && !this.#mayWriteHash)) return false;
    this.#hash[msr - SgxMsr.HASH0] = BigInt.asUintN(64, value);
    return true;
  }

  /** Reset of the virtual CPU: feature control is clear and not locked, and the hash is that of the launch key again. */
  reset(): void {
    this.#featureControl = 0n;
    this.#hash = [...this.#resetHash];
  }

  #writeFeatureControl(value: bigint, by: MsrAccess): boolean {
    if ((value & ~this.#knownFeatures) !== 0n) return false;
    if (by === 'guest' && (this.#featureControl & FeatureControl.LOCKED) !== 0n) return false;
    this.#featureControl = value;
    return true;
  }

  get #knownFeatures(): bigint {
    const { leaf7 } = this.#cpuid();
    const sgx = (leaf7.ebx & Leaf7.EBX_SGX) === 0 ? 0n : FeatureControl.SGX_ENABLED;
    return FeatureControl.LOCKED | sgx | (this.#hasLaunchControl ? FeatureControl.LAUNCH_CONTROL : 0n);
  }

  get #hasLaunchControl(): boolean {
    return (this.#cpuid().leaf7.ecx & Leaf7.ECX_LAUNCH_CONTROL) !== 0;
  }

  get #mayWriteHash(): boolean {
    if (!this.#hasLaunchControl) return false;
    const isLocked = (this.#featureControl & FeatureControl.LOCKED) !== 0n;
    return !isLocked || (this.#featureControl & FeatureControl.LAUNCH_CONTROL) !== 0n;
  }
}

function isHash(msr: number): boolean {
  return msr >= SgxMsr.HASH0 && msr < SgxMsr.HASH0 + HASH_COUNT;
}
