import { Leaf } from '@epckit/interface';
import type { KvmCpuid, KvmCpuidRegisters } from './cpuid.js';
import { Leaf7, SgxLeaf0 } from './cpuid.js';
import type { KvmHost } from './host.js';
import { hasLaunchControl } from './host.js';
import { FeatureControl } from './msrs.js';

/** What the ENCLS-exiting bitmap of a virtual CPU follows from. */
export interface EnclsBitmapInputs {
  /** The processor. */
  readonly host: KvmHost;
  /** CPUID of the virtual CPU. */
  readonly cpuid: KvmCpuid;
  /** Feature-control MSR of the virtual CPU. */
  readonly featureControl: bigint;
  /** May enclaves of the VM have PROVISIONKEY? */
  readonly isProvisioningAllowed: boolean;
  /** Bitmap that the guest's own hypervisor asks for while a nested guest runs; 0 if none does. */
  readonly nested: bigint;
}

/** Every leaf exits. */
export const ALL_LEAVES = 0xffff_ffff_ffff_ffffn;
const LAST_BIT = 63;
/** ECREATE … ETRACK. */
const SGX1_LEAVES = leavesFrom(Leaf.ECREATE, Leaf.ETRACK);
/** EAUG, EMODPR, EMODT. */
const SGX2_LEAVES = leavesFrom(Leaf.EAUG, Leaf.EMODT);

/**
 * The ENCLS-exiting bitmap of a virtual CPU (Linux `vmx_write_encls_bitmap`): a bit per leaf, set: the leaf is a VM
 * exit. A leaf that the guest is not told of always exits; 0 on a processor that cannot intercept ENCLS.
 */
export function enclsBitmap(inputs: EnclsBitmapInputs): bigint {
  if (!inputs.host.hasEnclsExiting) return 0n;
  let bitmap = ALL_LEAVES;
  if (isSgxOn(inputs)) {
    const leaves = inputs.cpuid.sgxLeaf0?.eax ?? 0;
    if ((leaves & SgxLeaf0.SGX1) !== 0) {
      bitmap &= ~SGX1_LEAVES;
      if (mustFilterEcreate(inputs)) bitmap |= bitOf(Leaf.ECREATE);
    }
    if ((leaves & SgxLeaf0.SGX2) !== 0) bitmap &= ~SGX2_LEAVES;
    if (hasLaunchControl(inputs.host)) bitmap |= bitOf(Leaf.EINIT);
  }
  return bitmap | inputs.nested;
}

/** Does the bitmap intercept the leaf, any number in EAX? The last bit is that of all leaves from 63 on. */
export function isIntercepted(bitmap: bigint, leaf: number): boolean {
  return (bitmap & bitOf(Math.min(leaf, LAST_BIT))) !== 0n;
}

/**
 * Must the host look at every ECREATE? If the guest may do less than the processor can: without PROVISIONKEY, or with
 * other limits of MISCSELECT, ATTRIBUTES, XFRM or enclave size.
 */
export function mustFilterEcreate({ host, cpuid, isProvisioningAllowed }: EnclsBitmapInputs): boolean {
  if (!isProvisioningAllowed) return true;
  const [guest0, host0] = [cpuid.sgxLeaf0, host.cpuid.sgxLeaf0];
  const [guest1, host1] = [cpuid.sgxLeaf1, host.cpuid.sgxLeaf1];
  if (guest0 === null || guest1 === null || host0 === null || host1 === null) return true;
  return guest0.ebx !== host0.ebx || guest0.edx !== host0.edx || !isSame(guest1, host1);
}

/** Can the guest execute ENCLS: SGX in CPUID, and locked and enabled by its firmware? */
function isSgxOn({ cpuid, featureControl }: EnclsBitmapInputs): boolean {
  const needed = FeatureControl.LOCKED | FeatureControl.SGX_ENABLED;
  return (cpuid.leaf7.ebx & Leaf7.EBX_SGX) !== 0 && (featureControl & needed) === needed;
}

function isSame(a: KvmCpuidRegisters, b: KvmCpuidRegisters): boolean {
  return a.eax === b.eax && a.ebx === b.ebx && a.ecx === b.ecx && a.edx === b.edx;
}

function bitOf(leaf: number): bigint {
  return 1n << BigInt(leaf);
}

function leavesFrom(first: number, last: number): bigint {
  return ((1n << BigInt(last - first + 1)) - 1n) << BigInt(first);
}
