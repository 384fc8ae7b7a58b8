import type { AddressSpace, ErrnoResult, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, MisuseError } from '@epckit/interface';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
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

/** mmap of an enclave, and leaving it again (Linux `sgx_mmap`, `sgx_encl_may_map`, `sgx_encl_mm_add`, `sgx_release`). */
export class Mapper {
  readonly #releaser: Releaser;

  constructor(releaser: Releaser) {
    this.#releaser = releaser;
  }

  /**
   * Maps a range, shared and at a fixed address; replaces what is there.
   *
   * @returns 0 or `-EACCES`: outside the range of an initialized enclave, or a page's ceiling forbids it
   */
  *map(thread: Thread, mm: AddressSpace, enclave: Enclave, argument: MapArgument): Routine<ErrnoResult> {
    while (mm.lock.mustWaitWrite(thread)) yield mm.lock.acquireWrite;
    const result = yield* this.#mayMap(thread, enclave, argument);
    const isWithin = isWithinRange(enclave, argument);
    if (result === 0 && isWithin) {
      if (!enclave.mms.has(mm)) {
        if (thread.spend(Cost.STEP) > thread.limit) yield enclave.refs.adding;
        enclave.refs.get(thread);
        yield* enclave.mms.add(thread, mm);
      }
      mm.tableFor(enclave.id, enclave.pageCount).map(thread, argument.start, argument.end, argument.prot);
    }
    mm.lock.releaseWrite(thread);
    if (result === 0 && !isWithin) throw beyondRange(enclave, argument);
    return result;
  }

  /** Removes mappings of a range; the address space stays listed. */
  *unmap(thread: Thread, mm: AddressSpace, enclave: Enclave, start: number, end: number): Routine<void> {
    while (mm.lock.mustWaitWrite(thread)) yield mm.lock.acquireWrite;
    mm.table(enclave.id)?.unmap(thread, start, end);
    mm.lock.releaseWrite(thread);
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
      yield* this.#drop(thread, enclave);
    }
    yield* this.#drop(thread, enclave);
  }

  *#drop(thread: Thread, enclave: Enclave): Routine<void> {
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.refs.writing;
    if (enclave.refs.put(thread)) yield* this.#releaser.release(thread, enclave);
  }

  /** Existing pages impose their ceiling; holes impose nothing. */
  *#mayMap(thread: Thread, enclave: Enclave, argument: MapArgument): Routine<ErrnoResult> {
    const { start, end, prot } = argument;
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    const isInitialized = (enclave.flags.read(thread) & EnclaveFlag.INITIALIZED) !== 0;
    if (isInitialized && (start < 0 || end > enclave.pageCount)) return -Errno.EACCES;
    while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
    let result = 0;
    const { records } = enclave;
    for (let i = records.next(start); i >= 0 && i < end; i = records.next(i + 1)) {
      if ((prot & ~records.ceiling(i)) === 0) continue;
      result = -Errno.EACCES;
      break;
    }
    enclave.lock.release(thread);
    return result;
  }
}

function isWithinRange(enclave: Enclave, { start, end }: MapArgument): boolean {
  return start >= 0 && start < end && end <= enclave.pageCount;
}

/** Linux lets a mapping reach beyond the range until INIT; page tables here cover the range only. */
function beyondRange(enclave: Enclave, { start, end }: MapArgument): MisuseError {
  return new MisuseError('A mapping must lie within the range of its enclave.', [
    `given: pages ${start} … ${end}`,
    `range: pages 0 … ${enclave.pageCount}`,
  ]);
}
