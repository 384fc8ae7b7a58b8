import { NONE } from '@epckit/interface';

/** Groups whose entries are made at once: 32,768 enclave pages, 128 MiB. */
const CHUNK_SHIFT = 10;
const GROUPS_PER_CHUNK = 1 << CHUNK_SHIFT;
const IN_CHUNK = GROUPS_PER_CHUNK - 1;

/**
 * Finds the cell of a group of 32 pages.
 *
 * Two levels, so that a SECS, whose index is the last one of a large range, costs one chunk.
 */
export class GroupDirectory {
  /** Cells of the groups of each chunk, `-1` for none. */
  #chunks: (Int32Array | undefined)[] = [];

  /** Cell of `group`, or `-1`. */
  cell(group: number): number {
    const chunk = this.#chunks[group >>> CHUNK_SHIFT];
    return chunk === undefined ? NONE : (chunk[group & IN_CHUNK] as number);
  }

  /** Sets the cell of `group`; `-1` takes it away. */
  setCell(group: number, cell: number): void {
    this.#chunkOf(group)[group & IN_CHUNK] = cell;
  }

  /** Groups that have a cell, ascending. */
  *groups(): Iterable<number> {
    for (const [index, chunk] of this.#chunks.entries()) {
      if (chunk === undefined) continue;
      for (let i = 0; i < GROUPS_PER_CHUNK; i++) {
        if (chunk[i] !== NONE) yield index * GROUPS_PER_CHUNK + i;
      }
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#chunks = [];
  }

  #chunkOf(group: number): Int32Array {
    const index = group >>> CHUNK_SHIFT;
    let chunk = this.#chunks[index];
    if (chunk === undefined) {
      chunk = new Int32Array(GROUPS_PER_CHUNK).fill(NONE);
      this.#chunks[index] = chunk;
    }
    return chunk;
  }
}
