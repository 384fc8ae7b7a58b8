import type {
  GroupId,
  NodeId,
  Op,
  Reclaimer,
  ReclaimRequest,
  Routine,
  Thread,
  ThreadId,
} from '@epckit/interface';
import type { CurrentGroup } from './charge.js';
import type { EpcCgroups } from './engine.js';

/**
 * R-08 (a snapshot of the series in 2023): when the machine has no free page, the allocator looks at the subtree of
 * the charging group only. Given to the allocator instead of the reclaimer.
 */
export class OwnSubtreeReclaimer implements Reclaimer {
  readonly #reclaimer: Reclaimer;
  readonly #engine: EpcCgroups;
  readonly #current: CurrentGroup;

  constructor(reclaimer: Reclaimer, engine: EpcCgroups, current: CurrentGroup) {
    this.#reclaimer = reclaimer;
    this.#engine = engine;
    this.#current = current;
  }

  get daemons(): readonly ThreadId[] {
    return this.#reclaimer.daemons;
  }

  *nothingReclaimable(thread: Thread): Routine<boolean> {
    const group = yield* this.#current.getCurrent(thread);
    const isEmpty = yield* this.#engine.lists.isEmpty(thread, group);
    yield* this.#put(thread, group);
    return isEmpty;
  }

  *batch(thread: Thread, request?: ReclaimRequest): Routine<number> {
    if (request !== undefined) return yield* this.#reclaimer.batch(thread, request);
    const target = yield* this.#current.getCurrent(thread);
    const own = { target, maxPages: 16, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
    const evicted = yield* this.#reclaimer.batch(thread, own);
    yield* this.#put(thread, target);
    return evicted;
  }

  freeReadingOn(node: NodeId): Op {
    return this.#reclaimer.freeReadingOn(node);
  }

  isLow(thread: Thread, node: NodeId): boolean {
    return this.#reclaimer.isLow(thread, node);
  }

  wakeIfUseful(thread: Thread, node: NodeId): Routine<void> {
    return this.#reclaimer.wakeIfUseful(thread, node);
  }

  #put(thread: Thread, group: GroupId): Routine<void> {
    return this.#engine.groups.controller.put(thread, group);
  }
}
