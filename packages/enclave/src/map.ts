import type { AddressSpace, ErrnoResult, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, MisuseError } from '@epckit/interface';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import type { KernelFailures } from './kernel-failures.js';
import type { Releaser } from './release.js';

/** Range and rights of a mapping, in pages of the enclave's range. */
export interface MapArgument {
  /** First page. */
  readonly start: number;
  /** Page after the last. */
  readonly end: number;
  /** Bits of `Prot`. */
  readonly prot: number;
}

/**
 * mmap, munmap and mprotect of an enclave, and what the end of a file or of an address space means for it (Linux
 * `sgx_mmap`, `sgx_vma_mprotect`, `sgx_vma_open`, `sgx_encl_may_map`, `sgx_encl_mm_add`, `sgx_release`,
 * `sgx_mmu_notifier_release`).
 */
export class Mapper {
  readonly #releaser: Releaser;
  readonly #failures: KernelFailures | null;

  constructor(releaser: Releaser, failures: KernelFailures | null = null) {
    this.#releaser = releaser;
    this.#failures = failures;
  }

  /**
   * Maps a range, shared and at a fixed address. What is there is unmapped first, also when the new mapping is
   * refused then. Until INIT a mapping may reach beyond the range.
   *
   * @returns 0; `-EINVAL`: an empty range; `-EACCES`: beyond the range of an initialized enclave, or a page's
   * ceiling forbids it; `-ENOMEM`
   * @throws MisuseError if CREATE has not given the enclave a range yet
   */
  *map(thread: Thread, mm: AddressSpace, enclave: Enclave, argument: MapArgument): Routine<ErrnoResult> {
    const { start, end, prot } = argument;
    if (!(start < end)) return -Errno.EINVAL;
    if (enclave.pageCount === 0) throw noRange();
    while (mm.lock.mustWaitWrite(thread)) yield mm.lock.acquireWrite;
    const before = mm.table(enclave.id);
    if (before !== undefined && thread.clock > thread.limit) yield before.pteAt(Math.max(start, 0));
    before?.unmap(thread, Math.max(start, 0), Math.max(end, 0));
    let result = yield* this.#mayMap(thread, enclave, argument, !enclave.mms.has(mm));
    if (result === 0) result = yield* this.addSpace(thread, mm, enclave);
    if (result === 0) {
      const table = mm.tableFor(enclave.id, enclave.pageCount);
      if (thread.clock > thread.limit) yield table.pteAt(start);
      table.map(thread, start, end, prot);
    }
    mm.lock.releaseWrite(thread);
    return result;
  }

  /**
   * Changes the rights of a mapped range, mapping by mapping up to the first that is refused.
   *
   * @returns 0; `-ENOMEM`: the range has a hole; `-EACCES`: a page's ceiling forbids it
   */
  *protect(thread: Thread, mm: AddressSpace, enclave: Enclave, argument: MapArgument): Routine<ErrnoResult> {
    const { start, end, prot } = argument;
    while (mm.lock.mustWaitWrite(thread)) yield mm.lock.acquireWrite;
    const table = mm.table(enclave.id);
    let result: ErrnoResult = 0;
    for (let at = start; at < end && result === 0; ) {
      const vma = table?.vmaOf(at);
      if (table === undefined || vma === undefined) {
        result = -Errno.ENOMEM;
        break;
      }
      const stop = Math.min(vma.end, end);
      result = yield* this.#mayMap(thread, enclave, { start: at, end: stop, prot }, false);
      if (result === 0) {
        if (thread.clock > thread.limit) yield table.pteAt(at);
        table.protect(thread, at, stop, prot);
      }
      at = stop;
    }
    mm.lock.releaseWrite(thread);
    return result;
  }

  /** Removes mappings of a range; the address space stays listed. */
  *unmap(thread: Thread, mm: AddressSpace, enclave: Enclave, start: number, end: number): Routine<void> {
    while (mm.lock.mustWaitWrite(thread)) yield mm.lock.acquireWrite;
    const table = mm.table(enclave.id);
    if (table !== undefined && thread.clock > thread.limit) yield table.pteAt(start);
    table?.unmap(thread, start, end);
    mm.lock.releaseWrite(thread);
  }

