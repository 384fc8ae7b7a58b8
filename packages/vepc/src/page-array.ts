import type { AccessMonitor, ObjectRegistry, Op, PageIndex } from '@epckit/interface';
import { MisuseError, Mode, NONE, op } from '@epckit/interface';

const GROUP_PAGES = 512;

/**
 * Sparse map from page of an instance to EPC page (Linux `vepc->page_array`, an xarray): 4 bytes per page of each
 * touched group of 512.
 *
 * Entries change under the instance's lock or when nobody else can reach the instance; REMOVE_ALL reads them
 * without it, so every access is indivisible and the caller announces those that others can meet.
 */
export class PageArray {
  /** Pages that the array has room for. */
  readonly pageCount: number;
  /** Op to yield before a look without the instance's lock. */
  readonly reading: Op;
  /** Op to yield before a change. */
  readonly writing: Op;
  /** EPC page + 1 per page, `0` for no entry; by number of the group of 512. */
  readonly #groups = new Map<number, Int32Array>();
  /** Numbers of the touched groups, ascending. */
  readonly #touched: number[] = [];
  readonly #monitor: AccessMonitor | null;
  readonly #object: number;
  #count = 0;

  constructor(pageCount: number, name: string, objects: ObjectRegistry, monitor: AccessMonitor | null) {
    if (!(Number.isSafeInteger(pageCount) && pageCount > 0)) throw badPageCount(pageCount);
    this.pageCount = pageCount;
    this.#monitor = monitor;
    this.#object = objects.range(`page_array of ${name}`, 1);
    this.reading = op(this.#object, Mode.READ);
    this.writing = op(this.#object, Mode.WRITE);
  }

  /** Number of entries, outside any routine: reports and invariants only. */
  get count(): number {
    return this.#count;
  }

  /** EPC page, or `-1`. */
  get(index: number): PageIndex {
    this.#monitor?.atomic(this.#object, Mode.READ);
    return this.#at(index);
  }

  /** Makes an entry for a page that has none. */
  set(index: number, page: PageIndex): void {
    if (!(index >= 0 && index < this.pageCount)) throw beyondRange(index, this.pageCount);
    this.#monitor?.atomic(this.#object, Mode.WRITE);
    const group = Math.floor(index / GROUP_PAGES);
    (this.#groups.get(group) ?? this.#touch(group))[index % GROUP_PAGES] = page + 1;
    this.#count++;
  }

  /** Removes an entry that is there. */
  erase(index: number): void {
    this.#monitor?.atomic(this.#object, Mode.WRITE);
    (this.#groups.get(Math.floor(index / GROUP_PAGES)) as Int32Array)[index % GROUP_PAGES] = 0;
    this.#count--;
  }

  /** First page at or after `index` with an entry, or `-1`. */
  next(index: number): number {
    this.#monitor?.atomic(this.#object, Mode.READ);
    for (let at = this.#positionOf(Math.floor(index / GROUP_PAGES)); at < this.#touched.length; at++) {
      const group = this.#touched[at] as number;
      const entries = this.#groups.get(group) as Int32Array;
      const first = group * GROUP_PAGES;
      for (let i = Math.max(0, index - first); i < GROUP_PAGES; i++) if (entries[i] !== 0) return first + i;
    }
    return NONE;
  }

  #at(index: number): PageIndex {
    const entries = this.#groups.get(Math.floor(index / GROUP_PAGES));
    return entries === undefined ? NONE : (entries[index % GROUP_PAGES] as number) - 1;
  }

  #touch(group: number): Int32Array {
    const entries = new Int32Array(GROUP_PAGES);
    this.#groups.set(group, entries);
    this.#touched.splice(this.#positionOf(group), 0, group);
    return entries;
  }

  /** Position of the first touched group that is not below `group`. */
  #positionOf(group: number): number {
    let low = 0;
    let high = this.#touched.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#touched[middle] as number) < group) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function badPageCount(pageCount: number): MisuseError {
  return new MisuseError('An instance needs room for a whole number of pages, at least 1.', [
    `given: ${pageCount}`,
  ]);
}

function beyondRange(index: number, pageCount: number): MisuseError {
  return new MisuseError('The page is not one of the instance.', [
    `given: ${index}`,
    `allowed: 0 … ${pageCount - 1}`,
  ]);
}
