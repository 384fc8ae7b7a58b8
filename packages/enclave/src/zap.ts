import type { Routine, Thread } from '@epckit/interface';
import type { Enclave } from './enclave.js';
import type { PageTableVisitor } from './mm-list.js';

/**
 * Removes the entry of a page from every address space that maps the enclave, again if one was added meanwhile
 * (Linux `sgx_zap_enclave_ptes`). Takes mmap locks, so the enclave's lock must not be held.
 */
export function zapEverywhere(thread: Thread, enclave: Enclave, index: number): Routine<unknown> {
  return enclave.mms.visit(thread, index, zapEntry, true);
}

const zapEntry: PageTableVisitor = (thread, table, index) => {
  table.zap(thread, index);
  return false;
};
