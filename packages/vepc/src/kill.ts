// biome-ignore-all lint/correctness/useYield: no page of these instances is ever in a batch
import type {
  AddressSpace,
  BlockedResult,
  CpuSet,
  FrameTable,
  IpiSender,
  KilledResult,
  Op,
  OwnerId,
  PageIndex,
  PageOwner,
  PinResult,
  PreparedResult,
  RefCount,
  Routine,
  Thread,
  WrittenResult,
} from '@epckit/interface';
import { Blocked, Cost, Killed, NONE, OwnerKind, Pin, Prepared, Written } from '@epckit/interface';
import type { VepcPages } from './pages.js';
import type { Vepc } from './vepc.js';

/** Throws guests out of their enclaves. */
export interface VepcInterrupts {
  /** Interrupts CPUs. */
  readonly ipi: IpiSender;
  /** Makes an empty set of CPUs. */
  createCpuSet(): CpuSet;
}

/** What a {@link VepcKiller} works with. */
export interface VepcKillerParts {
  /** Throws guests out of their enclaves. */
  readonly interrupts: VepcInterrupts;
  /** Frees guest pages. */
  readonly pages: VepcPages;
}

/**
 * Kills an instance because EPC ran out ("kill VM" of the 2020 trees): its entries go, its guests' threads leave their
 * enclaves, its pages are freed. The VMM lives on; the guest sees its enclaves vanish, as after a migration, and
 * faults end in OOM. A SECS whose children are in another instance stays until the release.
 */
export class VepcKiller {
  /** What the killer works with. */
  protected readonly parts: VepcKillerParts;

  constructor(parts: VepcKillerParts) {
    this.parts = parts;
  }

  /** The caller has a reference of the instance. */
  *kill(thread: Thread, vepc: Vepc): Routine<KilledResult> {
    while (vepc.lock.mustWait(thread)) yield vepc.lock.acquire;
    const wasDying = vepc.isDying;
    if (!wasDying) vepc.setDying();
    vepc.lock.release(thread);
    if (wasDying) return Killed.ALREADY_DYING;
    const { ipi, createCpuSet } = this.parts.interrupts;
    const cpus = createCpuSet();
    for (const mm of vepc.addressSpaces()) yield* this.unmap(thread, mm, vepc, cpus);
    yield* ipi.send(thread, cpus);
    while (vepc.lock.mustWait(thread)) yield vepc.lock.acquire;
    yield* this.freePages(thread, vepc);
    vepc.lock.release(thread);
    return Killed.MARKED;
  }

  /** Removes the entries of an address space that still has users, and notes its CPUs. */
  *unmap(thread: Thread, mm: AddressSpace, vepc: Vepc, cpus: CpuSet): Routine<void> {
    if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
    if (!mm.users.getUnlessZero(thread)) return;
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const table = mm.table(vepc.id);
    for (let page = 0; table !== undefined && page < table.pte.length; page++) {
      if (table.pte[page] === 0) continue;
      if (thread.spend(Cost.STEP) > thread.limit) yield table.pteAt(page);
      table.zap(thread, page);
    }
    mm.lock.releaseRead(thread);
    if (thread.clock > thread.limit) yield mm.cpusReading;
    cpus.addAll(mm.cpus);
    if (thread.spend(Cost.STEP) > thread.limit) yield mm.users.writing;
    mm.users.put(thread);
  }

  /** Children first: the second pass finds the SECS pages that the first one had to leave. The lock is held. */
  protected *freePages(thread: Thread, { pages }: Vepc): Routine<void> {
    for (let pass = 0; pass < 2; pass++) {
      for (let index = pages.next(0); index !== NONE; index = pages.next(index + 1)) {
        if ((yield* this.parts.pages.free(thread, pages.get(index))) !== 0) continue;
        if (thread.spend(Cost.STEP) > thread.limit) yield pages.writing;
        pages.erase(index);
      }
    }
  }
}

/** What a {@link VepcOwner} works with. */
export interface VepcOwnerParts {
  /** Frame table. */
  readonly frames: FrameTable;
  /** Kills instances. */
  readonly killer: VepcKiller;
  /** Instance of an owner id whose pages are allocated or that somebody has pinned. */
  instanceOf(owner: OwnerId): Vepc;
  /** The last reference of an instance is gone: gives everything back. */
  giveBack(thread: Thread, vepc: Vepc): Routine<void>;
}

/**
 * Instances without reclaim as owners of EPC pages, for those who choose victims: no page of them is ever on a list, so
 * a batch has nothing to do with them.
 */
export class VepcOwner implements PageOwner {
  readonly kind = OwnerKind.GUEST;
  readonly #parts: VepcOwnerParts;

  constructor(parts: VepcOwnerParts) {
    this.#parts = parts;
  }

  pinAt(page: PageIndex): Op {
    return this.#refs(this.#parts.frames.owner(page)).writing;
  }

  get(thread: Thread, page: PageIndex): PinResult {
    return this.#refs(this.#parts.frames.owner(page)).getUnlessZero(thread) ? Pin.PINNED : Pin.GONE;
  }

  *young(): Routine<boolean> {
    return true;
  }

  *prepare(): Routine<PreparedResult> {
    return Prepared.GONE;
  }

  *block(): Routine<BlockedResult> {
    return Blocked.DEAD;
  }

  *write(): Routine<WrittenResult> {
    return Written.KEPT;
  }

  putAt(owner: OwnerId): Op {
    return this.#refs(owner).writing;
  }

  /** Drops a reference of an instance. Plain. @returns true for the last one: the caller runs {@link release} */
  put(thread: Thread, owner: OwnerId): boolean {
    return this.#refs(owner).put(thread);
  }

  release(thread: Thread, owner: OwnerId): Routine<void> {
    return this.#parts.giveBack(thread, this.#parts.instanceOf(owner));
  }

  *kill(thread: Thread, owner: OwnerId): Routine<KilledResult> {
    const killed = yield* this.#parts.killer.kill(thread, this.#parts.instanceOf(owner));
    yield* this.drop(thread, owner);
    return killed;
  }

  /** Drops one reference, such as that of the file; the last one gives the instance back. */
  *drop(thread: Thread, owner: OwnerId): Routine<void> {
    if (thread.spend(Cost.STEP) > thread.limit) yield this.putAt(owner);
    if (this.put(thread, owner)) yield* this.release(thread, owner);
  }

  #refs(owner: OwnerId): RefCount {
    return this.#parts.instanceOf(owner).refs as RefCount;
  }
}
