import type { AddressSpace, PageIndex } from '@epckit/interface';
import { Access, NONE, Walk } from '@epckit/interface';
import type { Vepc } from './vepc.js';

/**
 * Where a page of an instance lies in the address space of a VMM: the host address to which KVM translates an
 * address in an EPC section of its guest.
 */
export interface VepcAddress {
  /** Address space of the VMM. */
  readonly mm: AddressSpace;
  /** Instance behind the section. */
  readonly vepc: Vepc;
  /** Page of the instance. */
  readonly page: number;
}

/** EPC page behind the address, or `-1`: no writable page-table entry leads to it. */
export function reach({ mm, vepc, page }: VepcAddress): PageIndex {
  return mm.walk(vepc.id, page, Access.WRITE) === Walk.HIT ? vepc.pages.get(page) : NONE;
}
