import { MisuseError, NONE } from '@epckit/interface';

/** Versions that fit into a version array page. */
export const SLOTS_PER_PAGE = 512;
/** Levels that a tree can have: with 512 slots per page enough for 2^36 pages. */
const MAX_LEVELS = 4;

/**
 * Which version array page has the slots of which: leaves for data pages, nodes for version array pages below them, one
 * root. Every page has one place from the start, whether it was made or not: leaf `n` has the slot `n % slotsPerPage` of
 * node `floor(n / slotsPerPage)` above it, and so on. Numbers: leaves from 0, then level by level, the root last.
 */
export class VersionShape {
  /** Slots of a page that are used. */
  readonly slotsPerPage: number;
  /** First number of each level, and the number of pages behind the last one. */
  readonly #first: readonly number[];

  /** @throws MisuseError for other than 1 to 512 slots, or a tree of more than four levels */
  constructor(dataPages: number, slotsPerPage: number = SLOTS_PER_PAGE) {
    const isAllowed = Number.isInteger(slotsPerPage) && slotsPerPage >= 1 && slotsPerPage <= SLOTS_PER_PAGE;
    if (!isAllowed)
      throw new MisuseError('slotsPerPage must be a whole number from 1 to 512.', [`given: ${slotsPerPage}`]);
    this.slotsPerPage = slotsPerPage;
    const first = [0];
    let count = dataPages;
    do {
      count = Math.ceil(count / slotsPerPage);
      first.push((first.at(-1) as number) + count);
      if (first.length - 1 > MAX_LEVELS) throw tooDeep(dataPages, slotsPerPage);
    } while (count > 1);
    this.#first = first;
  }

  /** Levels, from 1: the root is a leaf then. */
  get levels(): number {
    return this.#first.length - 1;
  }

  /** Version array pages that there can be. */
  get pageCount(): number {
    return this.#first.at(-1) as number;
  }

  /** Of these leaves. */
  get leafCount(): number {
    return this.#first[1] as number;
  }

  /**
   * Most pages in the EPC at once but for those with memory errors: as many as there would be if none could be evicted,
   * one per leaf. A path from the root to a leaf is always allowed.
   */
  get share(): number {
    return Math.max(this.leafCount, this.levels);
  }

  /** The page that is never evicted. */
  get root(): number {
    return this.pageCount - 1;
  }

  /** Level of a page; leaves have 0. */
  level(page: number): number {
    let level = 0;
    while (page >= (this.#first[level + 1] as number)) level++;
    return level;
  }

  /** Page that has the slot of `page`, or `-1` for the root. */
  parent(page: number): number {
    if (page === this.root) return NONE;
    const level = this.level(page);
    const index = page - (this.#first[level] as number);
    return (this.#first[level + 1] as number) + Math.floor(index / this.slotsPerPage);
  }

  /** Slot of `page` in its parent. */
  slotInParent(page: number): number {
    return (page - (this.#first[this.level(page)] as number)) % this.slotsPerPage;
  }

  /** Pages whose slots are in the node `page`, made or not, ascending; none for a leaf. */
  children(page: number): readonly number[] {
    const level = this.level(page);
    if (level === 0) return [];
    const begin = this.#first[level - 1] as number;
    const from = begin + (page - (this.#first[level] as number)) * this.slotsPerPage;
    const to = Math.min(from + this.slotsPerPage, this.#first[level] as number);
    return Array.from({ length: to - from }, (_, index) => from + index);
  }

  /** The root, then down to `page`. */
  path(page: number): readonly number[] {
    const path = [page];
    for (let at = this.parent(page); at !== NONE; at = this.parent(at)) path.push(at);
    return path.reverse();
  }
}

function tooDeep(dataPages: number, slotsPerPage: number): MisuseError {
  return new MisuseError('A tree of version array pages has at most four levels.', [
    `pages: ${dataPages}`,
    `slots per page: ${slotsPerPage}`,
  ]);
}
