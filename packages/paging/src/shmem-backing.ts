import type {
  AccessMonitor,
  BackingStore,
  ErrnoResult,
  ObjectRegistry,
  Op,
  OwnerId,
  PagingBlob,
  Probe,
  Routine,
  Thread,
} from '@epckit/interface';
import { Cost, Errno, InvariantViolation, MisuseError, Mode, op } from '@epckit/interface';
import type { BackingStoreOptions } from './shmem-file.js';
import { PCMDS_PER_PAGE, ShmemFile } from './shmem-file.js';

/** What a backing store uses of its surroundings. */
export interface BackingStoreComponents {
  /** Receives dropped pages; `null`: nobody listens. */
  readonly probe: Probe | null;
  /** Sees that the file is only touched under the owner's lock. */
  readonly monitor?: AccessMonitor | null;
  /** Gives the file its object number; without it the number is 0. */
  readonly objects?: ObjectRegistry;
  /** Owner id for trace points. */
  readonly owner: OwnerId;
}

/**
 * The shmem file of one owner and the kernel's rules for it (Linux `sgx_encl_alloc_backing`,
 * `sgx_encl_lookup_backing`, `sgx_encl_truncate_backing_page`, 5.19 and later).
 */
export class ShmemBacking implements BackingStore {
  readonly #file: ShmemFile;
  readonly #pageCount: number;
  readonly #owner: OwnerId;
  readonly #probe: Probe | null;
  readonly #monitor: AccessMonitor | null;
  readonly #object: number;
  readonly #allocating: Op;

  /** @throws MisuseError if a number is out of range */
  constructor(options: BackingStoreOptions, components: BackingStoreComponents) {
    checkOptions(options);
    this.#file = new ShmemFile(options);
    this.#pageCount = options.pageCount;
    this.#owner = components.owner;
    this.#probe = components.probe;
    this.#monitor = components.monitor ?? null;
    this.#object = components.objects?.range(`backing file ${components.owner}`, 1) ?? 0;
    const memory = components.objects?.range(`backing memory ${components.owner}`, 1) ?? 0;
    this.#allocating = op(memory, Mode.ADD);
  }

  /**
   * Gets the contents page, then the PCMD page. A contents page that was made stays when the PCMD page fails:
   * the kernel drops its reference, not the page.
   *
   * The one point is the host memory that a get may wait for. It commutes with all other accesses, so a search
   * does not branch on it; whether the file is touched under the lock is for the monitor to see (B-35).
   */
  *reserve(thread: Thread, index: number): Routine<ErrnoResult> {
    const cost = this.isFresh(index) ? Cost.BACKING_NEW : Cost.BACKING_OLD;
    if (thread.spend(cost) > thread.limit) yield this.#allocating;
    return this.get(index);
  }

  store(index: number, blob: Readonly<PagingBlob>): void {
    this.#monitor?.write(this.#object);
    if (!this.#file.write(index, blob)) this.lostWrite(index);
  }

  /**
   * Reads into `blob`. As in the kernel a lookup makes absent pages present, as zeros.
   *
   * @returns 0 or `-ENOMEM`
   */
  fetch(index: number, blob: PagingBlob): ErrnoResult {
    const error = this.get(index);
    if (error === 0) this.#file.read(index, blob);
    return error;
  }

  truncate(thread: Thread, index: number, groupBusy: (index: number) => boolean): void {
    this.#monitor?.write(this.#object);
    const isEmpty = this.#file.zeroEntry(index);
    this.#dropped(thread, index, this.#file.dropContents(index));
    if (!isEmpty || this.isGroupBusy(index, groupBusy)) return;
    this.#dropped(thread, this.#file.pcmdPageOf(index), this.#file.dropPcmdPage(index));
  }

  close(): void {
    this.#monitor?.write(this.#object);
    this.#file.clear();
  }

  isFresh(index: number): boolean {
    return !this.#file.hasContents(index);
  }

  presentPages(): number[] {
    return this.#file.presentPages();
  }

  /** Makes both pages of `index` present. @returns 0 or `-ENOMEM` */
  protected get(index: number): ErrnoResult {
    if (!(index >= 0 && index <= this.#pageCount)) throw this.#outOfRange(index);
    this.#monitor?.write(this.#object);
    return this.#file.get(index) ? 0 : -Errno.ENOMEM;
  }

  /**
   * Is a page of the group between reserve and write? Asks in ascending order and stops at the end of the
   * range: the SECS is reserved and written in one section of the owner's lock (B-36).
   */
  protected isGroupBusy(index: number, groupBusy: (index: number) => boolean): boolean {
    const first = index - (index % PCMDS_PER_PAGE);
    const end = Math.min(first + PCMDS_PER_PAGE, this.#pageCount);
    for (let sibling = first; sibling < end; sibling++) {
      if (groupBusy(sibling)) return true;
    }
    return false;
  }

  /**
   * A page that {@link reserve} had made present is gone when EWB's output is stored. The kernel loses what it
   * writes; an override that returns does the same.
   *
   * @throws InvariantViolation always
   */
  protected lostWrite(index: number): void {
    throw new InvariantViolation('What EWB wrote is lost: its backing page is not in the file.', [
      `owner: ${this.#owner}, index: ${index}`,
      `contents page present: ${this.#file.hasContents(index)}`,
      `PCMD page ${this.#file.pcmdPageOf(index)} present: ${this.#file.hasPcmdPage(index)}`,
    ]);
  }

  #outOfRange(index: number): InvariantViolation {
    return new InvariantViolation('A page outside of its owner is paged.', [
      `owner: ${this.#owner}, index: ${index}`,
      `allowed: 0 … ${this.#pageCount}, the last for the SECS`,
    ]);
  }

  #dropped(thread: Thread, filePage: number, wasPresent: boolean): void {
    this.#probe?.backingDropped(thread.id, this.#owner, filePage, wasPresent);
  }
}

function checkOptions({ pageCount, capacityPages }: BackingStoreOptions): void {
  if (!Number.isInteger(pageCount) || pageCount < 1 || pageCount >= 2 ** 31) {
    throw new MisuseError('pageCount must be a positive integer below 2^31.', [`given: ${pageCount}`], {
      hint: "Give the size of the owner's range in pages; the SECS is not counted.",
    });
  }
  if (capacityPages !== undefined && !(capacityPages >= 0)) {
    throw new MisuseError('capacityPages must not be negative.', [`given: ${capacityPages}`], {
      hint: 'Leave it out for a file without limit.',
    });
  }
}

/**
 * Makes the backing store of one owner.
 *
 * @example
 * ```ts
 * const backing = createBackingStore({ pageCount: 16 }, { probe: null, owner: 1 });
 * backing.presentPages(); // []
 * ```
 */
export function createBackingStore(
  options: BackingStoreOptions,
  components: BackingStoreComponents,
): ShmemBacking {
  return new ShmemBacking(options, components);
}
