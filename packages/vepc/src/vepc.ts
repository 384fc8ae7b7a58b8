import type {
  AccessMonitor,
  AddressSpace,
  LockFactory,
  Mutex,
  ObjectRegistry,
  OwnerId,
  RefCount,
} from '@epckit/interface';
import { PageArray } from './page-array.js';

/** What an instance needs of its surroundings. */
export interface VepcSurroundings {
  /** Makes locks. */
  readonly locks: LockFactory;
  /** Gives out object numbers. */
  readonly objects: ObjectRegistry;
  /** The checking mode, or `null`. */
  readonly monitor: AccessMonitor | null;
}

/**
 * One open file of `/dev/sgx_vepc` (Linux `struct sgx_vepc`): EPC pages by page of the file, and nothing about
 * what the guest makes of them.
 */
export class Vepc {
  /** Owner id, never used again. */
  readonly id: OwnerId;
  /** Serialises faults (Linux `vepc->lock`). */
  readonly lock: Mutex;
  /** EPC pages by page of the file. */
  readonly pages: PageArray;
  /** References: one of the file, one per pin of who chooses victims. Null: instances cannot be killed. */
  readonly refs: RefCount | null;
  /** The last descriptor is closed. */
  isReleased = false;
  readonly #monitor: AccessMonitor | null;
  readonly #deathObject: number;
  #isDying = false;
  /** Address spaces that mapped the file and have not forgotten it: reports, invariants and misuse only. */
  readonly #mms = new Set<AddressSpace>();

  /** @param isKillable - are references counted? */
  constructor(id: OwnerId, pageCount: number, surroundings: VepcSurroundings, isKillable = false) {
    this.id = id;
    this.refs = isKillable ? surroundings.locks.refCount(`references of vEPC ${id}`, 1) : null;
    this.#monitor = surroundings.monitor;
    this.#deathObject = surroundings.objects.range(`death of vEPC ${id}`, 1);
    this.lock = surroundings.locks.mutex('vepc_lock');
    this.pages = new PageArray(pageCount, `vEPC ${id}`, surroundings.objects, surroundings.monitor);
  }

  /** Pages of the file that mappings can reach. */
  get pageCount(): number {
    return this.pages.pageCount;
  }

  /** Was it chosen to die? Under {@link lock}. */
  get isDying(): boolean {
    this.#monitor?.read(this.#deathObject);
    return this.#isDying;
  }

  /** It dies. Under {@link lock}. */
  setDying(): void {
    this.#monitor?.write(this.#deathObject);
    this.#isDying = true;
  }

  /** Has anybody ever mapped the file? Under the lock of that address space, or the instance's. */
  get hasBeenMapped(): boolean {
    return this.#mms.size > 0;
  }

  /** Notes an address space for {@link addressSpaces}. */
  noteAddressSpace(mm: AddressSpace): void {
    this.#mms.add(mm);
  }

  /** Address spaces that still have a page table of the instance, for reports and invariants. */
  addressSpaces(): AddressSpace[] {
    return [...this.#mms].filter((mm) => mm.table(this.id) !== undefined);
  }
}
