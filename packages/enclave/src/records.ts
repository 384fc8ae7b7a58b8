import type { AccessMonitor, ObjectRegistry, Op, PageIndex, PageTypeId } from '@epckit/interface';
import { Mode, NONE, op } from '@epckit/interface';

/** Flags of a record. */
const RecordFlag = { EXISTS: 1, BEING_RECLAIMED: 2, HELD: 4, LOST: 8 } as const;

/**
 * Records of one enclave's pages (Linux `struct sgx_encl_page`), by page index: 11 bytes per page of the
 * enclave's range. All zero means "no record". Read and written under the enclave's lock.
 */
export class Records {
  /** Pages in the enclave's range. */
  readonly pageCount: number;
  /** EPC page + 1, `0` while not resident. */
  readonly #epc: Int32Array;
  /** Version slot + 1, `0` while not evicted. */
  readonly #slot: Int32Array;
  readonly #flags: Uint8Array;
  /** R, W, X that mappings may have. */
  readonly #ceiling: Uint8Array;
  readonly #type: Uint8Array;
  readonly #monitor: AccessMonitor | null;
  readonly #object: number;

  constructor(pageCount: number, objects: ObjectRegistry, monitor: AccessMonitor | null) {
    this.pageCount = pageCount;
    this.#epc = new Int32Array(pageCount);
    this.#slot = new Int32Array(pageCount);
    this.#flags = new Uint8Array(pageCount);
    this.#ceiling = new Uint8Array(pageCount);
    this.#type = new Uint8Array(pageCount);
    this.#monitor = monitor;
    this.#object = objects.range('record', pageCount);
  }

  /** Op to yield before a look at the record without the lock. */
  readingAt(index: number): Op {
    return op(this.#object + index, Mode.READ);
  }

  /** Is there a record? */
  exists(index: number): boolean {
    this.#monitor?.read(this.#object + index);
    return ((this.#flags[index] as number) & RecordFlag.EXISTS) !== 0;
  }

  /** {@link exists} without the lock, announced by {@link readingAt} (Linux `xa_load` in the fault handler). */
  existsUnlocked(index: number): boolean {
    this.#monitor?.atomic(this.#object + index, Mode.READ);
    return ((this.#flags[index] as number) & RecordFlag.EXISTS) !== 0;
  }

  /** Makes a record that is neither resident nor evicted. */
  insert(index: number, type: PageTypeId, ceiling: number): void {
    this.#monitor?.write(this.#object + index);
    this.#flags[index] = RecordFlag.EXISTS;
    this.#type[index] = type;
    this.#ceiling[index] = ceiling;
  }

  /** Removes a record. */
  erase(index: number): void {
    this.#monitor?.write(this.#object + index);
    this.#flags[index] = 0;
    this.#epc[index] = 0;
    this.#slot[index] = 0;
  }

  /** EPC page, or `-1`. */
  epc(index: number): PageIndex {
    this.#monitor?.read(this.#object + index);
    return (this.#epc[index] as number) - 1;
  }

  /** Version slot, or `-1`. */
  slot(index: number): number {
    this.#monitor?.read(this.#object + index);
    return (this.#slot[index] as number) - 1;
  }

  /** The page is in EPC page `page` and has no version slot. */
  setResident(index: number, page: PageIndex): void {
    this.#monitor?.write(this.#object + index);
    this.#epc[index] = page + 1;
    this.#slot[index] = 0;
  }

  /** The page is out of the EPC, with its version in `slot` (`-1`: it is lost). */
  setEvicted(index: number, slot: number): void {
    this.#monitor?.write(this.#object + index);
    this.#epc[index] = 0;
    this.#slot[index] = slot + 1;
  }

  /** R, W, X that a mapping may have. */
  ceiling(index: number): number {
    this.#monitor?.read(this.#object + index);
    return this.#ceiling[index] as number;
  }

  /** Changes what {@link Records.ceiling} returns. */
  setCeiling(index: number, ceiling: number): void {
    this.#monitor?.write(this.#object + index);
    this.#ceiling[index] = ceiling;
  }

  /** Changes what {@link Records.type} returns. */
  setType(index: number, type: PageTypeId): void {
    this.#monitor?.write(this.#object + index);
    this.#type[index] = type;
  }

  /** Page type as the driver believes it. */
  type(index: number): PageTypeId {
    this.#monitor?.read(this.#object + index);
    return this.#type[index] as PageTypeId;
  }

  /** Is a reclaimer between reserve and write with this page? Meaningful while resident. */
  isBeingReclaimed(index: number): boolean {
    this.#monitor?.read(this.#object + index);
    return ((this.#flags[index] as number) & RecordFlag.BEING_RECLAIMED) !== 0;
  }

  /** From here on faults on the page wait. */
  setBeingReclaimed(index: number): void {
    this.#monitor?.write(this.#object + index);
    (this.#flags[index] as number) |= RecordFlag.BEING_RECLAIMED;
  }

  /** Faults need not wait any more. */
  clearBeingReclaimed(index: number): void {
    this.#monitor?.write(this.#object + index);
    (this.#flags[index] as number) &= ~RecordFlag.BEING_RECLAIMED;
  }

  /** Must a fault wait: is a reclaimer between reserve and write, or does an ioctl hold the page? */
  isBusy(index: number): boolean {
    this.#monitor?.read(this.#object + index);
    const busy = RecordFlag.BEING_RECLAIMED | RecordFlag.HELD;
    return ((this.#flags[index] as number) & busy) !== 0;
  }

  /** Keeps faults off while an ioctl that changes the page has dropped the lock, or lets them in again. */
  setHeld(index: number, isHeld: boolean): void {
    this.#monitor?.write(this.#object + index);
    if (isHeld) (this.#flags[index] as number) |= RecordFlag.HELD;
    else (this.#flags[index] as number) &= ~RecordFlag.HELD;
  }

  /** The contents are gone for ever: the page is neither resident nor evicted, and accesses fail. */
  setLost(index: number): void {
    this.setEvicted(index, NONE);
    (this.#flags[index] as number) |= RecordFlag.LOST;
  }

  /** Is the page lost? See {@link setLost}. */
  isLost(index: number): boolean {
    this.#monitor?.read(this.#object + index);
    return ((this.#flags[index] as number) & RecordFlag.LOST) !== 0;
  }

  /** First record at or after `index`, or `-1`. */
  next(index: number): number {
    for (let i = index; i < this.pageCount; i++) {
      if (((this.#flags[i] as number) & RecordFlag.EXISTS) !== 0) return i;
    }
    return NONE;
  }
}
