import type {
  AccessMonitor,
  FrameSection,
  FrameTable,
  GroupId,
  ListId,
  ModeId,
  NodeId,
  ObjectRegistry,
  Op,
  OwnerId,
  OwnerKindId,
  PageIndex,
  RecordId,
} from '@epckit/interface';
import { Mode, NONE, OwnerKind, op } from '@epckit/interface';
import { noSuchPage, PageLists } from './page-lists.js';

const POISONED = 0x80;
const FLAG_MASK = 0x7f;

/**
 * The frame table: columns behind named methods, each access reported to the checking mode when it is on.
 *
 * Owner, record and group are stored plus one, so that all-zero columns are the state after power-on: no owner, on
 * no list, no flags, not poisoned, charged to nobody.
 */
export class FrameColumns implements FrameTable {
  readonly pageCount: number;
  readonly sections: readonly FrameSection[];
  changes = 0;

  readonly #owner: Int32Array;
  readonly #record: Int32Array;
  readonly #kind: Uint8Array;
  /** {@link FrameFlag} bits and, in the top bit, the poison mark. */
  readonly #flags: Uint8Array;
  readonly #group: Uint16Array;
  readonly #lists: PageLists;

  readonly #objects: ObjectRegistry;
  readonly #monitor: AccessMonitor | null;
  readonly #ownerObject: number;
  readonly #flagsObject: number;
  readonly #poisonObject: number;
  readonly #groupObject: number;
  readonly #linkObject: number;
  readonly #listObject: number[] = [0];

  constructor(sections: readonly FrameSection[], objects: ObjectRegistry, monitor: AccessMonitor | null) {
    const pageCount = sections.reduce((sum, section) => sum + section.pageCount, 0);
    this.sections = sections;
    this.pageCount = pageCount;
    this.#owner = new Int32Array(pageCount);
    this.#record = new Int32Array(pageCount);
    this.#kind = new Uint8Array(pageCount);
    this.#flags = new Uint8Array(pageCount);
    this.#group = new Uint16Array(pageCount);
    this.#lists = new PageLists(pageCount);
    this.#objects = objects;
    this.#monitor = monitor;
    this.#ownerObject = objects.range('frame', pageCount);
    this.#flagsObject = objects.range('frame.flags', pageCount);
    this.#poisonObject = objects.range('frame.poison', pageCount);
    this.#groupObject = objects.range('frame.group', pageCount);
    this.#linkObject = objects.range('frame.link', pageCount);
  }

  node(page: PageIndex): NodeId {
    return (this.sections[this.section(page)] as FrameSection).node;
  }

  section(page: PageIndex): number {
    this.#require(page);
    let section = this.sections.length - 1;
    while (page < (this.sections[section] as FrameSection).firstPage) section--;
    return section;
  }

  kind(page: PageIndex): OwnerKindId {
    this.#monitor?.read(this.#ownerObject + page);
    return this.#kind[page] as number;
  }

