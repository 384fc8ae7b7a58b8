import type { PageIndex, Routine, Thread, Vma } from '@epckit/interface';
import { Errno, NONE, SgxCode } from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import type { EnclavePaging } from './enclave-paging.js';
import type { EnclavePages } from './pages.js';
import { SECS_RECORD } from './record-id.js';

/**
 * Brings a page of an enclave back into the EPC (Linux `__sgx_encl_load_page`, `sgx_encl_eldu`). The
 * enclave's lock is held.
 */
export class Loader {
  /** What the driver is made of. */
  protected readonly components: EnclaveDriverComponents;
  /** Gets and gives back EPC pages. */
  protected readonly pages: EnclavePages;

  constructor(components: EnclaveDriverComponents, pages: EnclavePages) {
    this.components = components;
    this.pages = pages;
  }

  /**
   * Makes the page resident, its SECS first.
   *
   * @returns EPC page; `-EBUSY`: a reclaimer or an ioctl has it, or EPC must be reclaimed first; `-ENOMEM`, `-EFAULT`;
   * of an enclave that dies `-EFAULT`
   */
  *load(thread: Thread, enclave: Enclave, index: number): Routine<number> {
    if (enclave.isDying) return -Errno.EFAULT;
    const resident = enclave.records.epc(index);
    if (resident >= 0) return enclave.records.isBusy(index) ? -Errno.EBUSY : resident;
    // Neither in the EPC nor versioned: an EWB that failed for good has lost the page (L-02).
    if (enclave.records.slot(index) < 0) return -Errno.EFAULT;
    const secs = enclave.secs === NONE ? yield* this.loadSecs(thread, enclave) : enclave.secs;
    if (secs < 0) return secs;
    const page = yield* this.eldu(thread, enclave, index);
    if (page < 0) {
      // After EBUSY the access is repeated, and needs the SECS then.
      if (page !== -Errno.EBUSY) yield* this.pages.idleSecs(thread, enclave);
      return page;
    }
    enclave.records.setResident(index, page);
    if (enclave.children === 0) yield* this.pages.claimSecs(thread, enclave);
    enclave.addChildren(1);
    yield* this.components.lists.mark(thread, page);
    return page;
  }

  /**
   * {@link load} for an access through a mapping (Linux `sgx_encl_load_page_in_vma`). `-EFAULT` too if the enclave
   * does not know the mapping, has no such page, or the mapping's rights are beyond the page's ceiling.
   */
  *loadInVma(thread: Thread, vma: Vma, enclave: Enclave, index: number): Routine<number> {
    if (vma.isOrphan === true || !hasRecord(enclave, index)) return -Errno.EFAULT;
    if ((vma.prot & ~enclave.records.ceiling(index)) !== 0) return -Errno.EFAULT;
    return yield* this.load(thread, enclave, index);
  }

  /** {@link load} for an ioctl (Linux `sgx_encl_load_page`). `-EFAULT` too if there is no such page. */
  *loadByAddress(thread: Thread, enclave: Enclave, index: number): Routine<number> {
    return hasRecord(enclave, index) ? yield* this.load(thread, enclave, index) : -Errno.EFAULT;
  }

  /** Makes the evicted SECS resident. @returns EPC page or negated errno */
  *loadSecs(thread: Thread, enclave: Enclave): Routine<number> {
    if (enclave.secsSlot < 0) return -Errno.EFAULT; // lost by an EWB that failed for good (L-02)
    const page = yield* this.eldu(thread, enclave, NONE);
    if (page >= 0) enclave.setSecsResident(page);
    return page;
  }

  /** ELDU of one page (`-1`: the SECS) into a fresh EPC page. @returns EPC page or negated errno */
  protected *eldu(thread: Thread, enclave: Enclave, index: number): Routine<number> {
    const page = yield* this.pages.alloc(thread, enclave, index === NONE ? SECS_RECORD : index, false);
    if (page < 0) return page;
    const result = yield* this.execute(thread, enclave, page, index);
    if (result === SgxCode.SUCCESS) return page;
    yield* this.pages.free(thread, page);
    return result < 0 ? result : -Errno.EFAULT;
  }

  /** Contents from the backing store, ELDU, truncation. */
  protected execute(thread: Thread, enclave: Enclave, page: PageIndex, index: number): Routine<number> {
    const { loadBack } = enclave.paging as EnclavePaging;
    if (index === NONE) return loadBack.load(thread, page, NONE, enclave.pageCount, enclave.secsSlot);
    return loadBack.load(thread, page, enclave.secs, index, enclave.records.slot(index));
  }
}

function hasRecord({ pageCount, records }: Enclave, index: number): boolean {
  return index < pageCount && records.exists(index);
}
