import type { Routine, Thread, VersionSlots } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import type { EnclavePages } from './pages.js';

/** Gives everything back when the last reference is gone (Linux `sgx_encl_release`). */
export class Releaser {
  /** What the driver is made of. */
  protected readonly components: EnclaveDriverComponents;
  /** Gets and gives back EPC pages. */
  protected readonly pages: EnclavePages;
  readonly #forget: (enclave: Enclave) => void;

  /** @param forget called last: the enclave's id may be used again */
  constructor(components: EnclaveDriverComponents, pages: EnclavePages, forget: (enclave: Enclave) => void) {
    this.components = components;
    this.pages = pages;
    this.#forget = forget;
  }

  /** Pages by ascending address, SECS, version arrays, backing. */
  *release(thread: Thread, enclave: Enclave): Routine<void> {
    enclave.isReleased = true;
    yield* this.releasePages(thread, enclave);
    yield* this.releaseSecs(thread, enclave);
    yield* this.releaseVersionArrays(thread, enclave);
    enclave.paging?.backing.close();
    this.warnOfLeaks(thread, enclave);
    this.#forget(enclave);
  }

  /**
   * Gives back what no reclaimer has while the enclave goes on existing, for a kill that does not wait. The enclave's
   * lock is held; nobody loads or adds a page of it any more.
   */
  *destroy(thread: Thread, enclave: Enclave): Routine<void> {
    const slots = enclave.paging?.slots;
    if (slots === undefined) return;
    enclave.isDestroyed = true;
    this.#releaseSlots(enclave, slots);
    yield* this.releasePages(thread, enclave);
    yield* this.releaseSecs(thread, enclave);
    for (const { index, page } of [...slots.pages()]) {
      slots.removePage(index);
      yield* this.pages.free(thread, page);
    }
  }

  /** A page in a reclaimer's batch is left to the reclaimer. */
  protected *releasePages(thread: Thread, enclave: Enclave): Routine<void> {
    const { records } = enclave;
    for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
      const page = records.epc(index);
      if (page >= 0) {
        if ((yield* this.components.lists.unmark(thread, page)) !== 0) continue;
        yield* this.pages.free(thread, page);
        enclave.addChildren(-1);
      }
      records.erase(index);
    }
  }

  /** A SECS with children left is leaked: EREMOVE would refuse it. */
  *releaseSecs(thread: Thread, enclave: Enclave): Routine<void> {
    if (enclave.children !== 0 || enclave.secs === NONE) return;
    yield* this.pages.claimSecs(thread, enclave);
    yield* this.pages.free(thread, enclave.secs);
    enclave.setSecsResident(NONE);
  }

  /** What is evicted is lost with its version. */
  #releaseSlots(enclave: Enclave, slots: VersionSlots): void {
    const { records, secsSlot } = enclave;
    for (let index = records.next(0); index !== NONE; index = records.next(index + 1)) {
      const slot = records.slot(index);
      if (slot >= 0) slots.release(slot);
    }
    if (secsSlot < 0) return;
    slots.release(secsSlot);
    enclave.setSecsEvicted(NONE);
  }

  /** From first to last. */
  protected *releaseVersionArrays(thread: Thread, enclave: Enclave): Routine<void> {
    for (const { page } of [...(enclave.paging?.slots.pages() ?? [])]) yield* this.pages.free(thread, page);
  }

  /** What Linux warns about when an enclave goes, one warning each. */
  protected warnOfLeaks(thread: Thread, enclave: Enclave): void {
    const leaks = [enclave.addressSpaces().length > 0, enclave.children !== 0, enclave.secs !== NONE];
    for (const isLeak of leaks) {
      if (isLeak) this.components.probe?.warned(thread.id, 'sgx_encl_release');
    }
  }
}
