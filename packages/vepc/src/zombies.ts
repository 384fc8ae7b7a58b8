import type { ListId, Mutex, PageIndex, Routine, Thread } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import type { VepcComponents } from './components.js';
import type { VepcPages } from './pages.js';

/**
 * SECS pages whose instance is gone while children live in other instances (Linux `zombie_secs_pages`): neither
 * free nor of a live instance, linked through the list links of the frame table. The owner in the frame table
 * names the instance that is gone.
 */
export class ZombieSecs {
  /** Protects the list (Linux `zombie_secs_pages_lock`). */
  readonly lock: Mutex;
  /** List of the frame table. */
  readonly list: ListId;
  /** What the driver is made of. */
  protected readonly components: VepcComponents;
  /** Frees guest pages. */
  protected readonly pages: VepcPages;

  constructor(components: VepcComponents, pages: VepcPages) {
    this.components = components;
    this.pages = pages;
    this.lock = components.locks.mutex('zombie_lock');
    this.list = components.frames.createList('zombie SECS');
  }

  /** Tries every zombie again; those that stay go behind the pages in `left`, and all of them onto the list. */
  *retry(thread: Thread, left: PageIndex[]): Routine<void> {
    const { frames } = this.components;
    while (this.lock.mustWait(thread)) yield this.lock.acquire;
    for (let page = frames.first(this.list); page !== NONE; page = frames.first(this.list)) {
      frames.unlink(page);
      if ((yield* this.pages.free(thread, page)) !== 0) left.push(page);
    }
    for (const page of left) frames.append(this.list, page);
    this.lock.release(thread);
  }

  /** Zombies from oldest to youngest, for reports and invariants. */
  all(): PageIndex[] {
    const { frames } = this.components;
    const pages: PageIndex[] = [];
    for (let page = frames.first(this.list); page !== NONE; page = frames.next(page)) pages.push(page);
    return pages;
  }
}
