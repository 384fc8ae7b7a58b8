import type { AccessMonitor, PageIndex } from '@epckit/interface';
import { InvariantViolation, NONE } from '@epckit/interface';
import { SlotMap } from './slot-map.js';
import { SLOTS_PER_PAGE, type VersionShape } from './version-shape.js';

const MADE = 1;
const ACCESSED = 2;
const PINNED = 4;
const SPOILT = 8;

/**
 * The host's version array pages of one instance as a tree whose pages may be out of the EPC: 11 bytes per page that
 * there can be, and a bit per slot. A page out of the EPC has its version in the slot of its parent, which the page has
 * from its making on. Nothing is executed here; read and written under the instance's lock.
 */
export class VersionTree {
  /** Which page has the slots of which. */
  readonly shape: VersionShape;
  /** EPC page by number, `-1` while it is out of the EPC or was never made. For checks and tests. */
  readonly pages: PageIndex[];
  /** Version array pages in the EPC. */
  resident = 0;
  /** Most of them at once. */
  peak = 0;
  /** How often one has left the EPC. */
  evictions = 0;
  /** How often one has come back. */
  loads = 0;
  #spoilt = 0;
  readonly #flags: Uint8Array;
  readonly #used: Uint16Array;
  readonly #evicted: Uint16Array;
  readonly #slots: SlotMap;
  /** Leaves in the EPC with a free slot, from first to last. */
  readonly #withRoom: number[] = [];
  /** Leaves in the EPC without one, in the order in which they are looked at as victims. */
  readonly #full: number[] = [];
  readonly #monitor: AccessMonitor | null;
  readonly #object: number;

  /** @param object - number of the tree for `monitor`, the checking mode */
  constructor(shape: VersionShape, monitor: AccessMonitor | null = null, object = 0) {
    const { pageCount, leafCount, slotsPerPage } = shape;
    this.shape = shape;
    this.pages = new Array<PageIndex>(pageCount).fill(NONE);
    this.#flags = new Uint8Array(pageCount);
    this.#used = new Uint16Array(pageCount);
    this.#evicted = new Uint16Array(pageCount);
    this.#slots = new SlotMap(leafCount, slotsPerPage);
    this.#monitor = monitor;
    this.#object = object;
  }

