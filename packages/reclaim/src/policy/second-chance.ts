import type { EvictionPolicy, FrameTable, PageIndex } from '@epckit/interface';

/**
 * Linux's order: one first-in-first-out list; a page that was young, busy or kept goes back to the tail
 * (`sgx_active_page_list`). Every operation costs the same whatever the length of the list.
 */
export function secondChance(): (components: { readonly frames: FrameTable }) => EvictionPolicy {
  return ({ frames }) => new SecondChance(frames);
}

class SecondChance implements EvictionPolicy {
  readonly #frames: FrameTable;
  readonly #list: number;

  constructor(frames: FrameTable) {
    this.#frames = frames;
    this.#list = frames.createList('reclaimable');
  }

  insert(page: PageIndex): void {
    this.#frames.append(this.#list, page);
  }

  remove(page: PageIndex): void {
    this.#frames.unlink(page);
  }

  isolate(victims: Int32Array, max: number): number {
    let count = 0;
    while (count < max) {
      const page = this.#frames.first(this.#list);
      if (page < 0) break;
      this.#frames.unlink(page);
      victims[count++] = page;
    }
    return count;
  }

  putBack(page: PageIndex): void {
    this.#frames.append(this.#list, page);
  }

  isEmpty(): boolean {
    return this.#frames.first(this.#list) < 0;
  }

  oldest(): PageIndex {
    return this.#frames.first(this.#list);
  }

  after(page: PageIndex): PageIndex {
    return this.#frames.next(page);
  }
}
