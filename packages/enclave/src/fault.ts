import type { AddressSpace, PageTable, Routine, Thread, Vma } from '@epckit/interface';
import { Errno } from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import type { Loader } from './load.js';

/** Result of a page fault (Linux `vm_fault_t`). */
export const FaultResult = {
  /** the access is repeated, whether or not the page is there now */
  NOPAGE: 0,
  /** the process gets SIGBUS */
  SIGBUS: 1,
  /** the out-of-memory killer is asked */
  OOM: 2,
  /** the address-space lock was dropped: the fault starts again */
  RETRY: 3,
} as const;
/** Value of {@link FaultResult}. */
export type FaultResultId = (typeof FaultResult)[keyof typeof FaultResult];

/** Page fault on a mapping of an enclave (Linux `sgx_vma_fault`). */
export class FaultHandler {
  /** What the driver is made of. */
  protected readonly components: EnclaveDriverComponents;
  /** Brings pages back. */
  protected readonly loader: Loader;

  constructor(components: EnclaveDriverComponents, loader: Loader) {
    this.components = components;
    this.loader = loader;
  }

  /**
   * Makes the page present. The caller holds the mmap lock for reading and has found the mapping.
   *
   * A page that a reclaimer has, or EPC that must be reclaimed first, ends in NOPAGE without a page: the
   * access faults again.
   */
  *fault(
    thread: Thread,
    mm: AddressSpace,
    vma: Vma,
    enclave: Enclave,
    index: number,
  ): Routine<FaultResultId> {
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    const table = mm.table(enclave.id) as PageTable;
    const page = this.isAllowed(vma, enclave, index)
      ? yield* this.loader.load(thread, enclave, index)
      : -Errno.EFAULT;
    if (page >= 0 && thread.clock > thread.limit) yield table.pteAt(index);
    const result = page < 0 ? resultOf(page) : this.insert(thread, table, index);
    enclave.lock.release(thread);
    this.components.probe?.faultHandled(thread.id, enclave.id, index, page >= 0);
    return result;
  }

  /** There is a record, and the mapping's rights lie within the page's ceiling. */
  protected isAllowed(vma: Vma, enclave: Enclave, index: number): boolean {
    if (index >= enclave.pageCount || !enclave.records.exists(index)) return false;
    return (vma.prot & ~enclave.records.ceiling(index)) === 0;
  }

  /** Inserts the entry and clears its accessed bit: a fresh entry carries it. */
  protected insert(thread: Thread, table: PageTable, index: number): FaultResultId {
    // Another thread may have been faster: inserting over an entry succeeds and changes nothing.
    table.insert(thread, index);
    const isYoung = table.testAndClearYoung(thread, index);
    this.components.probe?.aged(thread.id, table.owner, index, isYoung);
    return FaultResult.NOPAGE;
  }
}

/** Result of a fault whose load failed. */
function resultOf(error: number): FaultResultId {
  return error === -Errno.EBUSY ? FaultResult.NOPAGE : FaultResult.SIGBUS;
}
