import type { HardwareModel } from '@epckit/hardware';
import { featuresToCpuid } from '@epckit/hardware';
import type { AddressSpace, FrameTable, MemoryFailure, Probe } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import type { KvmHost, VepcDriver } from '@epckit/vepc';

/** What virtual machines run on: parts of a composed stack. */
export interface GuestHost {
  /** CPUs, threads, locks and drivers. */
  readonly machine: Machine;
  /** EPCM and leaves. */
  readonly hardware: HardwareModel;
  /** Software columns of the host's EPC pages. */
  readonly frames: FrameTable;
  /** The virtual EPC device; with `oversub` the host reclaims pages of guests, without it their EPC is raw. */
  readonly vepc: VepcDriver;
  /** Takes reports of broken memory, or null. */
  readonly memoryFailure: MemoryFailure | null;
  /** KVM's view of the processor. */
  readonly kvm: KvmHost;
  /** Trace points of the host, or `null`. */
  readonly probe: Probe | null;
  /** Makes the address space of a VMM. Its entries must name EPC pages (`frameOf`). */
  createAddressSpace(name: string): AddressSpace;
}

/** KVM on a processor with the model's features, with module parameter `sgx` on. */
export function kvmHostOf(hardware: HardwareModel): KvmHost {
  return {
    cpuid: featuresToCpuid(hardware.features),
    hasEnclsExiting: true,
    supportedXcr0: hardware.features.xfrmMask,
    isSgxEnabled: true,
  };
}
