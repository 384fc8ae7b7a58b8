import type {
  FrameTable,
  GroupId,
  OwnerId,
  OwnerKindId,
  OwnerRegistry,
  PageIndex,
  Routine,
  Thread,
  VictimPolicy,
} from '@epckit/interface';
import { NONE, Pin } from '@epckit/interface';
import type { MiscGroup } from '../group.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';

/** What victim policies look at. */
export interface VictimPolicyParts {
  /** Parts of all groups. */
  readonly groups: EpcGroups;
  /** Frame table. */
  readonly frames: FrameTable;
  /** Owners by kind. */
  readonly owners: OwnerRegistry;
  /** Has an instance refused to die in this search? Plain. */
  isRefused(kind: OwnerKindId, owner: OwnerId): boolean;
  /**
   * The thread has pinned an instance, which it will choose: when its page is looked at next it may be somebody
   * else's. Plain; a policy that does not tell relies on the page.
   */
  pinned(thread: Thread, kind: OwnerKindId, owner: OwnerId): void;
}

/** Steps that victim policies share. */
export abstract class VictimSearch implements VictimPolicy {
  /** What the policy looks at. */
  protected readonly parts: VictimPolicyParts;

  constructor(parts: VictimPolicyParts) {
    this.parts = parts;
  }

  abstract choose(thread: Thread, group: GroupId): Routine<PageIndex>;

  /** Next group of the subtree that can be had, with a reference; dying ones are skipped (the series, v4). */
  protected *nextGroup(thread: Thread, top: EpcGroup, at: MiscGroup | null): Routine<EpcGroup | null> {
    const { groups } = this.parts;
    let next = at === null ? top.group : yield* groups.after(thread, top, at);
    while (next !== null && !(yield* groups.tryGet(thread, next))) {
      next = yield* groups.after(thread, top, next);
    }
    return next === null ? null : groups.of(next.id);
  }

  /** Pins the owner of a page that is on a list. Under the list's lock. */
  protected *pin(thread: Thread, page: PageIndex): Routine<boolean> {
    const { frames, owners } = this.parts;
    const kind = frames.kind(page);
    const instance = frames.owner(page);
    if (this.parts.isRefused(kind, instance)) return false;
    const owner = owners.of(kind);
    if (thread.clock > thread.limit) yield owner.pinAt(page);
    const isPinned = owner.get(thread, page) === Pin.PINNED;
    if (isPinned) this.parts.pinned(thread, kind, instance);
    return isPinned;
  }
}

/**
 * The oldest page that no reclaimer may take, of the first group in pre-order that has one. A page that was looked at
 * stays where it is.
 */
export class OldestVictim extends VictimSearch {
  *choose(thread: Thread, group: GroupId): Routine<PageIndex> {
    const { groups } = this.parts;
    const top = groups.of(group);
    let at: MiscGroup | null = null;
    for (
      let part = yield* this.nextGroup(thread, top, at);
      part !== null;
      part = yield* this.nextGroup(thread, top, at)
    ) {
      at = part.group;
      while (part.lock.mustWait(thread)) yield part.lock.acquire;
      const page = yield* this.search(thread, part);
      part.lock.release(thread);
      yield* groups.put(thread, part);
      if (page !== NONE) return page;
    }
    return NONE;
  }

  /** Looks through the list of one group, whose lock is held. */
  protected *search(thread: Thread, part: EpcGroup): Routine<PageIndex> {
    const { frames } = this.parts;
    for (let page = frames.first(part.unreclaimable); page !== NONE; page = frames.next(page)) {
      if (yield* this.pin(thread, page)) return page;
    }
    return NONE;
  }
}

/** R-05 (2020, v5): each page that is visited leaves the list, the victim's and those that cannot be had. */
export class ForgettingVictim extends OldestVictim {
  protected override *search(thread: Thread, part: EpcGroup): Routine<PageIndex> {
    const { frames } = this.parts;
    for (;;) {
      const page = frames.first(part.unreclaimable);
      if (page === NONE) return NONE;
      frames.unlink(page);
      if (yield* this.pin(thread, page)) return page;
    }
  }
}

/** The charging group's own oldest one before those of its neighbours. */
export class OwnVictim extends OldestVictim {
  override *choose(thread: Thread, group: GroupId): Routine<PageIndex> {
    const { groups } = this.parts;
    const { requester } = groups.of(group);
    const own = groups.controller.group(requester);
    if (own !== undefined && own.id !== group && (yield* groups.tryGet(thread, own))) {
      const page = yield* super.choose(thread, own.id);
      yield* groups.controller.put(thread, own.id);
      if (page !== NONE) return page;
    }
    return yield* super.choose(thread, group);
  }
}

