import { PageType } from '@epckit/interface';
import type { SecsTable } from './secs-table.js';
import type { VersionArrays } from './version-arrays.js';
import { SLOT_COUNT } from './version-arrays.js';

/**
 * Hidden contents of SECS and VA pages that are outside the EPC, found by the version that EWB gave them.
 *
 * A child page fits into its contents tag; these two do not. Nothing is copied: the slot of the SECS and the
 * array of the VA page stay where they are. An image dies with the last thing that could load it, the version
 * in a slot: overwritten, removed with its VA page, or lost with the power.
 */
export class SavedImages {
  readonly #secs = new Map<number, number>();
  readonly #arrays = new Map<number, number>();
  readonly #table: SecsTable;
  readonly #versions: VersionArrays;

  constructor(table: SecsTable, versions: VersionArrays) {
    this.#table = table;
    this.#versions = versions;
  }

  /** Number of images, for leak tests. */
  get count(): number {
    return this.#secs.size + this.#arrays.size;
  }

  /** Keeps the slot of a SECS or the array of a VA page. */
  save(type: number, version: number, link: number): void {
    (type === PageType.SECS ? this.#secs : this.#arrays).set(version, link);
  }
  /** Takes an image out again. @returns slot or array, or undefined if there is none */
  take(type: number, version: number): number | undefined {
    const images = type === PageType.SECS ? this.#secs : this.#arrays;
    const link = images.get(version);
    images.delete(version);
    return link;
  }
  /** A version was lost: what was saved under it can never be loaded. */
  forget(version: number): void {
    if (version === 0 || this.count === 0) return;
    const lost: number[] = [];
    this.#drop(version, lost);
    this.#discard(lost);
  }
  /** A VA page was lost: so is every version in it, down the tree of VA pages. */
  discardArray(index: number): void {
    this.#discard([index]);
  }
  /** Forgets all images without touching tables. */
  clear(): void {
    this.#secs.clear();
    this.#arrays.clear();
  }

  #drop(version: number, lostArrays: number[]): void {
    const slot = this.take(PageType.SECS, version);
    if (slot !== undefined) this.#table.release(slot);
    const index = this.take(PageType.VA, version);
    if (index !== undefined) lostArrays.push(index);
  }

  #discard(arrays: number[]): void {
    for (let index = arrays.pop(); index !== undefined; index = arrays.pop()) {
      for (let slot = 0; slot < SLOT_COUNT && this.count > 0; slot++) {
        this.#drop(this.#versions.get(index, slot), arrays);
      }
      this.#versions.release(index);
    }
  }
}
