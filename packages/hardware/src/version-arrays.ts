/** Slots of 8 bytes in a version array page (SDM vol. 3D, 38.18). */
export const SLOT_COUNT = 512;

/**
 * Contents of version array pages, one array per VA page that exists in or outside the EPC.
 *
 * Arrays are recycled, so a steady number of VA pages needs no allocation. 0 is an empty slot.
 */
export class VersionArrays {
  readonly #arrays: Float64Array[] = [];
  readonly #free: number[] = [];

  /** Takes an array with empty slots only. */
  take(): number {
    const index = this.#free.pop();
    if (index !== undefined) return index;
    return this.#arrays.push(new Float64Array(SLOT_COUNT)) - 1;
  }
  /** Empties an array and gives it back. */
  release(index: number): void {
    this.#array(index).fill(0);
    this.#free.push(index);
  }
  /** Forgets all arrays. */
  clear(): void {
    this.#arrays.length = 0;
    this.#free.length = 0;
  }

  /** Version in a slot, 0 if empty. */
  get(index: number, slot: number): number {
    return this.#array(index)[slot] as number;
  }
  /** Stores a version, or 0 to empty the slot. */
  set(index: number, slot: number, version: number): void {
    this.#array(index)[slot] = version;
  }
  /** Number of occupied slots. */
  occupied(index: number): number {
    return this.#array(index).reduce((count, version) => (version === 0 ? count : count + 1), 0);
  }

  #array(index: number): Float64Array {
    return this.#arrays[index] as Float64Array;
  }
}
