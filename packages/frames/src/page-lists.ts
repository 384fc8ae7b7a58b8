import type { ListId, PageIndex } from '@epckit/interface';
import { InvariantViolation, NONE } from '@epckit/interface';

/**
 * Doubly linked lists of pages in three columns, ten bytes per page: a page is on exactly one list or on none.
 *
 * Links are stored plus one, so that all-zero columns are the state "no page is on a list" and a table of any
 * size is ready at once. Every operation but {@link appendAll} and {@link spliceToHead} takes constant time.
 */
export class PageLists {
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #list: Uint16Array;
  readonly #names: string[] = ['none'];
  readonly #first: number[] = [NONE];
  readonly #last: number[] = [NONE];
  readonly #length: number[] = [0];

  constructor(pageCount: number) {
    this.#next = new Int32Array(pageCount);
    this.#previous = new Int32Array(pageCount);
    this.#list = new Uint16Array(pageCount);
  }

  get listCount(): number {
    return this.#names.length - 1;
  }

  create(name: string): ListId {
    if (this.#names.length > 0xffff)
      throw new InvariantViolation('There are too many lists.', ['limit: 65535']);
    this.#first.push(NONE);
    this.#last.push(NONE);
    this.#length.push(0);
    return this.#names.push(name) - 1;
  }

  name(list: ListId): string {
    return this.#names[list] ?? `list ${list}`;
  }

  listOf(page: PageIndex): ListId {
    return this.#list[page] as number;
  }

  first(list: ListId): PageIndex {
    return this.#first[list] as number;
  }

  last(list: ListId): PageIndex {
    return this.#last[list] as number;
  }

  next(page: PageIndex): PageIndex {
    return (this.#next[page] as number) - 1;
  }

  previous(page: PageIndex): PageIndex {
    return (this.#previous[page] as number) - 1;
  }

  length(list: ListId): number {
    return this.#length[list] as number;
  }

  append(list: ListId, page: PageIndex): void {
    this.#requireUnlinked(list, page);
    const last = this.#last[list] as number;
    this.#list[page] = list;
    this.#previous[page] = last + 1;
    if (last >= 0) this.#next[last] = page + 1;
    else this.#first[list] = page;
    this.#last[list] = page;
    (this.#length[list] as number)++;
  }

  prepend(list: ListId, page: PageIndex): void {
    this.#requireUnlinked(list, page);
    const first = this.#first[list] as number;
    this.#list[page] = list;
    this.#next[page] = first + 1;
    if (first >= 0) this.#previous[first] = page + 1;
    else this.#last[list] = page;
    this.#first[list] = page;
    (this.#length[list] as number)++;
  }

  /** @returns list that the page was on */
  unlink(page: PageIndex): ListId {
    const list = this.#list[page];
    if (list === undefined || list === 0) throw new InvariantViolation(`Page ${page} is on no list.`);
    const next = (this.#next[page] as number) - 1;
    const previous = (this.#previous[page] as number) - 1;
    if (previous >= 0) this.#next[previous] = next + 1;
    else this.#first[list] = next;
    if (next >= 0) this.#previous[next] = previous + 1;
    else this.#last[list] = previous;
    this.#next[page] = 0;
    this.#previous[page] = 0;
    this.#list[page] = 0;
    (this.#length[list] as number)--;
    return list;
  }

  /** Links all pages in ascending order: one pass over the columns. */
  appendAll(list: ListId): void {
    this.#requireList(list);
    const linked = this.#length.reduce((sum, length) => sum + length, 0);
    if (linked !== 0)
      throw new InvariantViolation('Pages are on lists already.', [`linked pages: ${linked}`]);
    const pageCount = this.#list.length;
    if (pageCount === 0) return;
    for (let page = 0; page < pageCount; page++) {
      this.#next[page] = page + 2;
      this.#previous[page] = page;
    }
    this.#next[pageCount - 1] = 0;
    this.#list.fill(list);
    this.#first[list] = 0;
    this.#last[list] = pageCount - 1;
    this.#length[list] = pageCount;
  }

  spliceToHead(from: ListId, to: ListId): void {
    this.#requireList(from);
    this.#requireList(to);
    if (from === to) throw new InvariantViolation(`List "${this.name(from)}" cannot be spliced into itself.`);
    const last = this.#last[from] as number;
    if (last < 0) return;
    for (let page = this.#first[from] as number; page >= 0; page = this.next(page)) this.#list[page] = to;
    const head = this.#first[to] as number;
    this.#next[last] = head + 1;
    if (head >= 0) this.#previous[head] = last + 1;
    else this.#last[to] = last;
    this.#first[to] = this.#first[from] as number;
    (this.#length[to] as number) += this.#length[from] as number;
    this.#first[from] = NONE;
    this.#last[from] = NONE;
    this.#length[from] = 0;
  }

  #requireUnlinked(list: ListId, page: PageIndex): void {
    const current = this.#list[page];
    if (current !== 0)
      throw current === undefined ? noSuchPage(page) : this.#alreadyLinked(list, page, current);
    this.#requireList(list);
  }

  #requireList(list: ListId): void {
    if (!(list > 0 && list < this.#names.length)) throw new InvariantViolation(`There is no list ${list}.`);
  }

  #alreadyLinked(list: ListId, page: PageIndex, current: ListId): InvariantViolation {
    return new InvariantViolation(`Page ${page} is on a list already.`, [
      `on: ${this.name(current)}`,
      `wanted: ${this.name(list)}`,
    ]);
  }
}

/** Error for a page number outside the table. */
export function noSuchPage(page: PageIndex): InvariantViolation {
  return new InvariantViolation(`There is no EPC page ${page}.`);
}
