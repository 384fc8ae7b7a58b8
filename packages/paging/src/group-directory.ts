import { NONE } from '@epckit/interface';

/** Groups whose entries are made at once: 32,768 enclave pages, 128 MiB. */
const CHUNK_SHIFT = 10;
const GROUPS_PER_CHUNK = 1 << CHUNK_SHIFT;
const IN_CHUNK = GROUPS_PER_CHUNK - 1;

interface Chunk {
  /** Cell of the group, `-1` for none. */
  readonly cells: Int32Array;
  /** Bit per page of the group: was it ever stored? */
  readonly stored: Uint32Array;
}

/**
 * Finds the cell of a group of 32 pages, and remembers which pages were ever stored.
 *
 * Two levels, so that a SECS, whose index is the last one of a large range, costs one chunk.
 */
export class GroupDirectory {
  #chunks: (Chunk | undefined)[] = [];

  /** Cell of `group`, or `-1`. */
  cell(group: number): number {
    const chunk = this.#chunks[group >>> CHUNK_SHIFT];
    return chunk === undefined ? NONE : (chunk.cells[group & IN_CHUNK] as number);
  }

  /** Sets the cell of `group`; `-1` takes it away. */
  setCell(group: number, cell: number): void {
    this.#chunkOf(group).cells[group & IN_CHUNK] = cell;
  }

  /** Bits of the pages of `group` that were ever stored. */
  stored(group: number): number {
    const chunk = this.#chunks[group >>> CHUNK_SHIFT];
    return chunk === undefined ? 0 : (chunk.stored[group & IN_CHUNK] as number);
  }

  /** Notes that the pages of `bits` were stored. */
  addStored(group: number, bits: number): void {
    (this.#chunkOf(group).stored[group & IN_CHUNK] as number) |= bits;
  }

  /** Groups that have a cell, ascending. */
  *groups(): Iterable<number> {
    for (const [index, chunk] of this.#chunks.entries()) {
      if (chunk === undefined) continue;
      for (let i = 0; i < GROUPS_PER_CHUNK; i++) {
        if (chunk.cells[i] !== NONE) yield index * GROUPS_PER_CHUNK + i;
      }
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#chunks = [];
  }

  #chunkOf(group: number): Chunk {
    const index = group >>> CHUNK_SHIFT;
    let chunk = this.#chunks[index];
    if (chunk === undefined) {
      chunk = {
        cells: new Int32Array(GROUPS_PER_CHUNK).fill(NONE),
        stored: new Uint32Array(GROUPS_PER_CHUNK),
      };
      this.#chunks[index] = chunk;
    }
    return chunk;
  }
}
