import type { CpuId, LaunchControl } from '@epckit/interface';
import type { KvmVcpu } from '@epckit/vepc';
import { FeatureControl, hashMsrsOf, SgxMsr } from '@epckit/vepc';

/**
 * The guest's firmware enables SGX, and launch control if CPUID tells of it, and locks the feature-control MSR; the VMM
 * has told it what to write.
 */
export function enableSgx(vcpu: KvmVcpu): void {
  const launchControl = vcpu.hasLaunchControl ? FeatureControl.LAUNCH_CONTROL : 0n;
  const control = FeatureControl.LOCKED | FeatureControl.SGX_ENABLED | launchControl;
  vcpu.writeMsr(SgxMsr.FEATURE_CONTROL, control, 'host');
}

/**
 * The hash MSRs as a guest's kernel writes them; it leaves them alone where CPUID does not tell of launch control. What a
 * virtual CPU has in them reaches the processor when KVM executes its EINIT.
 */
export function guestLaunchControl(vcpuOf: (cpu: CpuId) => KvmVcpu): LaunchControl {
  return {
    writeHash: (cpu, hash) => {
      const vcpu = vcpuOf(cpu);
      if (!vcpu.hasLaunchControl) return;
      for (const [at, value] of hashMsrsOf(hash).entries()) vcpu.writeMsr(SgxMsr.HASH0 + at, value);
    },
  };
}
