import type { AddressSpace } from '@epckit/interface';
import type { Vepc } from '../vepc.js';

/** A page of an instance. */
export interface VmPage {
  /** Instance. */
  readonly vepc: Vepc;
  /** Page of the instance. */
  readonly page: number;
}

/** What reclaim needs to know of a virtual machine: KVM's half of it. */
export interface OversubVm {
  /**
   * Address space of the VMM. Its page tables stand for both levels: removing an entry removes the guest's
   * translation, and a guest's access sets the accessed bit. Its CPUs are those that may be in the guest.
   */
  readonly mm: AddressSpace;
  /** Page of an instance at a guest-physical address in bytes (KVM `gfn_to_hva`), or null: no memory slot. Plain. */
  resolve(guestAddress: number): VmPage | null;
}
