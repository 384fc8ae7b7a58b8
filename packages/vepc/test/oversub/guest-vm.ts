import type { AddressSpace } from '@epckit/interface';
import type { OversubVm, Vepc, VmPage } from '../../src/index.js';

/** Bytes from one EPC section of a guest to the next, in guest-physical addresses. */
const SECTION_BYTES = 2 ** 32;
const PAGE_BYTES = 4096;

/** A VM: address space of its VMM, and an EPC section of its guest per instance. */
export class GuestVm implements OversubVm {
  readonly mm: AddressSpace;
  readonly sections: Vepc[] = [];

  constructor(mm: AddressSpace) {
    this.mm = mm;
  }

  /** gfn_to_hva. */
  resolve(guestAddress: number): VmPage | null {
    const vepc = this.sections[Math.floor(guestAddress / SECTION_BYTES) - 1];
    const page = (guestAddress % SECTION_BYTES) / PAGE_BYTES;
    return vepc !== undefined && page < vepc.pageCount ? { vepc, page } : null;
  }

  /** Guest-physical address of a page. */
  addressOf({ vepc, page }: VmPage): number {
    return (this.sections.indexOf(vepc) + 1) * SECTION_BYTES + page * PAGE_BYTES;
  }
}
