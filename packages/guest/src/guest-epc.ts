import type { AddressSpace, FrameTable, NodeId, PageIndex } from '@epckit/interface';
import { Access, MisuseError, NONE, OwnerKind, PAGE_SIZE_BYTES, Walk } from '@epckit/interface';
import type { Vepc, VepcAddress } from '@epckit/vepc';

/** One EPC section of a guest: pages of guest-physical memory behind which an instance stands. */
export interface GuestSection {
  /** First page of the section, counted over all sections of the guest. */
  readonly firstPage: PageIndex;
  /** Number of pages. */
  readonly pageCount: number;
  /** NUMA node that the guest is told. */
  readonly node: NodeId;
  /** Instance that backs the section now; another one after a migration. */
  vepc: Vepc;
}

/**
 * Guest-physical EPC: which host page a guest's EPC page is. A page of a section is a page of an instance, and the
 * page table of the VMM stands for the extended page table too: KVM takes its entries from there, and removing one
 * there removes both.
 */
export class GuestEpc {
  /** Sections in ascending order of their pages. */
  readonly sections: readonly GuestSection[];
  /** Pages of all sections. */
  readonly pageCount: number;
  /** Guest-physical page number of EPC page 0. */
  readonly basePage: number;
  /** Address space of the VMM. */
  readonly mm: AddressSpace;
  readonly #hostFrames: FrameTable;

  constructor(mm: AddressSpace, sections: readonly GuestSection[], basePage: number, hostFrames: FrameTable) {
    this.mm = mm;
    this.sections = sections;
    this.basePage = basePage;
    this.pageCount = sections.reduce((sum, { pageCount }) => sum + pageCount, 0);
    this.#hostFrames = hostFrames;
  }

  /** Is it a page of the guest's EPC? */
  has(page: PageIndex): boolean {
    return page >= 0 && page < this.pageCount;
  }

  /** Where the page lies in the VMM. @throws MisuseError for a page that the guest does not have */
  addressOf(page: PageIndex): VepcAddress {
    const section = this.#sectionOf(page);
    return { mm: this.mm, vepc: section.vepc, page: page - section.firstPage };
  }

  /** Walk of the extended page table, which sets its accessed bit. @returns host EPC page, or `-1`: EPT violation */
  translate(page: PageIndex): PageIndex {
    const section = this.#sectionOf(page);
    const index = page - section.firstPage;
    if (this.mm.walk(section.vepc.id, index, Access.WRITE) !== Walk.HIT) return NONE;
    return section.vepc.pages.get(index);
  }

  /** Has the extended page table an entry? Nothing is accessed. */
  isMapped(page: PageIndex): boolean {
    const section = this.#sectionOf(page);
    return (this.mm.table(section.vepc.id)?.pte[page - section.firstPage] ?? 0) !== 0;
  }

  /** Host EPC page behind the page, mapped or not, or `-1`: for reports and invariants. Nothing is accessed. */
  resident(page: PageIndex): PageIndex {
    const section = this.#sectionOf(page);
    return section.vepc.pages.get(page - section.firstPage);
  }

  /** Guest's EPC page of a host EPC page, or `-1` if that is none of this guest. */
  pageOf(hostPage: PageIndex): PageIndex {
    if (hostPage < 0 || this.#hostFrames.kind(hostPage) !== OwnerKind.GUEST) return NONE;
    const owner = this.#hostFrames.owner(hostPage);
    const section = this.sections.find(({ vepc }) => vepc.id === owner);
    const index = this.#hostFrames.record(hostPage);
    // The host's own version array pages for the instance have records beyond its pages.
    return section === undefined || index < 0 || index >= section.pageCount
      ? NONE
      : section.firstPage + index;
  }

  /** Guest-physical address of an EPC page in bytes. */
  physical(page: PageIndex): number {
    return (this.basePage + page) * PAGE_SIZE_BYTES;
  }

  /** Where a guest-physical address in bytes lies in the VMM, or null: not in an EPC section. Plain. */
  resolve(address: number): VepcAddress | null {
    const page = Math.floor(address / PAGE_SIZE_BYTES) - this.basePage;
    return this.has(page) ? this.addressOf(page) : null;
  }

  #sectionOf(page: PageIndex): GuestSection {
    for (const section of this.sections) {
      if (page < section.firstPage + section.pageCount && page >= section.firstPage) return section;
    }
    throw new MisuseError('The guest has no such EPC page.', [
      `given: ${page}`,
      `EPC pages of the guest: 0 … ${this.pageCount - 1}`,
    ]);
  }
}
