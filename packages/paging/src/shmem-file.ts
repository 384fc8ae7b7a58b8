import type { PagingBlob } from '@epckit/interface';
import { NONE } from '@epckit/interface';
import { enlarge } from './enlarge.js';
import { GroupDirectory } from './group-directory.js';

/** PCMD entries in one page: 4096 bytes of 128. */
export const PCMDS_PER_PAGE = 32;

/** Fields of a record; contents first, the rest is what comes from the PCMD entry. */
const FIELDS = 6;
const FIRST_CAPACITY = 4;

/** Options of a backing store. */
export interface BackingStoreOptions {
  /** Pages of the owner's range; the SECS has the index after the last. */
  readonly pageCount: number;
  /** Most pages, contents and PCMD together, that may be present. Default: no limit. */
  readonly capacityPages?: number;
  /**
   * Asked for every file page that is got, present or not, because a page that the kernel has swapped out
   * needs memory as well. `false` makes the get fail. Default: never fails.
   */
  readonly mayAllocate?: () => boolean;
}

/**
 * The file behind one owner, as Linux lays it out: contents of page `i` in file page `i`, of the SECS in file
 * page `pageCount`, and from there on pages of 32 PCMD entries.
 *
 * Storage is one arena of groups of 32 pages; a group that has no page in the file has no place in it. All
 * six numbers of a page lie side by side, because they are always written and read together.
 */
export class ShmemFile {
  readonly #pageCount: number;
  readonly #capacityPages: number;
  readonly #mayAllocate: (() => boolean) | undefined;
  readonly #directory = new GroupDirectory();
  #records = new Float64Array(FIRST_CAPACITY * PCMDS_PER_PAGE * FIELDS);
  /** Bit per page: is its contents page present? */
  #contents = new Uint32Array(FIRST_CAPACITY);
  /** Bit per page: is its PCMD entry other than zero? */
  #entries = new Uint32Array(FIRST_CAPACITY);
  /** Is the PCMD page present? */
  #pcmdPage = new Uint8Array(FIRST_CAPACITY);
  #freeCells: number[] = [];
  #cellCount = 0;
  #presentCount = 0;

  constructor(options: BackingStoreOptions) {
    this.#pageCount = options.pageCount;
    this.#capacityPages = options.capacityPages ?? Number.POSITIVE_INFINITY;
    this.#mayAllocate = options.mayAllocate;
  }

  /** File page that holds the PCMD entry of `index`. */
  pcmdPageOf(index: number): number {
    return this.#pageCount + 1 + groupOf(index);
  }

