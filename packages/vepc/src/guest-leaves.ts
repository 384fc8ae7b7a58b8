import type { LeafResult, PageIndex, Routine, SecsSource, Thread } from '@epckit/interface';
import { Cost, Leaf, NONE } from '@epckit/interface';
import type { VepcAddress } from './address.js';
import { reach } from './address.js';
import type { VepcComponents } from './components.js';
import type { KvmLeaves, Trap, VirtEinit } from './kvm-leaves.js';

const costs = {
  [Leaf.EADD]: Cost.EADD,
  [Leaf.EAUG]: Cost.EAUG,
  [Leaf.EREMOVE]: Cost.EREMOVE,
  [Leaf.EPA]: Cost.EPA,
  [Leaf.EENTER]: Cost.EENTER,
} as const;
/** Leaf that a guest executes without the host. */
type GuestLeaf = keyof typeof costs;

/**
 * Result of a guest's leaf that meets a page which is not mapped: the VMM faults it in and the guest repeats the
 * leaf. Below every negated errno.
 */
export const GUEST_UNMAPPED = -4096;

/** `0`, an SGX code or a fault; for ECREATE and EINIT also `-EFAULT` and `-EINVAL`; {@link GUEST_UNMAPPED}. */
export type GuestResult = number;

/**
 * A guest's own leaves on pages of its EPC. ECREATE and EINIT are trapped and run by the host, as KVM does when it
 * has to check attributes and when the processor has launch control. All others run in the guest, and the host does
 * not learn of them.
 */
export class GuestLeaves {
  /** What the driver is made of. */
  protected readonly components: VepcComponents;
  /** Runs what is trapped. */
  protected readonly kvm: KvmLeaves;

  constructor(components: VepcComponents, kvm: KvmLeaves) {
    this.components = components;
    this.kvm = kvm;
  }

  /** ECREATE, trapped. @returns 0, `-EFAULT` with the vector in `trap`, {@link GUEST_UNMAPPED} */
  *ecreate(thread: Thread, secs: VepcAddress, source: SecsSource, trap: Trap): Routine<GuestResult> {
    if (reach(secs) === NONE) return GUEST_UNMAPPED;
    return yield* this.kvm.ecreate(thread, { secs, source }, trap);
  }

  /** EINIT, trapped. @returns 0 or an SGX code, `-EFAULT` with the vector in `trap`, {@link GUEST_UNMAPPED} */
  *einit(
    thread: Thread,
    secs: VepcAddress,
    argument: Omit<VirtEinit, 'secs'>,
    trap: Trap,
  ): Routine<GuestResult> {
    if (reach(secs) === NONE) return GUEST_UNMAPPED;
    return yield* this.kvm.einit(thread, { ...argument, secs }, trap);
  }

  /** EADD; the SECS may lie in another instance. `secinfo`: `SecInfo` bits and type. */
  eadd(
    thread: Thread,
    target: VepcAddress,
    secs: VepcAddress,
    linearPage: number,
    secinfo: number,
    contents = 0,
  ): Routine<GuestResult> {
    const { hardware } = this.components;
    return this.leaf(
      thread,
      Leaf.EADD,
      target,
      (page) => {
        const owner = reach(secs);
        if (owner === NONE) return GUEST_UNMAPPED;
        return hardware.eadd(thread.cpu, page, owner, linearPage, secinfo, contents);
      },
      secs,
    );
  }

  /** EAUG of a REG page; the SECS may lie in another instance. */
  eaug(thread: Thread, target: VepcAddress, secs: VepcAddress, linearPage: number): Routine<GuestResult> {
    const { hardware } = this.components;
    return this.leaf(
      thread,
      Leaf.EAUG,
      target,
      (page) => {
        const owner = reach(secs);
        return owner === NONE ? GUEST_UNMAPPED : hardware.eaug(thread.cpu, page, owner, linearPage, 0);
      },
      secs,
    );
  }

  /** EREMOVE. */
  eremove(thread: Thread, target: VepcAddress): Routine<GuestResult> {
    const { hardware } = this.components;
    return this.leaf(thread, Leaf.EREMOVE, target, (page) => hardware.eremove(thread.cpu, page));
  }

  /** EPA: a version array page of the guest's own. */
  epa(thread: Thread, target: VepcAddress): Routine<GuestResult> {
    const { hardware } = this.components;
    return this.leaf(thread, Leaf.EPA, target, (page) => hardware.epa(thread.cpu, page));
  }

  /** EENTER through a TCS page, which the enclave has at `linearPage`. */
  eenter(thread: Thread, tcs: VepcAddress, linearPage: number): Routine<GuestResult> {
    const { hardware } = this.components;
    return this.leaf(thread, Leaf.EENTER, tcs, (page) => hardware.eenter(thread.cpu, page, linearPage));
  }

  /** A leaf on a page that is looked up again behind the point: it may have been unmapped meanwhile. */
  protected *leaf(
    thread: Thread,
    leaf: GuestLeaf,
    target: VepcAddress,
    execute: (page: PageIndex) => LeafResult,
    secs: VepcAddress | null = null,
  ): Routine<GuestResult> {
    const before = reach(target);
    if (before === NONE) return GUEST_UNMAPPED;
    if (thread.spend(costs[leaf]) > thread.limit) {
      const owner = secs === null ? NONE : reach(secs);
      yield this.components.hardware.leafAt(before, thread.cpu, leaf, owner);
    }
    const page = reach(target);
    return page === NONE ? GUEST_UNMAPPED : execute(page);
  }
}
