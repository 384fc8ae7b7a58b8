import { Prot, Pte } from '@epckit/interface';

/** Page-table bits that say what is allowed. */
export const RIGHTS_MASK = Pte.R | Pte.W | Pte.X;

/**
 * Page-table rights of a protection. A page that can be written or executed can be read (x86 page tables have
 * no other way to say it; Linux `protection_map`, SDM vol. 3A, 4.6).
 */
export function rightsOf(prot: number): number {
  let rights = 0;
  if (prot !== 0) rights |= Pte.R;
  if ((prot & Prot.W) !== 0) rights |= Pte.W;
  if ((prot & Prot.X) !== 0) rights |= Pte.X;
  return rights;
}
