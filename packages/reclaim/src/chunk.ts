import type { ReclaimRequest } from '@epckit/interface';

/** What one running batch needs for itself: room for its pages, and the request of a batch over everything. */
export class Chunk {
  /** Pages of the batch. */
  readonly victims: Int32Array;
  /** Used by batches that nobody has asked for in particular. */
  readonly request: ReclaimRequest;

  /** @param pages - as many pages at most */
  constructor(pages: number) {
    this.victims = new Int32Array(pages);
    this.request = { target: 0, maxPages: pages, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
  }
}

/** Chunks that are not in use. Several batches may run at the same time, each with its own. */
export class Chunks {
  readonly #pages: number;
  readonly #idle: Chunk[] = [];

  /** @param pages - pages of a batch of the usual size */
  constructor(pages: number) {
    this.#pages = pages;
  }

  /** A chunk for at least so many pages; give it back by {@link give}. */
  take(pages: number): Chunk {
    if (pages > this.#pages) return new Chunk(pages);
    return this.#idle.pop() ?? new Chunk(this.#pages);
  }

  /** The batch is over. */
  give(chunk: Chunk): void {
    if (chunk.victims.length === this.#pages) this.#idle.push(chunk);
  }
}
