import type {
  FrameTable,
  OwnerId,
  OwnerKindId,
  OwnerRegistry,
  Probe,
  Routine,
  Thread,
  VictimPolicy,
} from '@epckit/interface';
import { Killed, NONE } from '@epckit/interface';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';
import type { VictimPolicyFactory } from './victim-policies.js';

/** What the killer is made of. */
export interface KillerParts {
  /** Parts of all groups. */
  readonly groups: EpcGroups;
  /** Frame table. */
  readonly frames: FrameTable;
  /** Owners by kind. */
  readonly owners: OwnerRegistry;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
}

/** One instance of an owner. */
interface Instance {
  readonly kind: OwnerKindId;
  readonly owner: OwnerId;
}

/** Kills one owner when a subtree is out of EPC. What that does to its pages is the owner's business. */
export class EpcKiller {
  readonly #parts: KillerParts;
  readonly #policy: VictimPolicy;
  /** Instances that refused in the search that is running; one search at a time per set. */
  #refused = new Set<string>();
  /** What each thread has pinned last. */
  readonly #pinned: (Instance | undefined)[] = [];

  constructor(parts: KillerParts, policy: VictimPolicyFactory) {
    this.#parts = parts;
    this.#policy = policy({
      ...parts,
      isRefused: (kind, owner) => this.#refused.has(`${kind}:${owner}`),
      pinned: (thread, kind, owner) => {
        this.#pinned[thread.id] = { kind, owner };
      },
    });
  }

  /**
   * Chooses until somebody begins to die or is dying already. No locks held.
   *
   * @returns false: there is nobody
   */
  *kill(thread: Thread, target: EpcGroup): Routine<boolean> {
    const { frames, owners, probe } = this.#parts;
    this.#refused = new Set();
    for (;;) {
      this.#pinned[thread.id] = undefined;
      const page = yield* this.#policy.choose(thread, target.id);
      if (page === NONE) return false;
      const { kind, owner } = this.#pinned[thread.id] ?? {
        kind: frames.kind(page),
        owner: frames.owner(page),
      };
      const killed = yield* owners.of(kind).kill(thread, owner);
      if (killed === Killed.MARKED) probe?.victimKilled?.(thread.id, kind, owner, target.id);
      if (killed !== Killed.REFUSED) return true;
      this.#refused.add(`${kind}:${owner}`);
    }
  }
}
