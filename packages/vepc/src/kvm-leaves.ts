import type {
  CostKey,
  ErrnoResult,
  InitToken,
  LeafResult,
  Routine,
  SecsSource,
  SigStruct,
  Thread,
} from '@epckit/interface';
import { Cost, Errno, FAULT_FLAG, Leaf, NONE } from '@epckit/interface';
import type { VepcAddress } from './address.js';
import { reach } from './address.js';
import type { VepcComponents } from './components.js';
import { INTEL_LAUNCH_KEY_HASH } from './kvm/launch-key-hash.js';

/** Fault of a leaf that the host has run for a guest; caller-owned and reused. */
export interface Trap {
  /** Vector, such as 13 (#GP) or 14 (#PF). Written when the result is `-EFAULT`. */
  vector: number;
}

/** What KVM hands over for ECREATE. */
export interface VirtEcreate {
  /** Host address of the SECS. */
  readonly secs: VepcAddress;
  /** Contents of the SECS, as KVM has copied and checked them. */
  readonly source: SecsSource;
  /** Does the host address lie in the user half (`access_ok`)? Default: true. */
  readonly isUserRange?: boolean;
  /** Was the leaf paid for when the guest began it, or at an earlier try? Default: false. */
  readonly isPaid?: boolean;
}

/** What KVM hands over for EINIT. */
export interface VirtEinit {
  /** Host address of the SECS. */
  readonly secs: VepcAddress;
  /** SIGSTRUCT of the guest. */
  readonly signature: SigStruct;
  /** EINITTOKEN of the guest, if it has one. */
  readonly token?: InitToken;
  /**
   * Hash MSRs of the virtual CPU, 64 hexadecimal digits in the order of memory; written only if the
   * processor has launch control. Default: Intel's.
   */
  readonly launchKeyHash?: string;
  /** Do the addresses of SIGSTRUCT, token and SECS lie in the user half? Default: true. */
  readonly isUserRange?: boolean;
  /** Was the leaf paid for when the guest began it, or at an earlier try? Default: false. */
  readonly isPaid?: boolean;
}

/**
 * Leaves that the host runs on behalf of a guest, with the host addresses of the guest's pages (Linux
 * `sgx_virt_ecreate`, `sgx_virt_einit`). An address without a page is #PF.
 */
export class KvmLeaves {
  /** What the driver is made of. */
  protected readonly components: VepcComponents;

  constructor(components: VepcComponents) {
    this.components = components;
  }

  /** ECREATE. @returns 0; `-EINVAL`; `-EFAULT` with the vector in `trap` */
  *ecreate(thread: Thread, argument: VirtEcreate, trap: Trap): Routine<ErrnoResult> {
    const { hardware, probe } = this.components;
    const { secs, source, isUserRange = true, isPaid = false } = argument;
    if (!isUserRange) return this.refuse(thread, 'sgx_virt_ecreate');
    const page = reach(secs);
    if (paid(thread, Cost.ECREATE, isPaid) > thread.limit && page !== NONE) {
      yield hardware.leafAt(page, thread.cpu, Leaf.ECREATE);
    }
    const result = hardware.ecreate(thread.cpu, reach(secs), source);
    if (isTrap(result, trap)) return -Errno.EFAULT;
    // The leaf has no codes of its own.
    if (result !== 0) probe?.warned(thread.id, 'sgx_virt_ecreate');
    return 0;
  }

  /** EINIT with the guest's launch key hash. @returns 0 or the SGX code for the guest; `-EINVAL`; `-EFAULT` */
  *einit(thread: Thread, argument: VirtEinit, trap: Trap): Routine<number> {
    const { hardware, launchControl } = this.components;
    const { secs, signature, token, isUserRange = true, isPaid = false } = argument;
    if (!isUserRange) return this.refuse(thread, 'sgx_virt_einit');
    // MSRs and leaf belong to one CPU and are not preempted: one point before both.
    const page = reach(secs);
    if (paid(thread, Cost.EINIT, isPaid) > thread.limit && page !== NONE) {
      yield hardware.leafAt(page, thread.cpu, Leaf.EINIT);
    }
    launchControl?.writeHash(thread.cpu, argument.launchKeyHash ?? INTEL_LAUNCH_KEY_HASH);
    const result = hardware.einit(thread.cpu, reach(secs), signature, token);
    return isTrap(result, trap) ? -Errno.EFAULT : result;
  }

  /** KVM has passed an address that no user mapping can have: a defect of KVM, not of the guest. */
  protected refuse(thread: Thread, where: string): ErrnoResult {
    this.components.probe?.warned(thread.id, where);
    return -Errno.EINVAL;
  }
}

/** Pays for a leaf unless that was done. @returns time */
function paid(thread: Thread, cost: CostKey, isPaid: boolean): number {
  return isPaid ? thread.clock : thread.spend(cost);
}

/** Did the leaf fault? Puts the vector into `trap`. */
function isTrap(result: LeafResult, trap: Trap): boolean {
  if ((result & FAULT_FLAG) === 0) return false;
  trap.vector = result & ~FAULT_FLAG;
  return true;
}