/** Pages of one owner instance in a subtree. */
export interface Candidate {
  /** Kind of the owner. */
  readonly kind: OwnerKindId;
  /** Instance. */
  readonly owner: OwnerId;
  /** Some page of it that is on a list. */
  readonly page: PageIndex;
  /** Part whose list that page is on. */
  readonly part: EpcGroup;
  /** Reclaimable pages. */
  reclaimable: number;
  /** Pages that no reclaimer may take. */
  unreclaimable: number;
}

/** Counts the pages of every instance in the subtree first, and takes the first in an order. */
export abstract class RankedVictim extends VictimSearch {
  *choose(thread: Thread, group: GroupId): Routine<PageIndex> {
    const candidates = yield* this.#candidates(thread, this.parts.groups.of(group));
    candidates.sort((one, other) => this.compare(one, other));
    for (const { page, part, kind, owner } of candidates) {
      const { frames } = this.parts;
      while (part.lock.mustWait(thread)) yield part.lock.acquire;
      // It may have become somebody else's meanwhile.
      const isSame = frames.listOf(page) !== 0 && frames.kind(page) === kind && frames.owner(page) === owner;
      const isPinned = isSame && (yield* this.pin(thread, page));
      part.lock.release(thread);
      if (isPinned) return page;
    }
    return NONE;
  }

  /** Negative: `one` is the better victim. */
  protected abstract compare(one: Candidate, other: Candidate): number;

  *#candidates(thread: Thread, top: EpcGroup): Routine<Candidate[]> {
    const found = new Map<string, Candidate>();
    let at: MiscGroup | null = null;
    for (
      let part = yield* this.nextGroup(thread, top, at);
      part !== null;
      part = yield* this.nextGroup(thread, top, at)
    ) {
      at = part.group;
      while (part.lock.mustWait(thread)) yield part.lock.acquire;
      this.#count(part, found);
      part.lock.release(thread);
      yield* this.parts.groups.put(thread, part);
    }
    return [...found.values()];
  }

  #count(part: EpcGroup, found: Map<string, Candidate>): void {
    const { frames } = this.parts;
    for (let page = frames.first(part.unreclaimable); page !== NONE; page = frames.next(page)) {
      this.#candidate(part, page, found).unreclaimable++;
    }
    for (let page = part.policy.oldest(); page !== NONE; page = part.policy.after(page)) {
      this.#candidate(part, page, found).reclaimable++;
    }
  }

  #candidate(part: EpcGroup, page: PageIndex, found: Map<string, Candidate>): Candidate {
    const { frames } = this.parts;
    const kind = frames.kind(page);
    const owner = frames.owner(page);
    const key = `${kind}:${owner}`;
    const known = found.get(key);
    if (known !== undefined) return known;
    const candidate = { kind, owner, page, part, reclaimable: 0, unreclaimable: 0 };
    found.set(key, candidate);
    return candidate;
  }
}

/** Who has the most pages. */
export class LargestVictim extends RankedVictim {
  protected compare(one: Candidate, other: Candidate): number {
    return other.reclaimable + other.unreclaimable - one.reclaimable - one.unreclaimable;
  }
}

/**
 * Who has the fewest pages in use: an enclave that is swapped out but for its version arrays comes first, and of
 * those the one with the most.
 */
export class LeastActiveVictim extends RankedVictim {
  protected compare(one: Candidate, other: Candidate): number {
    return one.reclaimable - other.reclaimable || other.unreclaimable - one.unreclaimable;
  }
}

/** Makes a victim policy. */
export type VictimPolicyFactory = (parts: VictimPolicyParts) => VictimPolicy;

/** Victim policies by name. */
export const victimPolicies = {
  /** an enclave that uses its pages least */
  leastActive: (parts) => new LeastActiveVictim(parts),
  /** who has the most pages */
  largest: (parts) => new LargestVictim(parts),
  /** whose SECS, version array or guest page is on the list for longest */
  oldest: (parts) => new OldestVictim(parts),
  /** the oldest of the group that asked for room */
  own: (parts) => new OwnVictim(parts),
} as const satisfies Record<string, VictimPolicyFactory>;
/** Name of a victim policy. */
export type VictimPolicyName = keyof typeof victimPolicies;
