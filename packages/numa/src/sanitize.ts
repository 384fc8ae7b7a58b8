import type { FrameTable, LeafResult, ListId, Probe, Routine, SgxHardware, Thread } from '@epckit/interface';
import { Cost, isExit, Leaf, Mode, servedByHost } from '@epckit/interface';
import type { FreeCount } from './free-count.js';
import type { FreePages } from './free-pages.js';
import type { NodeLists } from './node-lists.js';

/** How a sanitizing run may be ended early. */
export interface SanitizeOptions {
  /** Is the thread to stop (Linux `kthread_should_stop`)? Asked before each page. Default: never. */
  readonly stopRequested?: () => boolean;
}

/** What sanitizing works with. */
export interface SanitizeParts {
  /** Holds the poison marks. */
  readonly frames: FrameTable;
  /** Executes EREMOVE. */
  readonly hardware: SgxHardware;
  /** Lists and locks of the nodes. */
  readonly lists: NodeLists;
  /** Counts of free pages. */
  readonly free: FreePages;
  /** What is counted. */
  readonly count: FreeCount;
  /** Trace points, or `null`. */
  readonly probe: Probe | null;
  /** Pages in an unknown state. */
  readonly dirty: ListId;
  /** Pages that the current pass could not clean. */
  readonly left: ListId;
}

/**
 * Makes the EPC usable after boot: EREMOVE of every page on the dirty list, twice, because a SECS cannot be
 * removed before its children and these may lie in other sections (Linux `ksgxd`, 5.17 and later). A recipe.
 *
 * Pages can be allocated from the moment at which the first of them is clean.
 */
export class Sanitizer {
  /** What sanitizing works with. */
  protected readonly parts: SanitizeParts;

  constructor(parts: SanitizeParts) {
    this.parts = parts;
  }

  /** @returns pages that stay dirty; not zero is a kernel warning */
  *run(thread: Thread, options: SanitizeOptions): Routine<number> {
    yield* this.pass(thread, options);
    let left = yield* this.pass(thread, options);
    if (left !== 0) left = yield* this.retry(thread, options, left);
    if (left !== 0) this.parts.probe?.warned(thread.id, 'ksgxd');
    return left;
  }

  /** What is done about pages that two passes left: nothing. @returns pages that stay dirty */
  protected *retry(_thread: Thread, _options: SanitizeOptions, left: number): Routine<number> {
    return left;
  }

  /** One pass (Linux `__sgx_sanitize_pages`). One generator for all pages: there may be millions. */
  protected *pass(thread: Thread, options: SanitizeOptions): Routine<number> {
    const { frames, hardware, lists, free, count, dirty, left } = this.parts;
    for (let page = frames.first(dirty); page >= 0; page = frames.first(dirty)) {
      if (options.stopRequested?.() === true) break;
      if (thread.spend(Cost.STEP) > thread.limit) yield frames.poisonAt(page, Mode.READ);
      const isPoisoned = frames.isPoisoned(page);
      if (!isPoisoned) {
        if (thread.spend(Cost.EREMOVE) > thread.limit) {
          yield hardware.leafAt(page, thread.cpu, Leaf.EREMOVE);
        }
        let result: LeafResult;
        do result = hardware.eremove(thread.cpu, page);
        while (isExit(result) && (yield* servedByHost(hardware, thread)));
        frames.unlink(page);
        if (result !== 0) {
          frames.append(left, page);
          continue;
        }
      }
      const node = frames.node(page);
      const lock = lists.lock(node);
      while (lock.mustWait(thread)) yield lock.acquire;
      let added = 0;
      if (isPoisoned) lists.condemn(node, page);
      else added = count.ofFreed(lists.putFree(thread, node, page));
      lock.release(thread);
      if (added === 0) continue;
      if (thread.clock > thread.limit) yield free.total.adding;
      free.total.add(thread, added);
      if (free.isPerNode) yield* free.addOn(thread, node, added);
    }
    const isStopped = frames.first(dirty) >= 0;
    const leftCount = frames.length(left);
    frames.spliceToHead(left, dirty);
    return isStopped ? 0 : leftCount;
  }
}

/**
 * The repair of a poisoned child that pins its SECS for ever, because Linux leaves poisoned pages alone: if
 * anything is left after two passes, poisoned pages are removed too, and a third pass follows. EREMOVE of a child
 * changes its EPCM entry and the SECS, not the contents that the error is in.
 */
export class PoisonRemovingSanitizer extends Sanitizer {
  protected override *retry(thread: Thread, options: SanitizeOptions): Routine<number> {
    const { frames, lists } = this.parts;
    for (const node of lists.nodes) {
      const lock = lists.lock(node);
      while (lock.mustWait(thread)) yield lock.acquire;
      let page = frames.first(lists.poison(node));
      for (; page >= 0; page = frames.next(page)) yield* this.remove(thread, page);
      lock.release(thread);
    }
    return yield* this.pass(thread, options);
  }

  /** EREMOVE; a page that is refused stays as it is. Nothing else happens to a page on a poison list. */
  protected *remove(thread: Thread, page: number): Routine<void> {
    const { hardware } = this.parts;
    if (thread.spend(Cost.EREMOVE) > thread.limit) yield hardware.leafAt(page, thread.cpu, Leaf.EREMOVE);
    let result: LeafResult;
    do result = hardware.eremove(thread.cpu, page);
    while (isExit(result) && (yield* servedByHost(hardware, thread)));
  }
}
