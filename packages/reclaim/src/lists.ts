import type {
  ErrnoResult,
  EvictionPolicy,
  FrameTable,
  GroupId,
  LockFactory,
  OwnerRegistry,
  PageIndex,
  Probe,
  ReclaimLists,
  ReclaimRequest,
  Routine,
  SharedNumber,
  SpinLock,
  Thread,
  VerdictId,
} from '@epckit/interface';
import { Cost, Errno, FrameFlag, Mode, NONE, Pin, Verdict } from '@epckit/interface';

/** What the lists are made of. */
export interface ReclaimListsComponents {
  /** Frame table. */
  readonly frames: FrameTable;
  /** Makes locks and lockless variables. */
  readonly locks: LockFactory;
  /** Owners by kind. */
  readonly owners: OwnerRegistry;
  /** Chooses victims. */
  readonly policy: EvictionPolicy;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
}

/**
 * One global list of reclaimable pages (Linux `sgx_active_page_list` under `sgx_reclaimer_lock`). Groups are
 * ignored.
 */
export function createReclaimLists(components: ReclaimListsComponents): ReclaimLists {
  return new GlobalLists(components);
}

/** One list for all pages. A recipe. */
export class GlobalLists implements ReclaimLists {
  /** Frame table. */
  protected readonly frames: FrameTable;
  /** Chooses victims. */
  protected readonly policy: EvictionPolicy;
  /** Protects the list and the TRACKED flags of pages on it. */
  protected readonly lock: SpinLock;
  /** Pages on the list; changed under the lock, read without it. */
  protected readonly listed: SharedNumber;
  readonly #owners: OwnerRegistry;
  readonly #probe: Probe | null;

  constructor(components: ReclaimListsComponents) {
    this.frames = components.frames;
    this.#owners = components.owners;
    this.policy = components.policy;
    this.#probe = components.probe;
    this.lock = components.locks.spinLock('reclaimer_lock');
    this.listed = components.locks.sharedNumber('reclaimable pages', 0);
  }

  *mark(thread: Thread, page: PageIndex): Routine<void> {
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    this.frames.setFlags(page, this.frames.flags(page) | FrameFlag.TRACKED);
    this.policy.insert(page);
    if (thread.spend(Cost.STEP) > thread.limit) yield this.listed.adding;
    this.listed.add(thread, 1);
    this.lock.release(thread);
  }

  *unmark(thread: Thread, page: PageIndex): Routine<ErrnoResult> {
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    let result = 0;
    if ((this.frames.flags(page) & FrameFlag.TRACKED) !== 0) {
      if (this.frames.listOf(page) === 0) {
        result = -Errno.EBUSY;
      } else {
        this.policy.remove(page);
        this.frames.setFlags(page, this.frames.flags(page) & ~FrameFlag.TRACKED);
        if (thread.spend(Cost.STEP) > thread.limit) yield this.listed.adding;
        this.listed.add(thread, -1);
      }
    }
    this.lock.release(thread);
    return result;
  }

  *isEmpty(thread: Thread, _target: GroupId): Routine<boolean> {
    if (thread.clock > thread.limit) yield this.listed.reading;
    return this.listed.read(thread) === 0;
  }

  *isolate(thread: Thread, request: ReclaimRequest, victims: Int32Array): Routine<number> {
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    const looked = this.policy.isolate(victims, Math.min(request.maxPages, victims.length));
    request.lookedAt += looked;
    if (thread.spend(Cost.STEP) > thread.limit) yield this.listed.adding;
    this.listed.add(thread, -looked);
    let kept = 0;
    for (let i = 0; i < looked; i++) {
      const page = victims[i] as number;
      const owner = this.#owners.of(this.frames.kind(page));
      if (thread.clock > thread.limit) yield owner.pinAt(page);
      if (owner.get(thread, page) === Pin.PINNED) victims[kept++] = page;
      else this.#forget(thread, page);
    }
    this.lock.release(thread);
    return kept;
  }

  *putBack(thread: Thread, page: PageIndex, verdict: VerdictId): Routine<void> {
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    this.policy.putBack(page, verdict);
    if (thread.spend(Cost.STEP) > thread.limit) yield this.listed.adding;
    this.listed.add(thread, 1);
    this.lock.release(thread);
  }

  oldest(_group: GroupId): PageIndex {
    return this.policy.oldest();
  }

  after(page: PageIndex): PageIndex {
    return page === NONE ? NONE : this.policy.after(page);
  }

  /** The owner is being torn down: it will free the page itself. */
  #forget(thread: Thread, page: PageIndex): void {
    this.frames.setFlags(page, this.frames.flags(page) & ~FrameFlag.TRACKED);
    this.#probe?.reclaimVerdict(thread.id, page, Verdict.GONE);
  }
}

/**
 * The repair of L-06: a poisoned page never comes onto the list, whoever marks it or puts it back. The look at the
 * poison mark is under the list lock, which a memory error takes after setting it: one of the two sees the other.
 */
export class PoisonAwareLists extends GlobalLists {
  override *mark(thread: Thread, page: PageIndex): Routine<void> {
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    if (thread.spend(Cost.STEP) > thread.limit) yield this.frames.poisonAt(page, Mode.READ);
    if (!this.frames.isPoisoned(page)) {
      this.frames.setFlags(page, this.frames.flags(page) | FrameFlag.TRACKED);
      this.policy.insert(page);
      if (thread.spend(Cost.STEP) > thread.limit) yield this.listed.adding;
      this.listed.add(thread, 1);
    }
    this.lock.release(thread);
  }

  override *putBack(thread: Thread, page: PageIndex, verdict: VerdictId): Routine<void> {
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    if (thread.spend(Cost.STEP) > thread.limit) yield this.frames.poisonAt(page, Mode.READ);
    if (this.frames.isPoisoned(page)) {
      this.frames.setFlags(page, this.frames.flags(page) & ~FrameFlag.TRACKED);
    } else {
      this.policy.putBack(page, verdict);
      if (thread.spend(Cost.STEP) > thread.limit) yield this.listed.adding;
      this.listed.add(thread, 1);
    }
    this.lock.release(thread);
  }
}
