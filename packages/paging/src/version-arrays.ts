import type { PageIndex, VersionSlots } from '@epckit/interface';
import { InvariantViolation, NONE } from '@epckit/interface';
import { CellOrder } from './cell-order.js';
import { SLOTS_PER_PAGE, SlotBitmaps } from './slot-bitmaps.js';

/** One version array page in a report. */
export interface VersionArrayPage {
  /** Number in order of EPA. */
  readonly index: number;
  /** EPC page. */
  readonly page: PageIndex;
  /** Slots in use. */
  readonly used: number;
}

/**
 * Version slots as Linux keeps them: a list of version array pages and a bitmap for each
 * (`encl->va_pages`, `sgx_alloc_va_slot`, `sgx_free_va_slot`).
 *
 * {@link take} is a recipe. It takes and rotates in one call, hence in one critical section of the owner's
 * lock, so that a page which became full is never taken from again (B-05).
 */
export class VersionArrays implements VersionSlots {
  readonly #bitmaps = new SlotBitmaps();
  readonly #order = new CellOrder();
  /** EPC page and name by cell; cells are reused. */
  readonly #pages: PageIndex[] = [];
  readonly #names: number[] = [];
  readonly #freeCells: number[] = [];
  /** Cell by name, `-1` for a removed page: names are given once. */
  readonly #cells: number[] = [];
  #pageCount = 0;

  take(): number {
    const cell = this.choose();
    const bit = this.claim(cell);
    this.rotateIfFull(cell);
    return this.slotNumber(cell, bit);
  }

  release(slot: number): void {
    this.#bitmaps.clear(this.#cellOf(slot), slot % SLOTS_PER_PAGE);
  }

  releaseLoaded(slot: number): void {
    this.release(slot);
    this.#order.moveToHead(this.#cellOf(slot));
  }

  pageOf(slot: number): PageIndex {
    return this.#pages[this.#cellOf(slot)] as PageIndex;
  }

  addPage(page: PageIndex): number {
    const cell = this.#freeCells.pop() ?? this.#newCell();
    const name = this.#cells.push(cell) - 1;
    this.#pages[cell] = page;
    this.#names[cell] = name;
    this.#order.prepend(cell);
    this.#pageCount++;
    return name;
  }

  removePage(index: number): void {
    const cell = this.#cellOf(index * SLOTS_PER_PAGE);
    this.#bitmaps.recycle(cell);
    this.#order.unlink(cell);
    this.#cells[index] = NONE;
    this.#freeCells.push(cell);
    this.#pageCount--;
  }

  *pages(): Iterable<VersionArrayPage> {
    for (let cell = this.first; cell !== NONE; cell = this.#order.after(cell)) {
      const index = this.#names[cell] as number;
      yield { index, page: this.#pages[cell] as PageIndex, used: this.#bitmaps.used(cell) };
    }
  }

  get pageCount(): number {
    return this.#pageCount;
  }

  /**
   * Chooses the page to take from: the first one with a free slot.
   *
   * That is the head, except after a failed EWB has given a slot back to a page which had been rotated to the
   * tail. The kernel looks at the head only and would then use slot 512.
   */
  protected choose(): number {
    let cell = this.first;
    while (cell !== NONE && this.#bitmaps.isFull(cell)) cell = this.#order.after(cell);
    if (cell === NONE) throw this.#noneFree();
    return cell;
  }

  /** Cell of the head of the list, or `-1`. */
  protected get first(): number {
    return this.#order.first;
  }

  /** Takes the lowest free slot of a page. @throws InvariantViolation if it is full */
  protected claim(cell: number): number {
    return this.#bitmaps.takeLowest(cell);
  }

  /** Moves a page to the tail if it is full. */
  protected rotateIfFull(cell: number): void {
    if (this.#bitmaps.isFull(cell)) this.#order.moveToTail(cell);
  }

  /** Slot as one number. */
  protected slotNumber(cell: number, bit: number): number {
    return (this.#names[cell] as number) * SLOTS_PER_PAGE + bit;
  }

  #cellOf(slot: number): number {
    const cell = this.#cells[Math.floor(slot / SLOTS_PER_PAGE)];
    if (cell === undefined || cell === NONE) {
      throw new InvariantViolation('A version slot of no version array page is used.', [`slot: ${slot}`]);
    }
    return cell;
  }

  #newCell(): number {
    const cell = this.#pages.length;
    if (cell === this.#bitmaps.capacity) this.#bitmaps.grow();
    return cell;
  }

  #noneFree(): InvariantViolation {
    return new InvariantViolation('No version slot is free.', [
      `version array pages: ${this.#pageCount}`,
      `slots: ${this.#pageCount * SLOTS_PER_PAGE}`,
    ]);
  }
}

/**
 * Makes the version slots of one owner, without version array pages.
 *
 * @example
 * ```ts
 * const slots = createVersionSlots();
 * slots.addPage(7);
 * slots.take(); // 0: slot 0 of version array page 0
 * ```
 */
export function createVersionSlots(): VersionSlots {
  return new VersionArrays();
}