  /**
   * The address space maps the enclave from now on. Its mmap lock is held for writing.
   *
   * @returns 0 or `-ENOMEM`; a reference is lost when the notifier cannot be registered (L-11)
   */
  *addSpace(thread: Thread, mm: AddressSpace, enclave: Enclave): Routine<ErrnoResult> {
    if (enclave.mms.has(mm)) return 0;
    if (this.#failures?.fails('kmalloc') === true) return -Errno.ENOMEM;
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.refs.adding;
    enclave.refs.get(thread);
    if (this.#failures?.fails('mmu_notifier') === true) {
      yield* this.unregistered(thread, enclave);
      return -Errno.ENOMEM;
    }
    yield* enclave.mms.add(thread, mm);
    return 0;
  }

  /**
   * The address space is being torn down: it leaves the list.
   *
   * @returns whether it was listed. Then its reference is to be dropped with {@link drop}, after a grace period
   * of its own (Linux `mmu_notifier_put`)
   */
  *leaveSpace(thread: Thread, mm: AddressSpace, enclave: Enclave): Routine<boolean> {
    if (!(yield* enclave.mms.take(thread, mm))) return false;
    yield* enclave.mms.synchronize(thread);
    return true;
  }

  /**
   * The last descriptor is closed: address spaces leave the list, references are dropped. A mapping holds the
   * file, so the caller has unmapped every range and forgotten the page tables before.
   */
  *closeFile(thread: Thread, enclave: Enclave): Routine<void> {
    for (;;) {
      const mm = yield* enclave.mms.takeFirst(thread);
      if (mm === undefined) break;
      yield* enclave.mms.synchronize(thread);
      mm.forget(enclave.id);
      yield* this.drop(thread, enclave);
    }
    for (const mm of enclave.mms.drained()) mm.forget(enclave.id);
    yield* this.drop(thread, enclave);
  }

  /** Drops one reference; the last one releases the enclave. */
  *drop(thread: Thread, enclave: Enclave): Routine<void> {
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.refs.writing;
    if (enclave.refs.put(thread)) yield* this.#releaser.release(thread, enclave);
  }

  /** The notifier could not be registered; a reference was taken for it, and Linux loses it (L-11). */
  protected *unregistered(_thread: Thread, _enclave: Enclave): Routine<void> {}

  /** Existing pages impose their ceiling; holes impose nothing. An enclave that dies comes into no new address space. */
  *#mayMap(
    thread: Thread,
    enclave: Enclave,
    argument: MapArgument,
    isNewSpace: boolean,
  ): Routine<ErrnoResult> {
    const { start, end, prot } = argument;
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    const flags = enclave.flags.read(thread);
    if (isNewSpace && (flags & EnclaveFlag.NO_MEMORY) !== 0) return -Errno.ENOMEM;
    const isInitialized = (flags & EnclaveFlag.INITIALIZED) !== 0;
    if (isInitialized && (start < 0 || end > enclave.pageCount)) return -Errno.EACCES;
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    let result = 0;
    const { records } = enclave;
    for (let i = records.next(Math.max(start, 0)); i >= 0 && i < end; i = records.next(i + 1)) {
      if ((prot & ~records.ceiling(i)) === 0) continue;
      result = -Errno.EACCES;
      break;
    }
    enclave.lock.release(thread);
    return result;
  }
}

/** The repair of L-11: the reference is dropped; that of the file keeps the enclave. */
export class BalancedMapper extends Mapper {
  protected override unregistered(thread: Thread, enclave: Enclave): Routine<void> {
    return this.drop(thread, enclave);
  }
}

/** Linux maps an enclave without a range at any address; page tables here cover the range. */
function noRange(): MisuseError {
  return new MisuseError('An enclave can be mapped after CREATE only.', [], {
    hint: 'Linux allows it before; page tables here cover the range that CREATE gives.',
  });
}
