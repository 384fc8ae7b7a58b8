import type {
  EvictionPolicy,
  FrameTable,
  GroupId,
  ListId,
  LockFactory,
  Op,
  SharedNumber,
  SpinLock,
  Thread,
} from '@epckit/interface';
import type { MiscCounters, MiscGroup } from '../group.js';
import { Resource } from '../resource.js';

/** How background reclaim of a group has ended. */
export const Fate = {
  /** there is room, or somebody dies, or it was in vain for the moment only */
  HOPEFUL: 0,
  /** nothing is reclaimable, and there is nobody to kill */
  NOBODY: 1,
  /** pages are reclaimable, but none could be written: backing memory is refused */
  STUCK: 2,
} as const;
/** Value of {@link Fate}. */
export type FateId = (typeof Fate)[keyof typeof Fate];

/** Ends of background reclaim of one group: how many there were, and how the last one was. */
export class WorkEnds {
  /** Four times the number of ends, plus the last {@link Fate}: so both are read at once. */
  readonly #number: SharedNumber;

  constructor(name: string, locks: LockFactory) {
    this.#number = locks.sharedNumber(name, Fate.HOPEFUL);
  }

  /** Op to yield before {@link count} and {@link last}. */
  get reading(): Op {
    return this.#number.reading;
  }

  /** Op to yield before {@link end}. */
  get adding(): Op {
    return this.#number.adding;
  }

  /** Ends so far. */
  count(thread: Thread): number {
    return Math.floor(this.#number.read(thread) / 4);
  }

  /** How the last one was, if there was one after the first `seen`; else {@link Fate.HOPEFUL}. */
  last(thread: Thread, seen: number): FateId {
    const value = this.#number.read(thread);
    return Math.floor(value / 4) > seen ? ((value % 4) as FateId) : Fate.HOPEFUL;
  }

  /** One more has ended. Its worker is the only one that says so. */
  end(thread: Thread, fate: FateId): void {
    this.#number.add(thread, 4 - (this.#number.value % 4) + fate);
  }
}

/** What the private part of a group is made of. */
export interface EpcGroupParts {
  /** Frame table, for the list of unreclaimable pages. */
  readonly frames: FrameTable;
  /** Makes locks and lockless variables. */
  readonly locks: LockFactory;
  /** Makes the policy of one list of reclaimable pages. */
  readonly policy: (components: { readonly frames: FrameTable }) => EvictionPolicy;
}

/**
 * The EPC part of a group (Linux `struct sgx_cgroup`, 2020 `struct sgx_epc_cgroup`): its lists. Parts are used again
 * for other groups when theirs is freed, because lists of the frame table are for ever.
 */
export class EpcGroup {
  /** Dense number of the part, kept over its uses. */
  readonly slot: number;
  /** Protects both lists and the TRACKED flags of pages on them (Linux `sgx_epc_lru_list.lock`). */
  readonly lock: SpinLock;
  /** Reclaimable pages that are charged to the group itself. */
  readonly policy: EvictionPolicy;
  /** SECS, version arrays and pages of guests, if the engine lists them; under {@link lock}. */
  readonly unreclaimable: ListId;
  /** Pages on the reclaimable list; changed under the lock, read without it. */
  readonly listed: SharedNumber;
  /** {@link listed} of the whole subtree, if the engine counts it. */
  readonly below: SharedNumber;
  /** How background reclaim has ended. */
  readonly ends: WorkEnds;
  /** Charged pages by use, for reports. */
  readonly uses = new Int32Array(4);
  /** Failed attempts to charge that this group refused, for reports and invariants. */
  refusals = 0;
  /** Group whose charge failed last because of this one; for victim policies. */
  requester: GroupId = 0;
  /** Group that the part belongs to now. */
  group: MiscGroup;
  /** Parts from the root down to this one. */
  line: readonly EpcGroup[];

  constructor(
    slot: number,
    group: MiscGroup,
    above: EpcGroup | null,
    { frames, locks, policy }: EpcGroupParts,
  ) {
    this.slot = slot;
    this.group = group;
    this.line = [...(above?.line ?? []), this];
    this.lock = locks.spinLock('sgx_epc_lru_list.lock');
    this.policy = policy({ frames });
    this.unreclaimable = frames.createList(`unreclaimable ${slot}`);
    this.listed = locks.sharedNumber(`reclaimable pages of part ${slot}`, 0);
    this.below = locks.sharedNumber(`reclaimable pages below part ${slot}`, 0);
    this.ends = new WorkEnds(`ends of the work of part ${slot}`, locks);
  }

  /** Group's id. */
  get id(): GroupId {
    return this.group.id;
  }

  /** Limit and counters of the group's EPC. */
  get counters(): MiscCounters {
    return this.group.counters(Resource.SGX_EPC);
  }

  /** Belongs to another group from now on. Both lists are empty. */
  reuse(group: MiscGroup, above: EpcGroup | null): void {
    this.group = group;
    this.line = [...(above?.line ?? []), this];
    this.uses.fill(0);
    this.refusals = 0;
    this.requester = 0;
  }
}
