import type {
  AddressSpace,
  CpuSet,
  OwnerId,
  PageTable,
  Routine,
  SharedNumber,
  SpinLock,
  Srcu,
  Thread,
} from '@epckit/interface';
import { Cost, Mode, op } from '@epckit/interface';
import type { EnclaveComponents } from './enclave.js';

/** Called for each address space that maps `page`, with its mmap lock held for reading. Made once, not per call. */
export type PageTableVisitor = (thread: Thread, table: PageTable, page: number) => boolean;

/**
 * Address spaces that map an enclave (Linux `encl->mm_list`): newest first, changed under a spinlock, walked
 * in an SRCU section. The version counter tells a walker that it may have missed one.
 */
export class MmList {
  readonly #owner: OwnerId;
  readonly #components: EnclaveComponents;
  readonly #lock: SpinLock;
  readonly #srcu: Srcu;
  readonly #version: SharedNumber;
  readonly #object: number;
  /** Replaced as a whole at each change, so that a walk sees the list as it was when it began. */
  #spaces: readonly AddressSpace[] = [];
  /** Taken off by {@link drainFirst}: they may still have a page table of the enclave. */
  #drained: readonly AddressSpace[] = [];

  constructor(owner: OwnerId, components: EnclaveComponents) {
    this.#owner = owner;
    this.#components = components;
    this.#lock = components.locks.spinLock('encl_mm_lock');
    this.#srcu = components.locks.srcu('encl_srcu');
    this.#version = components.locks.sharedNumber(`mm_list_version of enclave ${owner}`, 0);
    this.#object = components.objects.range(`mm_list of enclave ${owner}`, 1);
  }

  /** The list outside any routine: reports and invariants only. */
  spaces(): readonly AddressSpace[] {
    return this.#spaces;
  }

