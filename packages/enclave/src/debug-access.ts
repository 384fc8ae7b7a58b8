import type { ErrnoResult, LeafResult, Routine, Thread, Vma } from '@epckit/interface';
import { Cost, Errno, isExit, Leaf, SgxCode, servedByHost } from '@epckit/interface';
import type { EnclaveDriverComponents } from './components.js';
import type { Enclave } from './enclave.js';
import { EnclaveFlag } from './enclave.js';
import type { Loader } from './load.js';

const PAGE_BYTES = 4096;
const WORD_BYTES = 8;

/**
 * A debugger's access to the memory of an enclave (Linux `sgx_vma_access`): word by word with EDBGRD and EDBGWR,
 * each under the enclave's lock. The caller holds the mmap lock for reading and has found the mapping.
 */
export class DebugAccess {
  /** What the driver is made of. */
  protected readonly components: EnclaveDriverComponents;
  /** Brings pages back. */
  protected readonly loader: Loader;
  readonly #word = { value: 0n };

  constructor(components: EnclaveDriverComponents, loader: Loader) {
    this.components = components;
    this.loader = loader;
  }

  /**
   * Reads `bytes.length` bytes from `offset` of the enclave's range into `bytes`.
   *
   * @returns bytes done, or `-EFAULT` (no enclave for debuggers, no such page), `-EIO` (a leaf failed), `-ENOMEM`
   */
  read(thread: Thread, vma: Vma, enclave: Enclave, offset: number, bytes: Uint8Array): Routine<number> {
    return this.access(thread, vma, enclave, offset, bytes, false);
  }

  /** Writes `bytes` to `offset` of the enclave's range. @returns as {@link read} */
  write(thread: Thread, vma: Vma, enclave: Enclave, offset: number, bytes: Uint8Array): Routine<number> {
    return this.access(thread, vma, enclave, offset, bytes, true);
  }

  /** An access that fails half-way returns the error, not the bytes that were done. */
  protected *access(
    thread: Thread,
    vma: Vma,
    enclave: Enclave,
    offset: number,
    bytes: Uint8Array,
    isWrite: boolean,
  ): Routine<number> {
    if (vma.isOrphan === true) return -Errno.EFAULT;
    if (thread.spend(Cost.STEP) > thread.limit) yield enclave.flags.reading;
    const flags = enclave.flags.read(thread) & (EnclaveFlag.DEBUG | EnclaveFlag.NO_MEMORY);
    if (flags !== EnclaveFlag.DEBUG) return -Errno.EFAULT;
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done;
      const part = bytes.subarray(done, done + WORD_BYTES - (at % WORD_BYTES));
      const page = yield* this.reserve(thread, vma, enclave, Math.floor(at / PAGE_BYTES));
      if (page < 0) return page;
      const result = yield* this.word(thread, page, at % PAGE_BYTES, part, isWrite);
      enclave.lock.release(thread);
      if (result !== 0) return result;
      done += part.length;
    }
    return bytes.length;
  }

  /**
   * Makes the page resident, as often as it takes, and keeps the enclave's lock (Linux `sgx_encl_reserve_page`).
   * Nothing bounds the loop: somebody else has to free EPC.
   *
   * @returns EPC page with the lock held; or a negated errno without it
   */
  protected *reserve(thread: Thread, vma: Vma, enclave: Enclave, index: number): Routine<number> {
    for (;;) {
      while (enclave.lock.mustWait(thread)) yield enclave.lock.acquire;
      const page = yield* this.loader.loadInVma(thread, vma, enclave, index);
      if (page >= 0) return page;
      enclave.lock.release(thread);
      if (page !== -Errno.EBUSY) return page;
      if (thread.turn('sgx_encl_reserve_page', index)) yield thread.changeWaiting;
    }
  }

  /** The bytes of one word: EDBGRD, and for a write EDBGWR of the word with `part` in it. */
  protected *word(
    thread: Thread,
    page: number,
    offset: number,
    part: Uint8Array,
    isWrite: boolean,
  ): Routine<ErrnoResult> {
    const { hardware } = this.components;
    const first = offset % WORD_BYTES;
    const start = offset - first;
    if (thread.spend(Cost.STEP) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EDBGRD);
    let result: LeafResult;
    do result = hardware.edbgrd(thread.cpu, page, start, this.#word);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    if (result !== SgxCode.SUCCESS) return -Errno.EIO;
    const word = new Uint8Array(WORD_BYTES);
    const view = new DataView(word.buffer);
    view.setBigUint64(0, this.#word.value, true);
    if (!isWrite) {
      part.set(word.subarray(first, first + part.length));
      return 0;
    }
    word.set(part, first);
    if (thread.spend(Cost.STEP) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EDBGWR);
    do result = hardware.edbgwr(thread.cpu, page, start, view.getBigUint64(0, true));
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
    return result === SgxCode.SUCCESS ? 0 : -Errno.EIO;
  }
}
