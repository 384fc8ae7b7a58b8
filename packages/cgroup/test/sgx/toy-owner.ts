import type {
  KilledResult,
  LockFactory,
  Mutex,
  Op,
  PageAllocator,
  PageIndex,
  PageOwner,
  PinResult,
  PreparedResult,
  ReclaimLists,
  RecordId,
  RefCount,
  Routine,
  Thread,
} from '@epckit/interface';
import { Blocked, Errno, Killed, OwnerKind, Pin, Prepared, Written } from '@epckit/interface';
import type { EpcUseId } from '../../src/index.js';
import { EpcUse } from '../../src/index.js';

/** Records from here down are version arrays; from here up to -1 there is the SECS. */
export const SECS = -1;
export const VA = -2;

/** Use of a toy's record. */
export function useOf(kind: number, record: RecordId): EpcUseId {
  if (kind === GUEST) return EpcUse.VIRTUAL;
  if (record === SECS) return EpcUse.SECS;
  return record <= VA ? EpcUse.VERSION_ARRAY : EpcUse.REGULAR;
}

/** Kind of toys, and of toys that stand for guests. */
export const TOY = OwnerKind.FIRST_CUSTOM;
export const GUEST = OwnerKind.FIRST_CUSTOM + 1;

/** An owner instance: records and their pages. */
export interface Toy {
  readonly id: number;
  readonly refs: RefCount;
  readonly lock: Mutex;
  /** Resident pages; under the lock. */
  readonly pages: Map<RecordId, PageIndex>;
  /** Records that were accessed since they were last looked at. */
  readonly young: Set<RecordId>;
  isCreated: boolean;
  isDying: boolean;
}

/** What toys are made of, once it exists. */
export interface ToyParts {
  readonly frames: { owner(page: PageIndex): number; record(page: PageIndex): RecordId };
  readonly locks: LockFactory;
}

/** An owner whose pages have no contents: what is left is ownership, age and references. */
export class ToyOwner implements PageOwner {
  readonly kind: number;
  readonly toys: Toy[] = [];
  /** Is backing memory refused? */
  isBackingRefused = false;
  /** Called in `block`, before anything: a place to stop at. */
  atBlock: ((thread: Thread) => Routine<void>) | null = null;
  allocator!: PageAllocator;
  lists!: ReclaimLists;
  readonly #parts: ToyParts;

  constructor(kind: number, parts: ToyParts) {
    this.kind = kind;
    this.#parts = parts;
  }

  create(): Toy {
    const { locks } = this.#parts;
    const id = this.toys.length;
    const toy: Toy = {
      id,
      refs: locks.refCount(`toy ${this.kind}.${id}`, 1),
      lock: locks.mutex('toy.lock'),
      pages: new Map(),
      young: new Set(),
      isCreated: true,
      isDying: false,
    };
    this.toys.push(toy);
    return toy;
  }

  /** Makes a record resident. @returns 0 or a negated errno */
  *load(thread: Thread, toy: Toy, record: RecordId, mayReclaim: boolean): Routine<number> {
    if (toy.isDying) return -Errno.ENOMEM;
    // Who may reclaim holds no lock, as the driver's ioctls.
    let page = mayReclaim ? yield* this.#alloc(thread, toy, record, true) : 0;
    if (page < 0) return page;
    while (toy.lock.mustWait(thread)) yield toy.lock.acquire;
    const isThere = toy.pages.has(record);
    if (!mayReclaim && !isThere) page = yield* this.#alloc(thread, toy, record, false);
    const isTaken = !isThere && page >= 0;
    if (isTaken) {
      toy.pages.set(record, page);
      toy.young.add(record);
      if (useOf(this.kind, record) === EpcUse.REGULAR) yield* this.lists.mark(thread, page);
    }
    toy.lock.release(thread);
    if (mayReclaim && isThere) yield* this.allocator.free(thread, page);
    return Math.min(page, 0);
  }

  /** Gives a record back. @returns 0, or `-EBUSY`: a reclaimer has it */
  *unload(thread: Thread, toy: Toy, record: RecordId): Routine<number> {
    while (toy.lock.mustWait(thread)) yield toy.lock.acquire;
    const result = yield* this.#unloadLocked(thread, toy, record);
    toy.lock.release(thread);
    return result;
  }

  /** The last reference that users have. */
  *close(thread: Thread, toy: Toy): Routine<void> {
    if (thread.clock > thread.limit) yield toy.refs.writing;
    if (toy.refs.put(thread)) yield* this.release(thread, toy.id);
  }

  pinAt(page: PageIndex): Op {
    return this.#toyOf(page).refs.writing;
  }

  get(thread: Thread, page: PageIndex): PinResult {
    return this.#toyOf(page).refs.getUnlessZero(thread) ? Pin.PINNED : Pin.GONE;
  }

  *young(_thread: Thread, page: PageIndex): Routine<boolean> {
    return this.#toyOf(page).young.delete(this.#parts.frames.record(page));
  }

  *prepare(): Routine<PreparedResult> {
    return this.isBackingRefused ? Prepared.BUSY : Prepared.READY;
  }

  *block(thread: Thread): Routine<typeof Blocked.OK> {
    if (this.atBlock !== null) yield* this.atBlock(thread);
    return Blocked.OK;
  }

  *write(thread: Thread, page: PageIndex): Routine<typeof Written.FREED> {
    const toy = this.#toyOf(page);
    while (toy.lock.mustWait(thread)) yield toy.lock.acquire;
    toy.pages.delete(this.#parts.frames.record(page));
    toy.lock.release(thread);
    return Written.FREED;
  }

  putAt(owner: number): Op {
    return (this.toys[owner] as Toy).refs.writing;
  }

  put(thread: Thread, owner: number): boolean {
    return (this.toys[owner] as Toy).refs.put(thread);
  }

  *release(thread: Thread, owner: number): Routine<void> {
    const toy = this.toys[owner] as Toy;
    for (const record of [...toy.pages.keys()]) yield* this.unload(thread, toy, record);
  }

  *kill(thread: Thread, owner: number): Routine<KilledResult> {
    const toy = this.toys[owner] as Toy;
    let result: KilledResult = Killed.MARKED;
    if (!toy.isCreated) result = Killed.REFUSED;
    else if (toy.isDying) result = Killed.ALREADY_DYING;
    else toy.isDying = true;
    if (thread.clock > thread.limit) yield toy.refs.writing;
    if (toy.refs.put(thread)) yield* this.release(thread, owner);
    return result;
  }

  *#unloadLocked(thread: Thread, toy: Toy, record: RecordId): Routine<number> {
    const page = toy.pages.get(record);
    if (page === undefined) return 0;
    const result = yield* this.lists.unmark(thread, page);
    if (result !== 0) return result;
    toy.pages.delete(record);
    yield* this.allocator.free(thread, page);
    return 0;
  }

  #alloc(thread: Thread, toy: Toy, record: RecordId, mayReclaim: boolean): Routine<number> {
    return this.allocator.alloc(thread, this.kind, toy.id, record, mayReclaim);
  }

  #toyOf(page: PageIndex): Toy {
    return this.toys[this.#parts.frames.owner(page)] as Toy;
  }
}
