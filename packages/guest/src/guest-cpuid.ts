import { sectionsToCpuid } from '@epckit/hardware';
import { PAGE_SIZE_BYTES } from '@epckit/interface';
import type { KvmCpuid } from '@epckit/vepc';
import { Leaf7 } from '@epckit/vepc';
import type { GuestEpc } from './guest-epc.js';

/**
 * CPUID that the VMM sets for a guest: leaf 0x12 gets a sub-leaf for each EPC section, with its address and size, and the
 * end of the list. A guest without SGX is told of none.
 */
export function guestCpuid(cpuid: KvmCpuid, epc: GuestEpc): KvmCpuid {
  if ((cpuid.leaf7.ebx & Leaf7.EBX_SGX) === 0) return cpuid;
  const sections = epc.sections.map(({ firstPage, pageCount }) => {
    return { base: epc.physical(firstPage), sizeBytes: pageCount * PAGE_SIZE_BYTES };
  });
  return { ...cpuid, epcSections: sectionsToCpuid(sections) };
}
