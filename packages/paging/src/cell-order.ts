import { NONE } from '@epckit/interface';
import { enlarge } from './enlarge.js';

const FIRST_CAPACITY = 4;

/**
 * A doubly linked list over small dense numbers, links in columns (the kernel's `list_head`).
 *
 * Callers keep track of which numbers are on the list.
 */
export class CellOrder {
  #next = new Int32Array(FIRST_CAPACITY);
  #previous = new Int32Array(FIRST_CAPACITY);
  #first = NONE;
  #last = NONE;

  /** Head of the list, or `-1`. */
  get first(): number {
    return this.#first;
  }

  /** Number after `cell`, or `-1`. */
  after(cell: number): number {
    return this.#next[cell] as number;
  }

  /** Adds `cell` at the head. */
  prepend(cell: number): void {
    this.#makeRoomFor(cell);
    this.#next[cell] = this.#first;
    this.#previous[cell] = NONE;
    if (this.#first === NONE) this.#last = cell;
    else this.#previous[this.#first] = cell;
    this.#first = cell;
  }

  /** Takes `cell` off the list. */
  unlink(cell: number): void {
    const next = this.#next[cell] as number;
    const previous = this.#previous[cell] as number;
    if (previous === NONE) this.#first = next;
    else this.#next[previous] = next;
    if (next === NONE) this.#last = previous;
    else this.#previous[next] = previous;
  }

  /** Moves `cell`, which is on the list, to the head (`list_move`). */
  moveToHead(cell: number): void {
    this.unlink(cell);
    this.prepend(cell);
  }

  /** Moves `cell`, which is on the list, to the tail (`list_move_tail`). */
  moveToTail(cell: number): void {
    this.unlink(cell);
    this.#next[cell] = NONE;
    this.#previous[cell] = this.#last;
    if (this.#last === NONE) this.#first = cell;
    else this.#next[this.#last] = cell;
    this.#last = cell;
  }

  #makeRoomFor(cell: number): void {
    while (cell >= this.#next.length) {
      this.#next = enlarge(this.#next);
      this.#previous = enlarge(this.#previous);
    }
  }
}