  owner(page: PageIndex): OwnerId {
    this.#monitor?.read(this.#ownerObject + page);
    return (this.#owner[page] as number) - 1;
  }

  record(page: PageIndex): RecordId {
    this.#monitor?.read(this.#ownerObject + page);
    return (this.#record[page] as number) - 1;
  }

  setOwner(page: PageIndex, kind: OwnerKindId, owner: OwnerId, record: RecordId): void {
    this.#require(page);
    this.#monitor?.write(this.#ownerObject + page);
    const isNone = kind === OwnerKind.NONE;
    this.#kind[page] = kind;
    this.#owner[page] = isNone ? 0 : owner + 1;
    this.#record[page] = isNone ? 0 : record + 1;
    this.changes++;
  }

  flags(page: PageIndex): number {
    this.#monitor?.read(this.#flagsObject + page);
    return (this.#flags[page] as number) & FLAG_MASK;
  }

  setFlags(page: PageIndex, flags: number): void {
    this.#require(page);
    this.#monitor?.write(this.#flagsObject + page);
    this.#flags[page] = ((this.#flags[page] as number) & POISONED) | (flags & FLAG_MASK);
    this.changes++;
  }

  peekFlags(page: PageIndex): number {
    this.#monitor?.atomic(this.#flagsObject + page, Mode.READ);
    return (this.#flags[page] as number) & FLAG_MASK;
  }

  flagsAt(page: PageIndex, mode: ModeId): Op {
    return op(this.#flagsObject + page, mode);
  }

  isPoisoned(page: PageIndex): boolean {
    this.#monitor?.atomic(this.#poisonObject + page, Mode.READ);
    return ((this.#flags[page] as number) & POISONED) !== 0;
  }

  setPoisoned(page: PageIndex): void {
    this.#require(page);
    this.#monitor?.atomic(this.#poisonObject + page, Mode.WRITE);
    (this.#flags[page] as number) |= POISONED;
    this.changes++;
  }

  poisonAt(page: PageIndex, mode: ModeId): Op {
    return op(this.#poisonObject + page, mode);
  }

  group(page: PageIndex): GroupId {
    this.#monitor?.read(this.#groupObject + page);
    return (this.#group[page] as number) - 1;
  }

  setGroup(page: PageIndex, group: GroupId): void {
    this.#require(page);
    this.#monitor?.write(this.#groupObject + page);
    this.#group[page] = group + 1;
    this.changes++;
  }

  get listCount(): number {
    return this.#lists.listCount;
  }

  createList(name: string): ListId {
    this.#listObject.push(this.#objects.range(`list ${name}`, 1));
    return this.#lists.create(name);
  }

  listName(list: ListId): string {
    return this.#lists.name(list);
  }

  listAt(list: ListId, mode: ModeId): Op {
    return op(this.#listObject[list] as number, mode);
  }

  listOf(page: PageIndex): ListId {
    this.#monitor?.read(this.#linkObject + page);
    return this.#lists.listOf(page);
  }

  first(list: ListId): PageIndex {
    this.#monitor?.read(this.#listObject[list] as number);
    return this.#lists.first(list);
  }

  last(list: ListId): PageIndex {
    this.#monitor?.read(this.#listObject[list] as number);
    return this.#lists.last(list);
  }

  next(page: PageIndex): PageIndex {
    this.#monitor?.read(this.#listObject[this.#lists.listOf(page)] as number);
    return this.#lists.next(page);
  }

  previous(page: PageIndex): PageIndex {
    this.#monitor?.read(this.#listObject[this.#lists.listOf(page)] as number);
    return this.#lists.previous(page);
  }

  length(list: ListId): number {
    this.#monitor?.read(this.#listObject[list] as number);
    return this.#lists.length(list);
  }

  append(list: ListId, page: PageIndex): void {
    this.#lists.append(list, page);
    this.#linked(list, page);
  }

  prepend(list: ListId, page: PageIndex): void {
    this.#lists.prepend(list, page);
    this.#linked(list, page);
  }

  unlink(page: PageIndex): void {
    this.#linked(this.#lists.unlink(page), page);
  }

  appendAll(list: ListId): void {
    this.#lists.appendAll(list);
    this.#monitor?.write(this.#listObject[list] as number);
    this.changes++;
  }

  spliceToHead(from: ListId, to: ListId): void {
    const last = this.#lists.last(from);
    this.#lists.spliceToHead(from, to);
    this.changes++;
    if (this.#monitor === null) return;
    this.#monitor.write(this.#listObject[from] as number);
    this.#monitor.write(this.#listObject[to] as number);
    if (last === NONE) return;
    for (let page = last; page >= 0; page = this.#lists.previous(page)) {
      this.#monitor.write(this.#linkObject + page);
    }
  }

  /** The membership of `page` in `list` has changed. */
  #linked(list: ListId, page: PageIndex): void {
    this.changes++;
    if (this.#monitor === null) return;
    this.#monitor.write(this.#listObject[list] as number);
    this.#monitor.write(this.#linkObject + page);
  }

  #require(page: PageIndex): void {
    if (!(page >= 0 && page < this.pageCount)) throw noSuchPage(page);
  }
}
