import type { KvmCpuid, KvmCpuidRegisters, KvmHost, KvmVcpu } from '../../src/index.js';
import { FeatureControl, KvmVm, SgxMsr, supportedCpuid } from '../../src/index.js';

export const none: KvmCpuidRegisters = { eax: 0, ebx: 0, ecx: 0, edx: 0 };

/** CPUID of a server with SGX2, launch control, EXINFO, KSS, EDECCSSA and what no guest is told of. */
export const processor: KvmCpuid = {
  leaf7: { eax: 0, ebx: 1 << 2, ecx: 1 << 30, edx: 0 },
  sgxLeaf0: { eax: 0x1 | 0x2 | 0x20 | 0x40 | 0x800, ebx: 1, ecx: 0, edx: 0x241f },
  sgxLeaf1: { eax: 0x4b6, ebx: 0, ecx: 0x2e7, edx: 0 },
};

export const host: KvmHost = {
  cpuid: processor,
  hasEnclsExiting: true,
  supportedXcr0: 0xe7n,
  isSgxEnabled: true,
};

/** The same without SGX2. */
export const oldHost: KvmHost = {
  ...host,
  cpuid: { ...processor, sgxLeaf0: { ...(processor.sgxLeaf0 as KvmCpuidRegisters), eax: 1 } },
};

export const supported = supportedCpuid(processor, true);

/** A virtual CPU whose firmware has enabled SGX. */
export function enabledVcpu(on: KvmHost = host, cpuid?: KvmCpuid, isProvisioningAllowed = false): KvmVcpu {
  const vm = new KvmVm(on);
  if (isProvisioningAllowed) vm.enableAttribute('sgx_provision');
  const vcpu = vm.createVcpu(cpuid);
  vcpu.writeMsr(SgxMsr.FEATURE_CONTROL, FeatureControl.LOCKED | FeatureControl.SGX_ENABLED);
  return vcpu;
}
