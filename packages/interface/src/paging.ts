import type { ErrnoResult } from './errno.js';
import type { PagingBlob } from './hardware.js';
import type { CpuSet, OwnerId, PageIndex, ThreadId } from './ids.js';
import type { Routine, Thread } from './routine.js';
import type { LeafResult } from './sgx-code.js';

/**
 * Version slots of one owner: which version array page and slot an evicted page's version goes to. Called
 * under the owner's lock.
 *
 * A slot is one number: index of the version array page in order of EPA × 512 + slot in it.
 */
export interface VersionSlots {
  /** Takes the lowest free slot of the first version array page. @throws InvariantViolation if none is free */
  take(): number;
  /** Gives back a slot whose EWB failed; the order of version array pages stays. */
  release(slot: number): void;
  /** Gives back a slot after a successful load: its version array page becomes the first. */
  releaseLoaded(slot: number): void;
  /** EPC page of the version array that holds `slot`. */
  pageOf(slot: number): PageIndex;
  /** Adds a version array page as the first. @returns its number in order of EPA */
  addPage(page: PageIndex): number;
  /** Removes the version array page that {@link addPage} returned `index` for; it must be empty. */
  removePage(index: number): void;
  /** Version array pages from first to last, for release and reports. */
  pages(): Iterable<{
    /** Number in order of EPA. */
    readonly index: number;
    /** EPC page. */
    readonly page: PageIndex;
    /** Occupied slots. */
    readonly used: number;
  }>;
  /** Number of version array pages. */
  readonly pageCount: number;
}

/**
 * Where evicted pages of one owner live (Linux: a shmem file with contents and PCMD). Called under the
 * owner's lock. Indices are enclave page indices; the SECS uses the index after the last page.
 *
 * Experimental: one implementation.
 *
 * @experimental
 */
export interface BackingStore {
  /** Makes contents and PCMD page of `index` present. @returns 0 or `-ENOMEM` */
  reserve(thread: Thread, index: number): Routine<ErrnoResult>;
  /** Stores what EWB produced; {@link reserve} came before. */
  store(index: number, blob: Readonly<PagingBlob>): void;
  /**
   * Reads what EWB stored into `blob`. As in the kernel a look-up makes absent pages present, as zeros.
   *
   * @returns 0 or `-ENOMEM`
   */
  fetch(index: number, blob: PagingBlob): ErrnoResult;
  /**
   * After a load: zeroes the PCMD of `index`, drops the contents page, and the PCMD page too if it became
   * empty and `groupBusy` says that no page of its group of 32 is between reserve and write.
   */
  truncate(thread: Thread, index: number, groupBusy: (index: number) => boolean): void;
  /** Drops everything. */
  close(): void;
  /** Is the contents page of `index` absent? Decides which cost {@link reserve} has. */
  isFresh(index: number): boolean;
  /** Present file pages in ascending order: contents, SECS, then PCMD pages. For reports. */
  presentPages(): number[];
}

/**
 * What the write-back ladder needs to know of an owner. Called under the owner's lock.
 *
 * Experimental: enclaves and instances of virtual EPC with host reclaim are the owners.
 *
 * @experimental
 */
export interface TrackedOwner {
  /** Owner id for trace points. */
  readonly id: OwnerId;
  /** SECS page, resident; `-1` for a page that needs no tracking (SECS, VA). */
  readonly secs: PageIndex;
  /** Fills `cpus` with every CPU that may run an address space which maps the owner. */
  collectCpus(thread: Thread, cpus: CpuSet): Routine<void>;
}

/**
 * Starts a tracking cycle: ETRACK, or ETRACKC for a host behind a guest's back.
 *
 * Experimental: one implementation for each of the two leaves.
 *
 * @experimental
 */
export interface Tracker {
  /** @returns result of the leaf */
  track(thread: Thread, secs: PageIndex): Routine<LeafResult>;
}

/**
 * Writes blocked pages of one owner out of the EPC, under the owner's lock.
 *
 * Experimental: the owners of enclave pages and of guest pages are the callers.
 *
 * @experimental
 */
export interface PageWriter {
  /**
   * Writes `page` to `index` of the backing store, which was reserved before.
   *
   * @returns version slot, or the negated result of the last EWB: the slot was given back, and the page is still in
   * the EPC except after VA_SLOT_OCCUPIED
   */
  write(thread: Thread, owner: TrackedOwner, page: PageIndex, index: number): Routine<number>;
}

/**
 * Loads evicted pages of one owner back into the EPC, under the owner's lock.
 *
 * Experimental: the owners of enclave pages and of guest pages are the callers.
 *
 * @experimental
 */
export interface PageLoader {
  /**
   * Loads `index` of the backing store, whose version is in `slot`, into the free page `target`. `secs` is
   * `-1` when the page is a SECS itself. The slot is given back on success.
   *
   * @returns 0, `-ENOMEM`, or the result of ELDU
   */
  load(thread: Thread, target: PageIndex, secs: PageIndex, index: number, slot: number): Routine<number>;
}

/**
 * Sends interrupts.
 *
 * Experimental: the write-back ladder and the tracker of guest pages are the callers.
 *
 * @experimental
 */
export interface IpiSender {
  /**
   * Interrupts every CPU of `cpus` but the caller's own and waits until all have left their enclave. The
   * handler is empty: the interrupt itself causes the asynchronous exit.
   *
   * @returns number of CPUs that were inside an enclave
   */
  send(thread: Thread, cpus: CpuSet): Routine<number>;
  /**
   * {@link send} without waiting: the targets leave their enclave some time later, and nobody learns when (Linux
   * `smp_call_function_many` without `wait`; KVM's kick of a virtual CPU).
   */
  kick(thread: Thread, cpus: CpuSet): Routine<void>;
}

/** Thread id for trace points outside any thread. */
export const NO_THREAD: ThreadId = 0;
