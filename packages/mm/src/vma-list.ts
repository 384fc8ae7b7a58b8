import type { Vma } from '@epckit/interface';

/**
 * Mappings of one owner's range in ascending order. Neighbours stay apart, also with the same
 * protection: Linux never joins mappings of page frames (`VM_PFNMAP`).
 *
 * Ranges have few mappings: each change builds a new array, so that a reader keeps what it has got.
 */
export class VmaList {
  #vmas: readonly Vma[] = [];

  get all(): readonly Vma[] {
    return this.#vmas;
  }

  /** Mapping that covers `page`. */
  find(page: number): Vma | undefined {
    let low = 0;
    let high = this.#vmas.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const vma = this.#vmas[middle] as Vma;
      if (page < vma.start) high = middle - 1;
      else if (page >= vma.end) low = middle + 1;
      else return vma;
    }
    return undefined;
  }

  /** First page of `start … end` that is not mapped, or `end`. */
  firstHole(start: number, end: number): number {
    let page = start;
    for (let vma = this.find(page); vma !== undefined && page < end; vma = this.find(page)) page = vma.end;
    return Math.min(page, end);
  }

  /** Maps the range with one protection; what was there is replaced. */
  set(start: number, end: number, prot: number): void {
    if (start >= end) return;
    const { before, after } = this.#around(start, end);
    this.#vmas = [...before, { start, end, prot }, ...after];
  }

  /** Gives the mapped parts of the range a protection; a mapping that has it already is not split. */
  protect(start: number, end: number, prot: number): void {
    this.#vmas = this.#vmas.flatMap((vma) => {
      if (vma.end <= start || vma.start >= end || vma.prot === prot) return vma;
      const inner = { ...vma, start: Math.max(vma.start, start), end: Math.min(vma.end, end), prot };
      const below = { ...vma, end: inner.start };
      const above = { ...vma, start: inner.end };
      return [below, inner, above].filter((part) => part.start < part.end);
    });
  }

  /** Replaces the mapping that covers `page` by one of the same range that is an orphan. */
  orphan(page: number): void {
    this.#vmas = this.#vmas.map((vma) => {
      return page >= vma.start && page < vma.end ? { ...vma, isOrphan: true } : vma;
    });
  }

  /** Unmaps the range. */
  remove(start: number, end: number): void {
    if (start >= end) return;
    const { before, after } = this.#around(start, end);
    this.#vmas = [...before, ...after];
  }

  /** Takes over the mappings of another list. */
  copyFrom(vmas: readonly Vma[]): void {
    this.#vmas = vmas;
  }

  /** What is mapped below and above a range; mappings across its edges are split. */
  #around(start: number, end: number): { before: Vma[]; after: Vma[] } {
    const before: Vma[] = [];
    const after: Vma[] = [];
    for (const vma of this.#vmas) {
      if (vma.start < start) before.push({ ...vma, end: Math.min(vma.end, start) });
      if (vma.end > end) after.push({ ...vma, start: Math.max(vma.start, end) });
    }
    return { before, after };
  }
}