  /** Adds an address space as the first. The caller holds its mmap lock for writing and has a reference. */
  *add(thread: Thread, mm: AddressSpace): Routine<void> {
    while (this.#lock.mustWait(thread)) yield this.#lock.acquire;
    if (thread.clock > thread.limit) yield op(this.#object, Mode.WRITE);
    this.#components.monitor?.atomic(this.#object, Mode.WRITE);
    this.#spaces = [mm, ...this.#spaces];
    if (thread.spend(Cost.STEP) > thread.limit) yield this.#version.adding;
    this.#version.add(thread, 1);
    this.#lock.release(thread);
  }

  /** Takes the first address space off the list, or returns undefined. */
  *takeFirst(thread: Thread): Routine<AddressSpace | undefined> {
    while (this.#lock.mustWait(thread)) yield this.#lock.acquire;
    if (thread.clock > thread.limit) yield op(this.#object, Mode.WRITE);
    this.#components.monitor?.atomic(this.#object, Mode.WRITE);
    const [first, ...rest] = this.#spaces;
    this.#spaces = rest;
    this.#lock.release(thread);
    return first;
  }

  /** {@link takeFirst} of an enclave that dies: the mappings stay, and {@link drained} has the address space. */
  *drainFirst(thread: Thread): Routine<AddressSpace | undefined> {
    while (this.#lock.mustWait(thread)) yield this.#lock.acquire;
    if (thread.clock > thread.limit) yield op(this.#object, Mode.WRITE);
    this.#components.monitor?.atomic(this.#object, Mode.WRITE);
    const [first, ...rest] = this.#spaces;
    this.#spaces = rest;
    if (first !== undefined) this.#drained = [...this.#drained, first];
    this.#lock.release(thread);
    return first;
  }

  /** What {@link drainFirst} has taken off, for who has found the list empty afterwards. */
  drained(): readonly AddressSpace[] {
    return this.#drained;
  }

  /** Takes an address space off the list. @returns whether it was on it */
  *take(thread: Thread, mm: AddressSpace): Routine<boolean> {
    while (this.#lock.mustWait(thread)) yield this.#lock.acquire;
    if (thread.clock > thread.limit) yield op(this.#object, Mode.WRITE);
    this.#components.monitor?.atomic(this.#object, Mode.WRITE);
    const isListed = this.#spaces.includes(mm);
    this.#spaces = this.#spaces.filter((other) => other !== mm);
    this.#lock.release(thread);
    return isListed;
  }

  /** Waits until every walk that can have seen a removed address space has ended. */
  *synchronize(thread: Thread): Routine<void> {
    yield* this.#srcu.synchronize(thread);
  }

  /** Is the address space listed? Holder of its mmap lock for writing only. */
  has(mm: AddressSpace): boolean {
    return this.#spaces.includes(mm);
  }

  /**
   * Looks at `page` in each address space until `visit` says true; address spaces without users are passed
   * over. With `untilStable` the walk is repeated if an address space was added meanwhile.
   *
   * @returns whether a visit said true
   */
  *visit(thread: Thread, page: number, visit: PageTableVisitor, untilStable: boolean): Routine<boolean> {
    let found = false;
    let seen = 0;
    do {
      if (untilStable) {
        if (thread.spend(Cost.STEP) > thread.limit) yield this.#version.reading;
        seen = this.#version.read(thread);
      }
      const section = this.#srcu.enter(thread);
      if (thread.clock > thread.limit) yield op(this.#object, Mode.READ);
      this.#components.monitor?.atomic(this.#object, Mode.READ);
      const spaces = this.#spaces;
      for (let i = 0; i < spaces.length && !found; i++) {
        const mm = spaces[i] as AddressSpace;
        if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
        if (!mm.users.getUnlessZero(thread)) continue;
        while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
        const table = mm.table(this.#owner);
        const vma = table?.vmaOf(page);
        if (table !== undefined && vma !== undefined && vma.isOrphan !== true) {
          if (thread.clock > thread.limit) yield table.pteAt(page);
          found = visit(thread, table, page);
        }
        mm.lock.releaseRead(thread);
        if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
        mm.users.put(thread);
      }
      this.#srcu.leave(thread, section);
      if (untilStable && thread.spend(Cost.STEP) > thread.limit) yield this.#version.reading;
    } while (untilStable && this.#version.read(thread) !== seen);
    return found;
  }

  /**
   * Removes every entry of the enclave from every address space, again if one was added meanwhile. The enclave dies, so
   * no entry comes back behind the walk.
   */
  *zapAll(thread: Thread): Routine<void> {
    let seen: number;
    do {
      if (thread.spend(Cost.STEP) > thread.limit) yield this.#version.reading;
      seen = this.#version.read(thread);
      const section = this.#srcu.enter(thread);
      if (thread.clock > thread.limit) yield op(this.#object, Mode.READ);
      this.#components.monitor?.atomic(this.#object, Mode.READ);
      for (const mm of this.#spaces) yield* this.#zapIn(thread, mm);
      this.#srcu.leave(thread, section);
      if (thread.spend(Cost.STEP) > thread.limit) yield this.#version.reading;
    } while (this.#version.read(thread) !== seen);
  }

  *#zapIn(thread: Thread, mm: AddressSpace): Routine<void> {
    if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
    if (!mm.users.getUnlessZero(thread)) return;
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const table = mm.table(this.#owner);
    for (let page = 0; table !== undefined && page < table.pte.length; page++) {
      if (table.pte[page] === 0) continue;
      if (thread.spend(Cost.STEP) > thread.limit) yield table.pteAt(page);
      table.zap(thread, page);
    }
    mm.lock.releaseRead(thread);
    if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
    mm.users.put(thread);
  }

  /** Adds the CPUs of every address space that still has users. */
  *collectCpus(thread: Thread, cpus: CpuSet): Routine<void> {
    const section = this.#srcu.enter(thread);
    if (thread.clock > thread.limit) yield op(this.#object, Mode.READ);
    this.#components.monitor?.atomic(this.#object, Mode.READ);
    for (const mm of this.#spaces) {
      if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
      if (!mm.users.getUnlessZero(thread)) continue;
      if (thread.clock > thread.limit) yield mm.cpusReading;
      cpus.addAll(mm.cpus);
      if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
      mm.users.put(thread);
    }
    this.#srcu.leave(thread, section);
  }
}
