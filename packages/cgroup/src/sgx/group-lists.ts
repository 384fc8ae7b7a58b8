import type {
  ErrnoResult,
  FrameTable,
  GroupId,
  OwnerRegistry,
  PageIndex,
  Probe,
  ReclaimLists,
  ReclaimRequest,
  Routine,
  SharedNumber,
  Thread,
  VerdictId,
} from '@epckit/interface';
import { Cost, Errno, FrameFlag, Mode, NONE, Pin, Verdict } from '@epckit/interface';
import type { ControlTable } from './controls.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';
import type { EpcUseId, EpcUseOf } from './epc-use.js';
import type { SubtreeWalk } from './walk.js';
import { beginPass } from './walk.js';

/** What lists per group are made of. */
export interface GroupListsParts {
  /** Parts of all groups. */
  readonly groups: EpcGroups;
  /** Frame table. */
  readonly frames: FrameTable;
  /** Owners by kind. */
  readonly owners: OwnerRegistry;
  /** In which order groups are reclaimed from. */
  readonly walk: SubtreeWalk;
  /** In which order groups are looked at for emptiness. */
  readonly emptinessWalk: SubtreeWalk;
  /** May one batch hold pages of several groups? */
  readonly gathers: boolean;
  /** Are pages of a use that no reclaimer may take on a list too? Plain. */
  readonly listsUnreclaimable: (use: EpcUseId) => boolean;
  /** What a page is used for. */
  readonly useOf: EpcUseOf;
  /** Bounds and counters of the controller of 2018 to 2020. */
  readonly controls: ControlTable;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
}

/** Told when a page has come onto a list for the first time, or was refused by it. */
export interface MarkListener {
  /** The page was marked. No locks held. */
  marked(thread: Thread, page: PageIndex): Routine<void>;
}

/** Lists of reclaimable pages per group: a page is on the list of the group that it is charged to. A recipe. */
export class GroupLists implements ReclaimLists {
  /** Told of marked pages, or `null`. */
  listener: MarkListener | null = null;
  /** What the lists are made of. */
  protected readonly parts: GroupListsParts;

  constructor(parts: GroupListsParts) {
    this.parts = parts;
  }

  *mark(thread: Thread, page: PageIndex): Routine<void> {
    const { frames } = this.parts;
    const part = this.partOf(page);
    while (part.lock.mustWait(thread)) yield part.lock.acquire;
    if (yield* this.mayList(thread, page)) {
      // A SECS without children comes from the other list.
      if (frames.listOf(page) !== 0) frames.unlink(page);
      frames.setFlags(page, frames.flags(page) | FrameFlag.TRACKED);
      part.policy.insert(page);
      yield* this.count(thread, part, 1);
    }
    part.lock.release(thread);
    if (this.listener !== null) yield* this.listener.marked(thread, page);
  }

  *unmark(thread: Thread, page: PageIndex): Routine<ErrnoResult> {
    const { frames } = this.parts;
    const part = this.partOf(page);
    while (part.lock.mustWait(thread)) yield part.lock.acquire;
    let result = 0;
    if ((frames.flags(page) & FrameFlag.TRACKED) !== 0) {
      if (frames.listOf(page) === 0) {
        result = -Errno.EBUSY;
      } else {
        part.policy.remove(page);
        frames.setFlags(page, frames.flags(page) & ~FrameFlag.TRACKED);
        yield* this.count(thread, part, -1);
        this.#backToUnreclaimable(part, page);
      }
    }
    part.lock.release(thread);
    return result;
  }

  /** Linux `sgx_cgroup_lru_empty`: every list of the subtree is looked at under its lock. */
  *isEmpty(thread: Thread, target: GroupId): Routine<boolean> {
    const { groups, emptinessWalk } = this.parts;
    const top = groups.of(target);
    const pass = beginPass();
    for (
      let part = yield* emptinessWalk.next(thread, top, pass);
      part !== null;
      part = yield* emptinessWalk.next(thread, top, pass)
    ) {
      while (part.lock.mustWait(thread)) yield part.lock.acquire;
      const isEmpty = part.policy.isEmpty();
      part.lock.release(thread);
      yield* groups.put(thread, part);
      if (!isEmpty) return false;
    }
    return true;
  }

  *isolate(thread: Thread, request: ReclaimRequest, victims: Int32Array): Routine<number> {
    const { groups, walk, gathers } = this.parts;
    const top = groups.of(request.target);
    const max = Math.min(request.maxPages, victims.length);
    const pass = beginPass();
    let kept = 0;
    for (let looked = 0; looked < max; ) {
      if (walk.isEndless && (yield* this.isEmpty(thread, request.target))) break;
      const part = yield* walk.next(thread, top, pass);
      if (part === null) break;
      const before = request.lookedAt;
      const isWhole = kept === 0 && max - looked === victims.length;
      const room = isWhole ? victims : victims.subarray(kept, kept + max - looked);
      kept += yield* this.take(thread, part, request, room);
      const taken = request.lookedAt - before;
      if (taken > 0) yield* walk.scanned(thread, top, part);
      yield* groups.put(thread, part);
      looked += taken;
      if (looked > 0 && !gathers) break;
      if (walk.isEndless && thread.turn('sgx_cgroup_reclaim_pages', part.id)) yield thread.changeWaiting;
    }
    return kept;
  }

