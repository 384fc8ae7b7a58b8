import type { FrameSection, FrameTable, ListId, ModeId, Op, PageIndex } from '@epckit/interface';
import { InvariantViolation, op } from '@epckit/interface';
import type { SectionShape } from '../src/index.js';

interface Frame {
  kind: number;
  owner: number;
  record: number;
  flags: number;
  poisoned: boolean;
  group: number;
}

/** A frame table of objects and arrays, the obvious way. */
export class PlainFrames implements FrameTable {
  readonly sections: readonly FrameSection[];
  changes = 0;
  protected readonly frames: Frame[] = [];
  protected readonly lists: PageIndex[][] = [[]];
  readonly #names = ['none'];

  constructor(sections: readonly SectionShape[]) {
    let firstPage = 0;
    this.sections = sections.map(({ node, pageCount }) => {
      firstPage += pageCount;
      return { node, pageCount, firstPage: firstPage - pageCount };
    });
    for (let i = 0; i < firstPage; i++) {
      this.frames.push({ kind: 0, owner: -1, record: -1, flags: 0, poisoned: false, group: -1 });
    }
  }

  get pageCount(): number {
    return this.frames.length;
  }
  node(page: PageIndex): number {
    return this.sections[this.section(page)]?.node ?? -1;
  }
  section(page: PageIndex): number {
    return this.sections.findLastIndex(({ firstPage }) => firstPage <= page);
  }
  kind(page: PageIndex): number {
    return this.#at(page).kind;
  }
  owner(page: PageIndex): number {
    return this.#at(page).owner;
  }
  record(page: PageIndex): number {
    return this.#at(page).record;
  }
  setOwner(page: PageIndex, kind: number, owner: number, record: number): void {
    this.changes++;
    Object.assign(this.#at(page), { kind, owner, record });
  }
  flags(page: PageIndex): number {
    return this.#at(page).flags;
  }
  setFlags(page: PageIndex, flags: number): void {
    this.changes++;
    this.#at(page).flags = flags;
  }
  peekFlags(page: PageIndex): number {
    return this.#at(page).flags;
  }
  flagsAt(page: PageIndex, mode: ModeId): Op {
    return op(100 + page, mode);
  }
  isPoisoned(page: PageIndex): boolean {
    return this.#at(page).poisoned;
  }
  setPoisoned(page: PageIndex): void {
    this.changes++;
    this.#at(page).poisoned = true;
  }
  poisonAt(page: PageIndex, mode: ModeId): Op {
    return op(200 + page, mode);
  }
  group(page: PageIndex): number {
    return this.#at(page).group;
  }
  setGroup(page: PageIndex, group: number): void {
    this.changes++;
    this.#at(page).group = group;
  }

  createList(name: string): ListId {
    this.lists.push([]);
    return this.#names.push(name) - 1;
  }
  get listCount(): number {
    return this.lists.length - 1;
  }
  listName(list: ListId): string {
    return this.#names[list] ?? '';
  }
  listAt(list: ListId, mode: ModeId): Op {
    return op(300 + list, mode);
  }
  listOf(page: PageIndex): ListId {
    return Math.max(
      0,
      this.lists.findIndex((pages) => pages.includes(page)),
    );
  }
  first(list: ListId): PageIndex {
    return this.pages(list)[0] ?? -1;
  }
  last(list: ListId): PageIndex {
    return this.pages(list).at(-1) ?? -1;
  }
  next(page: PageIndex): PageIndex {
    const pages = this.pages(this.listOf(page));
    return pages[pages.indexOf(page) + 1] ?? -1;
  }
  previous(page: PageIndex): PageIndex {
    const pages = this.pages(this.listOf(page));
    return pages[pages.indexOf(page) - 1] ?? -1;
  }
  length(list: ListId): number {
    return this.pages(list).length;
  }
  append(list: ListId, page: PageIndex): void {
    this.link(page);
    this.pages(list).push(page);
  }
  prepend(list: ListId, page: PageIndex): void {
    this.link(page);
    this.pages(list).unshift(page);
  }
  appendAll(list: ListId): void {
    if (this.lists.some((pages) => pages.length > 0)) throw new InvariantViolation('linked');
    this.changes++;
    this.pages(list).push(...this.frames.keys());
  }
  unlink(page: PageIndex): void {
    const pages = this.pages(this.listOf(page));
    if (!pages.includes(page)) throw new InvariantViolation('not linked');
    this.changes++;
    pages.splice(pages.indexOf(page), 1);
  }
  spliceToHead(from: ListId, to: ListId): void {
    this.changes++;
    this.pages(to).unshift(...this.pages(from).splice(0));
  }

  /** A page is about to be linked. */
  protected link(page: PageIndex): void {
    if (this.listOf(page) !== 0) throw new InvariantViolation('linked already');
    this.changes++;
  }
  protected pages(list: ListId): PageIndex[] {
    return this.lists[list] as PageIndex[];
  }
  #at(page: PageIndex): Frame {
    return this.frames[page] as Frame;
  }
}
