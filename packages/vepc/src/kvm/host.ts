import type { KvmCpuid } from './cpuid.js';
import { Leaf7, SgxLeaf0 } from './cpuid.js';
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

/** Has the processor SGX2? */
export function hasSgx2({ cpuid }: KvmHost): boolean {
  return ((cpuid.sgxLeaf0?.eax ?? 0) & SgxLeaf0.SGX2) !== 0;
}