  /** EPC page, or `-1`. */
  page(number: number): PageIndex {
    this.#monitor?.read(this.#object);
    return this.pages[number] ?? NONE;
  }
  /** Was the page made? It is in the EPC or evicted then. */
  isMade(number: number): boolean {
    return this.#has(number, MADE);
  }
  /** Slots in use: of a leaf those with versions of data pages, of a node those of children that were made. */
  used(number: number): number {
    this.#monitor?.read(this.#object);
    return this.#used[number] as number;
  }
  /** Children that are out of the EPC. */
  evictedChildren(number: number): number {
    this.#monitor?.read(this.#object);
    return this.#evicted[number] as number;
  }
  /** Is the slot of a data page in use? */
  hasSlot(slot: number): boolean {
    this.#monitor?.read(this.#object);
    return this.#slots.has(leafOf(slot), slot % SLOTS_PER_PAGE);
  }
  /** Leaves in the EPC: those with room, from first to last, then the full ones. */
  leaves(): readonly number[] {
    this.#monitor?.read(this.#object);
    return [...this.#withRoom, ...this.#full];
  }
  /** Version array pages that are out of the EPC. */
  get evicted(): number {
    let made = 0;
    for (const flags of this.#flags) made += flags & MADE;
    return made - this.resident;
  }

  /** Makes a page, or has one come back, in `page` of the EPC. `isFirst`: a leaf becomes the first, else the last. */
  attach(number: number, page: PageIndex, isFirst = false): void {
    if (this.page(number) !== NONE) throw misplaced('attached twice', number);
    const isBack = this.isMade(number);
    this.#set(number, MADE, true);
    this.#set(number, ACCESSED, isBack);
    this.pages[number] = page;
    if (isBack) {
      this.loads++;
      this.#count(this.#evicted, number, -1);
    } else this.#count(this.#used, number, 1);
    this.peak = Math.max(this.peak, ++this.resident);
    if (number < this.shape.leafCount) this.#enlist(number, isFirst);
  }

  /** The page has left the EPC. @returns EPC page that it had */
  evict(number: number): PageIndex {
    if (number === this.shape.root) throw misplaced('evicted that has no parent', number);
    const page = this.lose(number);
    this.#count(this.#evicted, number, 1);
    this.evictions++;
    return page;
  }

  /** The EPC page is gone, and nothing else is known of it. @returns EPC page that it had */
  lose(number: number): PageIndex {
    const page = this.page(number);
    if (page === NONE) throw misplaced('taken from the EPC twice', number);
    this.#monitor?.write(this.#object);
    this.pages[number] = NONE;
    this.resident--;
    this.#delist(number);
    return page;
  }

  /** The end of the instance: nothing of the page is left. @returns EPC page that it had, or `-1` */
  discard(number: number): PageIndex {
    const page = this.page(number) === NONE ? NONE : this.lose(number);
    this.#set(number, MADE, false);
    return page;
  }

  /** A page without slots in use is as if it had never been made. It is in the EPC or evicted. */
  forget(number: number): void {
    if (!this.isMade(number) || this.used(number) > 0) throw misplaced('forgotten that is in use', number);
    if (this.page(number) === NONE) this.#count(this.#evicted, number, -1);
    else this.lose(number);
    this.#count(this.#used, number, -1);
    this.#set(number, MADE, false);
  }

  /** Takes the lowest free slot of a leaf in the EPC. */
  take(leaf: number): number {
    this.#monitor?.write(this.#object);
    const position = this.#slots.takeLowest(leaf);
    if (position === NONE) throw misplaced('asked for a slot, and is full', leaf);
    (this.#used[leaf] as number)++;
    if (this.isFull(leaf) && this.#delist(leaf)) this.#full.push(leaf);
    return leaf * SLOTS_PER_PAGE + position;
  }

  /** Gives a slot back. The order of the leaves stays; `isFirst`: its leaf becomes the first. */
  release(slot: number, isFirst = false): void {
    this.#monitor?.write(this.#object);
    const leaf = leafOf(slot);
    const wasFull = this.isFull(leaf);
    this.#slots.clear(leaf, slot % SLOTS_PER_PAGE);
    (this.#used[leaf] as number)--;
    if (this.page(leaf) === NONE || !(wasFull || isFirst)) return;
    this.#delist(leaf);
    this.#enlist(leaf, isFirst);
  }

  /** First leaf in the EPC with a free slot, or `-1`. */
  get first(): number {
    this.#monitor?.read(this.#object);
    return this.#withRoom[0] ?? NONE;
  }
  /** Are all slots of a leaf in use? */
  isFull(leaf: number): boolean {
    return this.used(leaf) === this.shape.slotsPerPage;
  }
  /** Are so few slots free in the EPC that the next leaf is due: fewer than a page has? */
  isShort(): boolean {
    this.#monitor?.read(this.#object);
    let free = 0;
    for (const leaf of this.#withRoom) free += this.shape.slotsPerPage - (this.#used[leaf] as number);
    return free < this.shape.slotsPerPage;
  }
  /** Lowest leaf that was never made, or `-1`. */
  nextLeaf(): number {
    for (let leaf = 0; leaf < this.shape.leafCount; leaf++) if (!this.isMade(leaf)) return leaf;
    return NONE;
  }
  /** Lowest leaf out of the EPC with a free slot, or `-1`: pages were dropped whose versions it had. */
  evictedWithRoom(): number {
    for (let leaf = 0; leaf < this.shape.leafCount; leaf++) {
      if (this.isMade(leaf) && this.page(leaf) === NONE && !this.isFull(leaf)) return leaf;
    }
    return NONE;
  }

  /** Somebody needs the page. */
  touch(number: number): void {
    this.#set(number, ACCESSED, true);
  }
  /** Keeps a page in the EPC, or does not any more. */
  setPinned(number: number, isPinned: boolean): void {
    this.#set(number, PINNED, isPinned);
  }
  /** The page has a memory error, and never leaves the EPC. */
  spoil(number: number): void {
    if (!this.#has(number, SPOILT)) this.#spoilt++;
    this.#set(number, SPOILT, true);
  }
  /** May another page be in the EPC without one that goes for it? `pages`: those about to come. */
  hasShare(pages = 0): boolean {
    this.#monitor?.read(this.#object);
    return this.resident - this.#spoilt + pages < this.shape.share;
  }

  /**
   * Page to evict next, or `-1`. A node that nobody in the EPC needs; else a full leaf, second chance for those that were
   * needed since they were looked at last; `isAny`: else the last leaf with room.
   */
  victim(isAny: boolean): number {
    for (let node = this.shape.leafCount; node < this.shape.root; node++) if (this.isIdle(node)) return node;
    for (let looked = 2 * this.#full.length; looked > 0; looked--) {
      const leaf = this.#full[0] as number;
      if (this.#mayLeave(leaf) && !this.#has(leaf, ACCESSED)) return leaf;
      this.#set(leaf, ACCESSED, false);
      this.#full.push(this.#full.shift() as number);
    }
    const last = isAny ? this.#withRoom.findLast((leaf) => this.#mayLeave(leaf)) : undefined;
    return last ?? NONE;
  }

  /** May the node leave the EPC because none of its children is there? */
  isIdle(node: number): boolean {
    const isNode = node >= this.shape.leafCount && this.page(node) !== NONE;
    return isNode && this.#mayLeave(node) && this.used(node) === this.evictedChildren(node);
  }

  #mayLeave(number: number): boolean {
    return number !== this.shape.root && !this.#has(number, PINNED | SPOILT);
  }
  /** Changes a counter of the parent of `number`. */
  #count(column: Uint16Array, number: number, change: number): void {
    const parent = this.shape.parent(number);
    if (parent !== NONE) column[parent] = (column[parent] as number) + change;
  }
  #enlist(leaf: number, isFirst: boolean): void {
    if (this.isFull(leaf)) this.#full.push(leaf);
    else if (isFirst) this.#withRoom.unshift(leaf);
    else this.#withRoom.push(leaf);
  }
  #delist(leaf: number): boolean {
    return [this.#withRoom, this.#full].some((list) => {
      const at = list.indexOf(leaf);
      if (at >= 0) list.splice(at, 1);
      return at >= 0;
    });
  }
  #has(number: number, flags: number): boolean {
    this.#monitor?.read(this.#object);
    return ((this.#flags[number] as number) & flags) !== 0;
  }
  #set(number: number, flag: number, isOn: boolean): void {
    this.#monitor?.write(this.#object);
    const flags = this.#flags[number] as number;
    this.#flags[number] = isOn ? flags | flag : flags & ~flag;
  }
}

/** Leaf that has a slot. */
export function leafOf(slot: number): number {
  return Math.floor(slot / SLOTS_PER_PAGE);
}

function misplaced(what: string, number: number): InvariantViolation {
  return new InvariantViolation(`A version array page is ${what}.`, [`number: ${number}`]);
}
