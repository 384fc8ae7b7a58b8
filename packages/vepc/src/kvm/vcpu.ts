import type { ErrnoResult, LeafId } from '@epckit/interface';
import { Errno, Leaf, MisuseError } from '@epckit/interface';
import type { KvmCpuid, KvmCpuidRegisters } from './cpuid.js';
import { cpuidAt, Leaf7, SgxLeaf0 } from './cpuid.js';
import { enclsBitmap, isIntercepted } from './encls-bitmap.js';
import type { KvmHost } from './host.js';
import { offeredCpuid } from './host.js';
import type { MsrAccess } from './msrs.js';
import { FeatureControl, SgxMsrs } from './msrs.js';
import type { AddressingMode } from './operand.js';
import { LONG_MODE } from './operand.js';

/** Attributes that user space may allow for enclaves of a VM. */
export const SgxAttribute = {
  /** PROVISIONKEY */
  PROVISIONKEY: 0x10n,
} as const;

/** File that user space hands over with the capability; only its kind matters. */
export type AttributeFile = 'sgx_provision' | 'other';

/** What KVM keeps for the whole virtual machine. */
export class KvmVm {
  /** The processor, and KVM's settings. */
  readonly host: KvmHost;
  #isProvisioningAllowed = false;
  readonly #vcpus: KvmVcpu[] = [];

  constructor(host: KvmHost) {
    this.host = host;
  }

  /** May enclaves have PROVISIONKEY? */
  get isProvisioningAllowed(): boolean {
    return this.#isProvisioningAllowed;
  }

  /** Virtual CPUs in order of creation. */
  get vcpus(): readonly KvmVcpu[] {
    return this.#vcpus;
  }

  /**
   * `KVM_CAP_SGX_ATTRIBUTE` (196) with a file (Linux `sgx_set_attribute`).
   *
   * @returns 0, or `-EINVAL`: not an open file of `/dev/sgx_provision`
   */
  enableAttribute(file: AttributeFile): ErrnoResult {
    if (file !== 'sgx_provision') return -Errno.EINVAL;
    this.#isProvisioningAllowed = true;
    for (const vcpu of this.#vcpus) vcpu.updateBitmap();
    return 0;
  }

  /**
   * Makes a virtual CPU. `cpuid`: what user space has set. Default: all that KVM supports.
   *
   * @throws MisuseError for SGX features that KVM does not support
   */
  createVcpu(cpuid: KvmCpuid = offeredCpuid(this.host)): KvmVcpu {
    const vcpu = new KvmVcpu(this, cpuid);
    this.#vcpus.push(vcpu);
    return vcpu;
  }
}

/** What KVM keeps of one virtual CPU, as far as SGX is concerned. */
export class KvmVcpu {
  /** Virtual machine that it belongs to. */
  readonly vm: KvmVm;
  /** Segmentation and address size. */
  mode: AddressingMode = LONG_MODE;
  /** CR0.PG. */
  isPaging = true;
  readonly #msrs: SgxMsrs;
  #cpuid: KvmCpuid;
  #nested = 0n;
  #bitmap = 0n;

  /** @internal */
  constructor(vm: KvmVm, cpuid: KvmCpuid) {
    this.vm = vm;
    this.#cpuid = cpuid;
    this.#msrs = new SgxMsrs(vm.host, () => this.#cpuid);
    this.setCpuid(cpuid);
  }

  /** CPUID as user space has set it. */
  get cpuid(): KvmCpuid {
    return this.#cpuid;
  }

  /** ENCLS-exiting bitmap that is in force. */
  get bitmap(): bigint {
    return this.#bitmap;
  }

  /** The hash MSRs, 64 hexadecimal digits in the order of memory. */
  get launchKeyHash(): string {
    return this.#msrs.launchKeyHash;
  }