  *putBack(thread: Thread, page: PageIndex, verdict: VerdictId): Routine<void> {
    const { frames } = this.parts;
    const part = this.partOf(page);
    while (part.lock.mustWait(thread)) yield part.lock.acquire;
    if (yield* this.mayList(thread, page)) {
      part.policy.putBack(page, verdict);
      yield* this.count(thread, part, 1);
    } else {
      frames.setFlags(page, frames.flags(page) & ~FrameFlag.TRACKED);
    }
    part.lock.release(thread);
  }

  oldest(group: GroupId): PageIndex {
    return this.parts.groups.of(group).policy.oldest();
  }

  after(page: PageIndex): PageIndex {
    return page === NONE ? NONE : this.partOf(page).policy.after(page);
  }

  /** Reclaimable pages of the subtree of a group, as far as they are counted: else of the group alone. */
  *pageCount(thread: Thread, target: GroupId): Routine<number> {
    const count = this.countOf(this.parts.groups.of(target));
    if (thread.clock > thread.limit) yield count.reading;
    return count.read(thread);
  }

  /** May the page come onto a list? Under the lock of the list. */
  *mayList(_thread: Thread, _page: PageIndex): Routine<boolean> {
    return true;
  }

  /** Takes pages off the list of one group and pins their owners. @returns pages that are pinned */
  protected *take(
    thread: Thread,
    part: EpcGroup,
    request: ReclaimRequest,
    victims: Int32Array,
  ): Routine<number> {
    const { frames, owners } = this.parts;
    while (part.lock.mustWait(thread)) yield part.lock.acquire;
    const taken = part.policy.isolate(victims, victims.length);
    request.lookedAt += taken;
    let kept = 0;
    for (let i = 0; i < taken; i++) {
      const page = victims[i] as number;
      const owner = owners.of(frames.kind(page));
      if (thread.clock > thread.limit) yield owner.pinAt(page);
      if (owner.get(thread, page) === Pin.PINNED) victims[kept++] = page;
      else this.forget(thread, part, page);
    }
    if (taken > 0) yield* this.count(thread, part, -taken);
    part.lock.release(thread);
    return kept;
  }

  /** The owner is being torn down: it will free the page itself. */
  protected forget(thread: Thread, part: EpcGroup, page: PageIndex): void {
    const { frames, probe } = this.parts;
    frames.setFlags(page, frames.flags(page) & ~FrameFlag.TRACKED);
    this.#backToUnreclaimable(part, page);
    probe?.reclaimVerdict(thread.id, page, Verdict.GONE);
  }

  /** The list of a group has got longer by `amount`. Under its lock. */
  protected *count(thread: Thread, part: EpcGroup, amount: number): Routine<void> {
    yield* this.countOne(thread, part.listed, amount);
  }

  /** Adds to one count. */
  protected *countOne(thread: Thread, count: SharedNumber, amount: number): Routine<void> {
    if (thread.spend(Cost.STEP) > thread.limit) yield count.adding;
    count.add(thread, amount);
  }

  /** Count to read for {@link pageCount}. */
  protected countOf(part: EpcGroup): SharedNumber {
    return part.listed;
  }

  /** Part of the group that the page is charged to. */
  protected partOf(page: PageIndex): EpcGroup {
    return this.parts.groups.of(this.parts.frames.group(page));
  }

  #backToUnreclaimable(part: EpcGroup, page: PageIndex): void {
    const { frames, listsUnreclaimable, useOf } = this.parts;
    if (!listsUnreclaimable(useOf(frames.kind(page), frames.record(page)))) return;
    frames.append(part.unreclaimable, page);
  }
}

/**
 * Lists that also count the reclaimable pages of each subtree: emptiness is one read, and walks step over what has no
 * pages. A page that is added costs one addition per level.
 */
export class CountedGroupLists extends GroupLists {
  override *isEmpty(thread: Thread, target: GroupId): Routine<boolean> {
    const { below } = this.parts.groups.of(target);
    if (thread.clock > thread.limit) yield below.reading;
    return below.read(thread) <= 0;
  }

  /**
   * From the list up when it gets longer, from the root down when it gets shorter: what a subtree counts, the groups
   * below it count too. Else a walk could find nothing where the count says that there is something.
   */
  protected override *count(thread: Thread, part: EpcGroup, amount: number): Routine<void> {
    const { line } = part;
    if (amount > 0) yield* this.countOne(thread, part.listed, amount);
    for (let i = 0; i < line.length; i++) {
      const at = line[amount > 0 ? line.length - 1 - i : i] as EpcGroup;
      yield* this.countOne(thread, at.below, amount);
    }
    if (amount < 0) yield* this.countOne(thread, part.listed, amount);
  }

  protected override countOf(part: EpcGroup): SharedNumber {
    return part.below;
  }
}

/**
 * Counted lists with the repair of L-06: a poisoned page never comes onto one, whoever marks it or puts it back. The
 * look at the poison mark is under the list's lock, which a memory error takes after setting it.
 */
export class PoisonAwareGroupLists extends CountedGroupLists {
  override *mayList(thread: Thread, page: PageIndex): Routine<boolean> {
    const { frames } = this.parts;
    if (thread.spend(Cost.STEP) > thread.limit) yield frames.poisonAt(page, Mode.READ);
    return !frames.isPoisoned(page);
  }
}