  /** Is the contents page of `index` present? */
  hasContents(index: number): boolean {
    const cell = this.#directory.cell(groupOf(index));
    return cell !== NONE && ((this.#contents[cell] as number) & bitOf(index)) !== 0;
  }

  /** Is the page with the PCMD entry of `index` present? */
  hasPcmdPage(index: number): boolean {
    const cell = this.#directory.cell(groupOf(index));
    return cell !== NONE && this.#pcmdPage[cell] === 1;
  }

  /**
   * Gets the contents page of `index`, then the page with its PCMD entry, making absent ones as zeros.
   *
   * @returns false if there is no memory; a contents page that was made stays then
   */
  get(index: number): boolean {
    let cell = this.#directory.cell(groupOf(index));
    const bit = bitOf(index);
    const hasContents = cell !== NONE && ((this.#contents[cell] as number) & bit) !== 0;
    if (!this.#mayGet(hasContents)) return false;
    if (cell === NONE) cell = this.#newCell(groupOf(index));
    if (!hasContents) this.#makeContents(cell, index);
    const hasPcmdPage = this.#pcmdPage[cell] === 1;
    if (!this.#mayGet(hasPcmdPage)) return false;
    if (!hasPcmdPage) {
      this.#pcmdPage[cell] = 1;
      this.#presentCount++;
    }
    return true;
  }

  /** Writes what belongs to `index` into those of its two pages that are present. @returns whether both are */
  write(index: number, blob: Readonly<PagingBlob>): boolean {
    const cell = this.#directory.cell(groupOf(index));
    if (cell === NONE) return false;
    const bit = bitOf(index);
    const first = recordOf(cell, index);
    const hasContents = ((this.#contents[cell] as number) & bit) !== 0;
    const hasPcmdPage = this.#pcmdPage[cell] === 1;
    if (hasContents) this.#records[first] = blob.contents;
    if (!hasPcmdPage) return false;
    (this.#entries[cell] as number) |= bit;
    this.#records[first + 1] = blob.secinfo;
    this.#records[first + 2] = blob.enclaveId;
    this.#records[first + 3] = blob.linearPage;
    this.#records[first + 4] = blob.macLow;
    this.#records[first + 5] = blob.macHigh;
    return hasContents;
  }

  /** Reads what belongs to `index`; absent pages read as zeros. */
  read(index: number, blob: PagingBlob): void {
    const cell = this.#directory.cell(groupOf(index));
    const bit = bitOf(index);
    const first = cell === NONE ? 0 : recordOf(cell, index);
    const hasContents = cell !== NONE && ((this.#contents[cell] as number) & bit) !== 0;
    const hasEntry = cell !== NONE && ((this.#entries[cell] as number) & bit) !== 0;
    blob.contents = hasContents ? (this.#records[first] as number) : 0;
    blob.secinfo = hasEntry ? (this.#records[first + 1] as number) : 0;
    blob.enclaveId = hasEntry ? (this.#records[first + 2] as number) : 0;
    blob.linearPage = hasEntry ? (this.#records[first + 3] as number) : 0;
    blob.macLow = hasEntry ? (this.#records[first + 4] as number) : 0;
    blob.macHigh = hasEntry ? (this.#records[first + 5] as number) : 0;
  }

  /** Makes the PCMD entry of `index` zero. @returns whether its whole page is zero now */
  zeroEntry(index: number): boolean {
    const cell = this.#directory.cell(groupOf(index));
    if (cell === NONE) return true;
    (this.#entries[cell] as number) &= ~bitOf(index);
    return this.#entries[cell] === 0;
  }

  /** Drops the contents page of `index`. @returns whether it was present */
  dropContents(index: number): boolean {
    if (!this.hasContents(index)) return false;
    const cell = this.#directory.cell(groupOf(index));
    (this.#contents[cell] as number) &= ~bitOf(index);
    this.#presentCount--;
    this.#releaseIfEmpty(groupOf(index), cell);
    return true;
  }

  /** Drops the page with the PCMD entry of `index`. @returns whether it was present */
  dropPcmdPage(index: number): boolean {
    if (!this.hasPcmdPage(index)) return false;
    const cell = this.#directory.cell(groupOf(index));
    this.#pcmdPage[cell] = 0;
    this.#entries[cell] = 0;
    this.#presentCount--;
    this.#releaseIfEmpty(groupOf(index), cell);
    return true;
  }

  /** Present file pages, ascending. */
  presentPages(): number[] {
    const contents: number[] = [];
    const pcmd: number[] = [];
    for (const group of this.#directory.groups()) {
      const first = group * PCMDS_PER_PAGE;
      for (let index = first; index < first + PCMDS_PER_PAGE; index++) {
        if (this.hasContents(index)) contents.push(index);
      }
      if (this.hasPcmdPage(first)) pcmd.push(this.pcmdPageOf(first));
    }
    return contents.concat(pcmd);
  }

  /** Drops everything and gives the storage back. */
  clear(): void {
    this.#directory.clear();
    this.#records = new Float64Array(FIRST_CAPACITY * PCMDS_PER_PAGE * FIELDS);
    this.#contents = new Uint32Array(FIRST_CAPACITY);
    this.#entries = new Uint32Array(FIRST_CAPACITY);
    this.#pcmdPage = new Uint8Array(FIRST_CAPACITY);
    this.#freeCells = [];
    this.#cellCount = 0;
    this.#presentCount = 0;
  }

  #mayGet(isPresent: boolean): boolean {
    if (this.#mayAllocate !== undefined && !this.#mayAllocate()) return false;
    return isPresent || this.#presentCount < this.#capacityPages;
  }

  #makeContents(cell: number, index: number): void {
    (this.#contents[cell] as number) |= bitOf(index);
    this.#records[recordOf(cell, index)] = 0;
    this.#presentCount++;
  }

  #newCell(group: number): number {
    const cell = this.#freeCells.pop() ?? this.#cellCount++;
    if (cell === this.#contents.length) this.#grow();
    this.#directory.setCell(group, cell);
    return cell;
  }

  #grow(): void {
    this.#records = enlarge(this.#records);
    this.#contents = enlarge(this.#contents);
    this.#entries = enlarge(this.#entries);
    this.#pcmdPage = enlarge(this.#pcmdPage);
  }

  #releaseIfEmpty(group: number, cell: number): void {
    if (this.#contents[cell] !== 0 || this.#pcmdPage[cell] !== 0) return;
    this.#directory.setCell(group, NONE);
    this.#freeCells.push(cell);
  }
}

function groupOf(index: number): number {
  return index >>> 5;
}

function bitOf(index: number): number {
  return 1 << (index & 31);
}

function recordOf(cell: number, index: number): number {
  return (cell * PCMDS_PER_PAGE + (index & 31)) * FIELDS;
}
