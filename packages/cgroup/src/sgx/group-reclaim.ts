import type { BatchCount, GroupId, Reclaimer, ReclaimRequest, Routine, Thread } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';
import type { GroupLists } from './group-lists.js';

/** Runs batches over subtrees through the reclaimer that the stack has. */
export class GroupReclaim {
  readonly #lists: GroupLists;
  /** Pages per round; 0: as many as are asked for. */
  readonly #roundPages: number;
  /** Requests that are not in use; each running batch has its own. */
  readonly #requests: ReclaimRequest[] = [];
  #reclaimer: Reclaimer | null = null;

  constructor(lists: GroupLists, roundPages: number) {
    this.#lists = lists;
    this.#roundPages = roundPages;
  }

  /** The reclaimer, once it is made: it is made of the lists. */
  connect(reclaimer: Reclaimer): void {
    this.#reclaimer = reclaimer;
  }

  /** Counts of batches, if the reclaimer keeps them. */
  get batches(): BatchCount | undefined {
    return this.#connected.batches;
  }

  /** Takes a request with both counts at 0. */
  request(): ReclaimRequest {
    const request = this.#requests.pop();
    if (request === undefined)
      return { target: 0, maxPages: 1, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
    request.lookedAt = 0;
    request.evicted = 0;
    return request;
  }

  /** Gives a request back. */
  done(request: ReclaimRequest): void {
    this.#requests.push(request);
  }

  /**
   * Reclaims from the subtree of `target`: one batch, or with rounds of a fixed size as many as it takes to look at
   * `pages` pages. What was looked at and evicted is added to `request`.
   *
   * @returns pages evicted
   */
  *run(
    thread: Thread,
    request: ReclaimRequest,
    target: GroupId,
    pages: number,
    isAgeIgnored: boolean,
  ): Routine<number> {
    request.target = target;
    request.isAgeIgnored = isAgeIgnored;
    request.maxPages = this.#roundPages === 0 ? pages : this.#roundPages;
    const end = request.lookedAt + pages;
    const evictedBefore = request.evicted;
    for (let before = -1; request.lookedAt > before && request.lookedAt < end; ) {
      before = request.lookedAt;
      yield* this.#connected.batch(thread, request);
      if (this.#roundPages === 0) break;
    }
    return request.evicted - evictedBefore;
  }

  /** Has the subtree no reclaimable page? */
  isEmpty(thread: Thread, target: GroupId): Routine<boolean> {
    return this.#lists.isEmpty(thread, target);
  }

  /** Reclaimable pages of the subtree. */
  pageCount(thread: Thread, target: GroupId): Routine<number> {
    return this.#lists.pageCount(thread, target);
  }

  get #connected(): Reclaimer {
    if (this.#reclaimer !== null) return this.#reclaimer;
    throw new MisuseError('The EPC cgroups have no reclaimer yet.', [], {
      hint: 'Call connect(reclaimer) before anything runs.',
    });
  }
}
