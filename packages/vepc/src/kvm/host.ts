import type { KvmCpuid } from './cpuid.js';
import { Leaf7, SgxLeaf0, supportedCpuid } from './cpuid.js';
import type { HashMsrs } from './launch-key-hash.js';

/** What KVM knows of the processor and of its own settings. */
export interface KvmHost {
  /** CPUID of the processor. */
  readonly cpuid: KvmCpuid;
  /** VMX can intercept ENCLS leaves one by one. */
  readonly hasEnclsExiting: boolean;
  /** State components that KVM lets guests enable (XCR0). */
  readonly supportedXcr0: bigint;
  /** Module parameter `sgx`. */
  readonly isSgxEnabled: boolean;
  /**
   * Hash MSRs of the host, if it has launch control that its firmware has locked; left out: they can be written, or
   * there is no launch control.
   */
  readonly lockedHash?: HashMsrs;
}

/** Has the processor flexible launch control that the host can use? */
export function hasLaunchControl({ cpuid, lockedHash }: KvmHost): boolean {
  return lockedHash === undefined && (cpuid.leaf7.ecx & Leaf7.ECX_LAUNCH_CONTROL) !== 0;
}

/**
 * CPUID that a host offers to guests: {@link supportedCpuid}, with launch control only where the host itself can use it,
 * because EINIT of a guest is executed with the guest's hash nowhere else.
 */
export function offeredCpuid(host: KvmHost): KvmCpuid {
  const offered = supportedCpuid(host.cpuid, host.isSgxEnabled);
  const { leaf7 } = offered;
  if (hasLaunchControl(host)) return offered;
  return { ...offered, leaf7: { ...leaf7, ecx: leaf7.ecx & ~Leaf7.ECX_LAUNCH_CONTROL } };
}

/** Has the processor SGX2? */
export function hasSgx2({ cpuid }: KvmHost): boolean {
  return ((cpuid.sgxLeaf0?.eax ?? 0) & SgxLeaf0.SGX2) !== 0;
}
