import type { GroupId, LockFactory, Routine, SpinLock, Thread, WaitQueue } from '@epckit/interface';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroups } from './epc-groups.js';

/** What a worker does for a group. */
export interface EpcWork {
  /** Reclaims from the subtree of `target` until it has room, or gives up. */
  run(thread: Thread, target: EpcGroup): Routine<void>;
}

/** Where the work item of a group is. */
const Item = {
  IDLE: 0,
  QUEUED: 1,
  RUNNING: 2,
  /** queued again while it runs: it runs once more afterwards */
  REQUEUED: 3,
} as const;
type ItemState = (typeof Item)[keyof typeof Item];

/**
 * Background reclaim (Linux: one work item per group on an unbound work queue). Any number of threads may run
 * {@link main}; an item never runs twice at the same time.
 */
export class EpcWorkers {
  readonly #groups: EpcGroups;
  readonly #work: EpcWork;
  readonly #lock: SpinLock;
  readonly #sleepers: WaitQueue;
  /** Groups whose work is queued, oldest first; a queued or running item holds a reference. Under the lock. */
  readonly #queue: EpcGroup[] = [];
  /** State of each part's item; under the lock. */
  readonly #items: ItemState[] = [];
  /** Items that were run, for reports. */
  runs = 0;

  constructor(groups: EpcGroups, locks: LockFactory, work: EpcWork) {
    this.#groups = groups;
    this.#work = work;
    this.#lock = locks.spinLock('sgx_cg_wq.lock');
    this.#sleepers = locks.waitQueue('sgx_cg_wq');
  }

  /** Items that are queued and do not run. For reports. */
  get length(): number {
    return this.#queue.length;
  }

  /** Is the work of a group queued or running? For reports. */
  isBusy({ slot }: EpcGroup): boolean {
    return (this.#items[slot] ?? Item.IDLE) !== Item.IDLE;
  }

  /**
   * Queues the work of a group, to which the caller holds a reference, unless it is queued already.
   *
   * @param requester - group whose charge needs room
   */
  *queue(thread: Thread, target: EpcGroup, requester: GroupId): Routine<void> {
    while (this.#lock.mustWait(thread)) yield this.#lock.acquire;
    target.requester = requester;
    const state = this.#items[target.slot] ?? Item.IDLE;
    const isNew = state === Item.IDLE || state === Item.RUNNING;
    if (state === Item.IDLE) {
      yield* this.#groups.controller.get(thread, target.id);
      this.#queue.push(target);
    }
    if (isNew) this.#items[target.slot] = state === Item.IDLE ? Item.QUEUED : Item.REQUEUED;
    this.#lock.release(thread);
    if (isNew) this.#sleepers.wake(thread);
  }

  /** Main loop of a worker thread; never returns. */
  *main(thread: Thread): Routine<never> {
    for (;;) {
      const target = yield* this.#next(thread);
      this.runs++;
      yield* this.#work.run(thread, target);
      yield* this.#finish(thread, target);
    }
  }

  /** Sleeps until there is work, and takes the oldest. */
  *#next(thread: Thread): Routine<EpcGroup> {
    for (;;) {
      this.#sleepers.prepare(thread);
      while (this.#lock.mustWait(thread)) yield this.#lock.acquire;
      const target = this.#queue.shift();
      if (target !== undefined) this.#items[target.slot] = Item.RUNNING;
      this.#lock.release(thread);
      if (target !== undefined) {
        this.#sleepers.finish(thread);
        return target;
      }
      yield* this.#sleepers.sleep(thread);
    }
  }

  *#finish(thread: Thread, target: EpcGroup): Routine<void> {
    while (this.#lock.mustWait(thread)) yield this.#lock.acquire;
    const isAgain = this.#items[target.slot] === Item.REQUEUED;
    this.#items[target.slot] = isAgain ? Item.QUEUED : Item.IDLE;
    if (isAgain) this.#queue.push(target);
    this.#lock.release(thread);
    if (!isAgain) yield* this.#groups.put(thread, target);
  }
}
