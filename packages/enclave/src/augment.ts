import type { LeafResult, PageTable, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, isExit, Leaf, NONE, PageType, Prot, SgxCode, servedByHost } from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import type { EnclavePaging } from './enclave-paging.js';
import type { Loader } from './load.js';
import type { EnclavePages } from './pages.js';

/** Parts of an {@link Augmenter}. */
export interface AugmenterParts {
  /** What the driver is made of. */
  readonly components: EnclaveDriverComponents;
  /** Gets and gives back EPC pages. */
  readonly pages: EnclavePages;
  /** Brings the SECS back. */
  readonly loader: Loader;
}

/** Enclave code decides about the rights of a page that was added at run time. */
const CEILING = Prot.R | Prot.W | Prot.X;

/** Adds a page at run time when a fault finds that there is none (Linux `sgx_encl_eaug_page`). */
export class Augmenter {
  /** What the driver is made of. */
  protected readonly components: EnclaveDriverComponents;
  /** Gets and gives back EPC pages. */
  protected readonly pages: EnclavePages;
  /** Brings the SECS back. */
  protected readonly loader: Loader;

  constructor({ components, pages, loader }: AugmenterParts) {
    this.components = components;
    this.pages = pages;
    this.loader = loader;
  }

  /**
   * Adds the page and its entry in `table`. The caller holds the mmap lock for reading. Nothing is reclaimed
   * here, because the locks forbid it.
   *
   * The entry stays young, so the page survives its first ageing. If the entry cannot be made the page stays
   * nevertheless: the next fault finds it.
   *
   * @returns 0; `-EBUSY`: EPC must be reclaimed first; `-ENOMEM`: no kernel memory at all; `-EFAULT`: the page
   * cannot be had, also because another fault was faster (B-42)
   */
  *augment(thread: Thread, table: PageTable, enclave: Enclave, index: number): Routine<number> {
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    const flags = enclave.flags.read(thread) & (EnclaveFlag.INITIALIZED | EnclaveFlag.NO_MEMORY);
    if (flags !== EnclaveFlag.INITIALIZED) return -Errno.EFAULT;
    if (this.components.failures?.fails('kmalloc') === true) return -Errno.ENOMEM;
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    let result = enclave.isDying ? -Errno.EFAULT : yield* this.add(thread, enclave, index);
    if (result === 0) result = yield* this.insert(thread, table, index);
    else if (result !== -Errno.EBUSY) yield* this.pages.idleSecs(thread, enclave);
    enclave.lock.release(thread);
    return result;
  }

  /** SECS, page, version array, in this order: that of the EPC pages that are taken. @returns 0 or negated errno */
  protected *add(thread: Thread, enclave: Enclave, index: number): Routine<number> {
    const secs = enclave.secs === NONE ? yield* this.loader.loadSecs(thread, enclave) : enclave.secs;
    if (secs < 0) return failureOf(secs);
    const page = yield* this.pages.alloc(thread, enclave, index, false);
    if (page < 0) return failureOf(page);
    const versionArray = yield* this.pages.grow(thread, enclave, false);
    if (versionArray < NONE) {
      yield* this.pages.free(thread, page);
      return failureOf(versionArray);
    }
    const { slots } = enclave.paging as EnclavePaging;
    const added = versionArray === NONE ? NONE : slots.addPage(versionArray);
    if (yield* this.fill(thread, enclave, index, page)) return 0;
    if (added !== NONE) slots.removePage(added);
    yield* this.pages.shrink(thread, enclave, versionArray);
    yield* this.pages.free(thread, page);
    return -Errno.EFAULT;
  }

  /** Record, EAUG, count, mark. @returns whether the page is there */
  protected *fill(thread: Thread, enclave: Enclave, index: number, page: number): Routine<boolean> {
    const { records } = enclave;
    if (this.components.failures?.fails('xa') === true) return false;
    // A mapping from before INIT may reach beyond the range: no record there, and EAUG refuses.
    const isInRange = index < enclave.pageCount;
    if (isInRange && records.exists(index)) return false;
    if (isInRange) records.insert(index, PageType.REG, CEILING);
    if ((yield* this.eaug(thread, enclave, index, page)) !== SgxCode.SUCCESS) {
      if (isInRange) records.erase(index);
      return false;
    }
    records.setResident(index, page);
    if (enclave.children === 0) yield* this.pages.claimSecs(thread, enclave);
    enclave.addChildren(1);
    yield* this.components.lists.mark(thread, page);
    return true;
  }

  /** EAUG of a REG page. @returns result of the leaf */
  protected *eaug(thread: Thread, enclave: Enclave, index: number, page: number): Routine<number> {
    const { hardware } = this.components;
    if (thread.spend(Cost.EAUG) > thread.limit) {
      yield hardware.leafAt(page, thread.cpu, Leaf.EAUG, enclave.secs);
    }
    let result: LeafResult;
    do result = hardware.eaug(thread.cpu, page, enclave.secs, enclave.linearPage(index), 0);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    return result;
  }

  /** Makes the entry. @returns 0 or `-EFAULT` */
  protected *insert(thread: Thread, table: PageTable, index: number): Routine<number> {
    if (this.components.failures?.fails('pfn') === true) return -Errno.EFAULT;
    if (thread.clock > thread.limit) yield table.pteAt(index);
    table.insert(thread, index);
    return 0;
  }
}

/**
 * The repair of B-42: looks again under the lock. Of two faults on a new page the second one finds what the first one
 * has added, and its access is repeated.
 */
export class RecheckingAugmenter extends Augmenter {
  protected override *add(thread: Thread, enclave: Enclave, index: number): Routine<number> {
    const isAdded = index < enclave.pageCount && enclave.records.exists(index);
    return isAdded ? -Errno.EBUSY : yield* super.add(thread, enclave, index);
  }
}

/** Only EPC that must be reclaimed first makes the access fault again. */
function failureOf(error: number): number {
  return error === -Errno.EBUSY ? error : -Errno.EFAULT;
}
