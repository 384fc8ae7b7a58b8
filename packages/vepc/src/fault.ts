import type { AddressSpace, ErrnoResult, PageTable, Routine, Thread, Vma } from '@epckit/interface';
import { Cost, Errno, MisuseError, NONE, OwnerKind } from '@epckit/interface';
import type { VepcComponents } from './components.js';
import type { Vepc } from './vepc.js';

/** Result of a page fault (Linux `vm_fault_t`), with the numbers of the native driver's results. */
export const VepcFaultResult = {
  /** the access is repeated */
  NOPAGE: 0,
  /** the process gets SIGBUS; KVM_RUN returns EFAULT */
  SIGBUS: 1,
  /** the out-of-memory killer is asked: the instance was killed */
  OOM: 2,
  /** the address-space lock was dropped: the fault starts again */
  RETRY: 3,
} as const;
/** Value of {@link VepcFaultResult}. */
export type VepcFaultResultId = (typeof VepcFaultResult)[keyof typeof VepcFaultResult];

/** Page fault on a mapping of an instance (Linux `sgx_vepc_fault`, `__sgx_vepc_fault`). */
export class VepcFaultHandler {
  /** What the driver is made of. */
  protected readonly components: VepcComponents;

  constructor(components: VepcComponents) {
    this.components = components;
  }

  /**
   * Makes the page present. The caller holds the mmap lock for reading and has found the mapping.
   *
   * EPC is not reclaimed here: it would take mmap locks of others. `-EBUSY` of the allocator drops the mmap lock
   * and ends in RETRY, if the fault `mayRetry`; everything else that fails ends in SIGBUS.
   */
  *fault(
    thread: Thread,
    mm: AddressSpace,
    vma: Vma,
    vepc: Vepc,
    index: number,
    mayRetry = true,
  ): Routine<VepcFaultResultId> {
    const table = mm.table(vepc.id);
    if (table === undefined || !(index >= vma.start && index < vma.end)) throw notMapped(vepc, index);
    while (vepc.lock.mustWait(thread)) yield vepc.lock.acquire;
    const { isDying } = vepc;
    const result = isDying ? -Errno.ENOMEM : yield* this.handle(thread, table, vepc, index);
    vepc.lock.release(thread);
    this.components.probe?.faultHandled(thread.id, vepc.id, index, table.pte[index] !== 0);
    if (isDying) return VepcFaultResult.OOM;
    if (result === 0) return VepcFaultResult.NOPAGE;
    if (result !== -Errno.EBUSY || !mayRetry) return VepcFaultResult.SIGBUS;
    mm.lock.releaseRead(thread);
    return VepcFaultResult.RETRY;
  }

  /** Under the instance's lock. @returns 0, or `-EBUSY`, `-ENOMEM`, `-EFAULT`, and what the allocator returns */
  protected handle(thread: Thread, table: PageTable, vepc: Vepc, index: number): Routine<ErrnoResult> {
    if (vepc.pages.get(index) !== NONE) return this.present(thread, table, index);
    return this.populate(thread, table, vepc, index);
  }

  /** Somebody was faster, and has inserted the entry: nothing to do, even if that was in another mapping (V-01). */
  protected *present(_thread: Thread, _table: PageTable, _index: number): Routine<ErrnoResult> {
    return 0;
  }

  /** A fresh page, invalid in the EPCM as all free pages are: the guest finds it unused. */
  protected *populate(thread: Thread, table: PageTable, vepc: Vepc, index: number): Routine<ErrnoResult> {
    const { allocator } = this.components;
    const page = yield* allocator.alloc(thread, OwnerKind.GUEST, vepc.id, index, false);
    if (page < 0) return page;
    const result = yield* this.install(thread, table, vepc, index, page);
    if (result !== 0) yield* allocator.free(thread, page);
    return result;
  }

  /** Entry of the page array, then entry of the page table. */
  protected *install(
    thread: Thread,
    table: PageTable,
    vepc: Vepc,
    index: number,
    page: number,
  ): Routine<ErrnoResult> {
    const { failures } = this.components;
    if (failures?.fails('xa') === true) return -Errno.ENOMEM;
    if (thread.spend(Cost.STEP) > thread.limit) yield vepc.pages.writing;
    vepc.pages.set(index, page);
    if (failures?.fails('pfn') !== true) return yield* this.insert(thread, table, index);
    if (thread.spend(Cost.STEP) > thread.limit) yield vepc.pages.writing;
    vepc.pages.erase(index);
    return -Errno.EFAULT;
  }

  /** Inserts the frame into the page table. */
  protected *insert(thread: Thread, table: PageTable, index: number): Routine<ErrnoResult> {
    if (thread.clock > thread.limit) yield table.pteAt(index);
    table.insert(thread, index);
    return 0;
  }
}

/** Inserts the frame that is there already where Linux reports success and faults for ever (V-01). */
export class InsertingFaultHandler extends VepcFaultHandler {
  protected override present(thread: Thread, table: PageTable, index: number): Routine<ErrnoResult> {
    return this.insert(thread, table, index);
  }
}

function notMapped(vepc: Vepc, index: number): MisuseError {
  return new MisuseError('A fault needs a mapping that covers the page.', [
    `given: page ${index} of instance ${vepc.id}`,
  ]);
}
