import type { LeafResult, PageIndex, RecordId, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, isExit, Leaf, NONE, OwnerKind, servedByHost } from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { versionArrayRecord } from './record-id.js';

/** EPC pages of an enclave: getting them, giving them back, version array pages. */
export class EnclavePages {
  /** Is a SECS without children reclaimable? */
  readonly listsSecs: boolean = false;
  /** What the driver is made of. */
  protected readonly components: EnclaveDriverComponents;

  constructor(components: EnclaveDriverComponents) {
    this.components = components;
  }

  /** Allocates a page for a record. @returns page or negated errno, as `PageAllocator.alloc` */
  alloc(thread: Thread, enclave: Enclave, record: RecordId, mayReclaim: boolean): Routine<number> {
    return this.components.allocator.alloc(thread, OwnerKind.NATIVE, enclave.id, record, mayReclaim);
  }

  /**
   * EREMOVE, then free. A page that EREMOVE refuses is leaked with a warning: recycling it would hand out a
   * valid page (Linux `sgx_encl_free_epc_page`).
   */
  *free(thread: Thread, page: PageIndex): Routine<void> {
    const { hardware, allocator, probe } = this.components;
    if (thread.spend(Cost.EREMOVE) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EREMOVE);
    let result: LeafResult;
    do result = hardware.eremove(thread.cpu, page);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    if (result !== 0) {
      probe?.warned(thread.id, 'sgx_encl_free_epc_page');
      return;
    }
    yield* allocator.free(thread, page);
  }

  /**
   * Makes room for one more page that needs a version slot (Linux `sgx_encl_grow`).
   *
   * @returns EPC page of a new version array, `-1` if none is needed, or a value below `-1`: negated errno
   */
  *grow(thread: Thread, enclave: Enclave, mayReclaim: boolean): Routine<number> {
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.slotUsers.reading;
    let page: number = NONE;
    if (enclave.slotUsers.read(thread) % 512 === 0) {
      page = yield* this.#versionArray(thread, enclave, mayReclaim);
      if (page < 0) return page;
    }
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.slotUsers.adding;
    enclave.slotUsers.add(thread, 1);
    return page;
  }

  /** Undoes a {@link grow}; `page` is the version array it made, or `-1`. */
  *shrink(thread: Thread, enclave: Enclave, page: PageIndex): Routine<void> {
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.slotUsers.adding;
    enclave.slotUsers.add(thread, -1);
    if (page !== NONE) yield* this.free(thread, page);
  }

  /**
   * Called, under the enclave's lock, when the SECS may have been left without children and nobody is about to give it
   * one. Linux leaves it in the EPC until the next child is evicted (L-08).
   */
  *idleSecs(_thread: Thread, _enclave: Enclave): Routine<void> {}

  /**
   * Called before the driver itself evicts or frees the resident SECS, or gives it a child.
   *
   * @returns whether nobody else is about to evict it
   */
  *claimSecs(_thread: Thread, _enclave: Enclave): Routine<boolean> {
    return true;
  }

  *#versionArray(thread: Thread, enclave: Enclave, mayReclaim: boolean): Routine<number> {
    const { hardware, probe, failures } = this.components;
    if (failures?.fails('kmalloc') === true) return -Errno.ENOMEM;
    const record = versionArrayRecord(enclave.nextVersionArray);
    const page = yield* this.alloc(thread, enclave, record, mayReclaim);
    if (page < 0) return page;
    if (thread.spend(Cost.EPA) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EPA);
    let result: LeafResult;
    do result = hardware.epa(thread.cpu, page);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    if (result === 0) {
      enclave.nextVersionArray++;
      return page;
    }
    probe?.warned(thread.id, 'sgx_alloc_va_page');
    yield* this.free(thread, page);
    return -Errno.EFAULT;
  }
}
