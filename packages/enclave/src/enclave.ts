import type {
  AccessMonitor,
  AddressSpace,
  CpuSet,
  LockFactory,
  Mutex,
  ObjectRegistry,
  OwnerId,
  PageIndex,
  RefCount,
  Routine,
  SharedNumber,
  Thread,
  TrackedOwner,
} from '@epckit/interface';
import { NONE } from '@epckit/interface';
import type { EnclavePaging } from './enclave-paging.js';
import { MmList } from './mm-list.js';
import { Records } from './records.js';

/** Bits of {@link Enclave.flags} (Linux `SGX_ENCL_*`). */
export const EnclaveFlag = {
  /** an ioctl is running: others are refused */
  IOCTL: 1,
  /** a debugger may read and write */
  DEBUG: 2,
  /** CREATE has succeeded */
  CREATED: 4,
  /** INIT has succeeded */
  INITIALIZED: 8,
  /** it was chosen to die because EPC ran out: nothing works any more but closing it */
  NO_MEMORY: 16,
} as const;

/** What an enclave needs of its surroundings. */
export interface EnclaveComponents {
  /** Makes locks and lockless variables. */
  readonly locks: LockFactory;
  /** Gives out object numbers. */
  readonly objects: ObjectRegistry;
  /** The checking mode, or `null`. */
  readonly monitor: AccessMonitor | null;
}

/**
 * An open enclave (Linux `struct sgx_encl`). References: one for the file, one per listed address space, one
 * per page in a reclaimer's batch.
 */
export class Enclave implements TrackedOwner {
  /** Owner id. */
  readonly id: OwnerId;
  /** Protects records, child count, version slots, backing and the residency of the SECS. */
  readonly lock: Mutex;
  /** References; the last one releases the enclave. */
  readonly refs: RefCount;
  /** {@link EnclaveFlag} bits, tested outside the lock. */
  readonly flags: SharedNumber;
  /** `1` while an ioctl runs: ioctls of one enclave exclude each other. */
  readonly ioctl: SharedNumber;
  /** Pages that need a version slot: records and the SECS. Changed by the ioctls, which exclude each other. */
  readonly slotUsers: SharedNumber;
  /** Address spaces that map the enclave. */
  readonly mms: MmList;

  /** First page of the range (address / 4096). Set by CREATE. */
  basePage = 0;
  /** Pages in the range. */
  pageCount = 0;
  /** Bits of `Attribute`. Set by CREATE. */
  attributes = 0;
  /** Attributes that INIT accepts (Linux `attributes_mask`). CREATE sets it, PROVISION widens it. */
  allowedAttributes = 0;
  /** Records by page; CREATE makes them. */
  records: Records;
  /** Slots, backing and ladders; CREATE makes them. */
  paging: EnclavePaging | null = null;
  /** Number of the next version array page in order of EPA. */
  nextVersionArray = 0;

  /** A kill has given back its SECS and its version arrays while it goes on existing. Reports and invariants only. */
  isDestroyed = false;
  /** Enclave is gone: the last reference was dropped. */
  isReleased = false;

  readonly #components: EnclaveComponents;
  readonly #object: number;
  readonly #deathObject: number;
  #isDying = false;
  #secs: PageIndex = NONE;
  #secsSlot = NONE;
  #children = 0;

  constructor(id: OwnerId, components: EnclaveComponents) {
    const { locks, objects, monitor } = components;
    this.id = id;
    this.#components = components;
    this.lock = locks.mutex('encl_lock');
    this.refs = locks.refCount(`references of enclave ${id}`, 1);
    this.flags = locks.sharedNumber(`flags of enclave ${id}`, 0);
    this.ioctl = locks.sharedNumber(`ioctl of enclave ${id}`, 0);
    this.slotUsers = locks.sharedNumber(`page_cnt of enclave ${id}`, 0);
    this.mms = new MmList(id, components);
    this.records = new Records(0, objects, monitor);
    this.#object = objects.range(`enclave ${id}`, 1);
    this.#deathObject = objects.range(`death of enclave ${id}`, 1);
  }

  /**
   * Was it chosen to die? {@link EnclaveFlag.NO_MEMORY} under {@link lock}: from then on no entry is inserted and no page
   * is added or loaded.
   */
  get isDying(): boolean {
    this.#components.monitor?.read(this.#deathObject);
    return this.#isDying;
  }

  /** It dies. The holder of {@link lock} sets {@link EnclaveFlag.NO_MEMORY} too. */
  setDying(): void {
    this.#components.monitor?.write(this.#deathObject);
    this.#isDying = true;
  }

  /** Gives the enclave its range; CREATE only. */
  setRange(basePage: number, pageCount: number): void {
    this.basePage = basePage;
    this.pageCount = pageCount;
    this.records = new Records(pageCount, this.#components.objects, this.#components.monitor);
  }

  /** SECS page, or `-1` while it is evicted or not made yet. */
  get secs(): PageIndex {
    this.#components.monitor?.read(this.#object);
    return this.#secs;
  }

  /** Version slot of the evicted SECS, or `-1`. */
  get secsSlot(): number {
    return this.#secsSlot;
  }

  /** The SECS is in EPC page `page`. */
  setSecsResident(page: PageIndex): void {
    this.#components.monitor?.write(this.#object);
    this.#secs = page;
    this.#secsSlot = NONE;
  }

  /** The SECS is out of the EPC with its version in `slot`. */
  setSecsEvicted(slot: number): void {
    this.#components.monitor?.write(this.#object);
    this.#secs = NONE;
    this.#secsSlot = slot;
  }

  /** Resident child pages as the driver counts them (Linux `secs_child_cnt`). */
  get children(): number {
    this.#components.monitor?.read(this.#object);
    return this.#children;
  }

  /** Adds to {@link children}. */
  addChildren(amount: number): void {
    this.#components.monitor?.write(this.#object);
    this.#children += amount;
  }

  /** Absolute page number of a page of the range. */
  linearPage(index: number): number {
    return this.basePage + index;
  }

  *collectCpus(thread: Thread, cpus: CpuSet): Routine<void> {
    cpus.clear();
    yield* this.mms.collectCpus(thread, cpus);
  }

  /** Is the page of a sibling in the group of 32 between reserve and write? The enclave's lock is held. */
  readonly isInFlight = (index: number): boolean =>
    this.records.exists(index) && this.records.epc(index) >= 0 && this.records.isBeingReclaimed(index);

  /** Every address space that maps the enclave, for reports and invariants. */
  addressSpaces(): readonly AddressSpace[] {
    return this.mms.spaces();
  }
}
