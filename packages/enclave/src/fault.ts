import type { AddressSpace, PageTable, Routine, Thread, Vma } from '@epckit/interface';
import { Cost, Errno } from '@epckit/interface';
import type { Augmenter } from './augment.js';
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
  /** Adds pages. */
  protected readonly augmenter: Augmenter;

  constructor(components: EnclaveDriverComponents, loader: Loader, augmenter: Augmenter) {
    this.components = components;
    this.loader = loader;
    this.augmenter = augmenter;
  }

  /**
   * Makes the page present, on a processor with SGX2 also one that does not exist yet. The caller holds the mmap
   * lock for reading and has found the mapping.
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
    if (vma.isOrphan === true) return FaultResult.SIGBUS;
    const table = mm.table(enclave.id) as PageTable;
    if (yield* this.isMissing(thread, enclave, index)) {
      return yield* this.augment(thread, table, enclave, index);
    }
    return yield* this.load(thread, table, vma, enclave, index);
  }

  /** Is there no record, on a processor that can add pages? Looked at without the lock. */
  protected *isMissing(thread: Thread, enclave: Enclave, index: number): Routine<boolean> {
    const { dynamic } = this.components;
    if (dynamic === null || dynamic === undefined) return false;
    if (index >= enclave.pageCount) return true;
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.records.readingAt(index);
    return !enclave.records.existsUnlocked(index);
  }

  /** The page exists: it is loaded if it is out, and its entry made. */
  protected *load(
    thread: Thread,
    table: PageTable,
    vma: Vma,
    enclave: Enclave,
    index: number,
  ): Routine<FaultResultId> {
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    const page = yield* this.find(thread, vma, enclave, index);
    if (page >= 0 && thread.clock > thread.limit) yield table.pteAt(index);
    const result = page < 0 ? resultOf(page) : this.insert(thread, table, index);
    enclave.lock.release(thread);
    this.components.probe?.faultHandled(thread.id, enclave.id, index, page >= 0);
    return result;
  }

  /** Brings the page back, under the lock. Linux takes one that was removed meanwhile for an error. */
  protected find(thread: Thread, vma: Vma, enclave: Enclave, index: number): Routine<number> {
    return this.loader.loadInVma(thread, vma, enclave, index);
  }

  /** The page does not exist: it is added. */
  protected *augment(
    thread: Thread,
    table: PageTable,
    enclave: Enclave,
    index: number,
  ): Routine<FaultResultId> {
    const result = yield* this.augmenter.augment(thread, table, enclave, index);
    this.components.probe?.faultHandled(thread.id, enclave.id, index, result === 0);
    if (result === -Errno.ENOMEM) return FaultResult.OOM;
    return result === 0 ? FaultResult.NOPAGE : resultOf(result);
  }

  /** Inserts the entry and clears its accessed bit: a fresh entry carries it. */
  protected insert(thread: Thread, table: PageTable, index: number): FaultResultId {
    if (this.components.failures?.fails('pfn') === true) return FaultResult.SIGBUS;
    // Another thread may have been faster: inserting over an entry succeeds and changes nothing.
    table.insert(thread, index);
    const isYoung = table.testAndClearYoung(thread, index);
    this.components.probe?.aged(thread.id, table.owner, index, isYoung);
    return FaultResult.NOPAGE;
  }
}

/**
 * The other half of the repair of B-42: a page that was there before the lock and was removed since is no error. The
 * access is repeated, and adds it.
 */
export class RecheckingFaultHandler extends FaultHandler {
  protected override *find(thread: Thread, vma: Vma, enclave: Enclave, index: number): Routine<number> {
    const isGone = index < enclave.pageCount && !enclave.records.exists(index);
    const mayAdd = this.components.dynamic !== null && this.components.dynamic !== undefined;
    return isGone && mayAdd ? -Errno.EBUSY : yield* super.find(thread, vma, enclave, index);
  }
}

/** Result of a fault whose load failed. */
function resultOf(error: number): FaultResultId {
  return error === -Errno.EBUSY ? FaultResult.NOPAGE : FaultResult.SIGBUS;
}