  /** Has the guest SGX and SGX1? Without them every ENCLS is #UD. */
  get hasSgx(): boolean {
    return (this.#cpuid.leaf7.ebx & Leaf7.EBX_SGX) !== 0 && this.#has(SgxLeaf0.SGX1);
  }

  /** Has the guest SGX2? */
  get hasSgx2(): boolean {
    return this.#has(SgxLeaf0.SGX2);
  }

  /** Has the guest been told of launch control? */
  get hasLaunchControl(): boolean {
    return (this.#cpuid.leaf7.ecx & Leaf7.ECX_LAUNCH_CONTROL) !== 0;
  }

  /** Has the guest's firmware locked and enabled SGX? */
  get isSgxEnabled(): boolean {
    const needed = FeatureControl.LOCKED | FeatureControl.SGX_ENABLED;
    return (this.#msrs.featureControl & needed) === needed;
  }

  /** Does the leaf leave the guest? Only those of ENCLS can, which come before all others in the numbers of the model. */
  intercepts(leaf: LeafId): boolean {
    return leaf < Leaf.EDECVIRTCHILD && isIntercepted(this.#bitmap, leaf);
  }

  /** CPUID as the guest executes it: leaf in EAX, sub-leaf in ECX. 0 where nothing is set, or not about SGX. */
  executeCpuid(leaf: number, subLeaf: number): KvmCpuidRegisters {
    return cpuidAt(this.#cpuid, leaf, subLeaf);
  }

  /**
   * `KVM_SET_CPUID2`. KVM itself takes whatever user space writes; that features are a subset of what it offers (V-17) is
   * the business of the VMM, whose check is made here: SGX, its leaves, launch control. What ECREATE allows (MISCSELECT,
   * ATTRIBUTES, XFRM, sizes) can be anything: where it differs from the processor every ECREATE is intercepted, and
   * judged by CPUID, by XCR0 and then by the processor.
   *
   * @throws MisuseError for SGX features that KVM does not support
   */
  setCpuid(cpuid: KvmCpuid): void {
    const offered = offeredCpuid(this.vm.host);
    const words: readonly (readonly [string, number, number])[] = [
      ['leaf 7 EBX', cpuid.leaf7.ebx & Leaf7.EBX_SGX, offered.leaf7.ebx],
      ['leaf 7 ECX', cpuid.leaf7.ecx & Leaf7.ECX_LAUNCH_CONTROL, offered.leaf7.ecx],
      ['leaf 0x12 EAX', cpuid.sgxLeaf0?.eax ?? 0, offered.sgxLeaf0?.eax ?? 0],
    ];
    const excess = words.filter(([, given, known]) => (given & ~known) !== 0);
    if (excess.length > 0) {
      throw new MisuseError(
        'A virtual CPU can have only SGX features that KVM supports.',
        excess.map(([name, given, known]) => `given: ${name} ${given}, supported: ${known}`),
      );
    }
    this.#cpuid = cpuid;
    this.updateBitmap();
  }

  /** Reads an MSR. @returns value, or null: #GP(0) */
  readMsr(msr: number, by: MsrAccess = 'guest'): bigint | null {
    return this.#msrs.read(msr, by);
  }

  /** Writes an MSR. @returns whether it was taken; if not: #GP(0) */
  writeMsr(msr: number, value: bigint, by: MsrAccess = 'guest'): boolean {
    const isTaken = this.#msrs.write(msr, value, by);
    if (isTaken) this.updateBitmap();
    return isTaken;
  }

  /** A nested guest is entered whose hypervisor asks for these exits besides; 0: it has left. */
  enterNested(bitmap: bigint): void {
    this.#nested = bitmap;
    this.updateBitmap();
  }

  /** Reset, as at a reboot. The firmware has to enable SGX again. */
  reset(): void {
    this.#msrs.reset();
    this.#nested = 0n;
    this.updateBitmap();
  }

  /** Computes the bitmap again. @internal */
  updateBitmap(): void {
    this.#bitmap = enclsBitmap({
      host: this.vm.host,
      cpuid: this.#cpuid,
      featureControl: this.#msrs.featureControl,
      isProvisioningAllowed: this.vm.isProvisioningAllowed,
      nested: this.#nested,
    });
  }

  #has(leaf: number): boolean {
    return ((this.#cpuid.sgxLeaf0?.eax ?? 0) & leaf) !== 0;
  }
}
