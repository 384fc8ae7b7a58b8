interface NaivePage {
  readonly index: number;
  readonly page: number;
  readonly slots: boolean[];
}

/** Version slots written the obvious way: an array of pages, an array of booleans for each. */
export class NaiveSlots {
  #order: NaivePage[] = [];
  #made = 0;

  get isFull(): boolean {
    return this.#order.every((page) => page.slots.every(Boolean));
  }

  take(): number {
    const page = this.#order.find((candidate) => candidate.slots.includes(false)) as NaivePage;
    const slot = page.slots.indexOf(false);
    page.slots[slot] = true;
    if (!page.slots.includes(false)) this.#order = [...this.#without(page), page];
    return page.index * 512 + slot;
  }

  release(slot: number): void {
    this.#holder(slot).slots[slot % 512] = false;
  }

  releaseLoaded(slot: number): void {
    this.release(slot);
    const page = this.#holder(slot);
    this.#order = [page, ...this.#without(page)];
  }

  addPage(page: number): number {
    const index = this.#made++;
    this.#order.unshift({ index, page, slots: new Array<boolean>(512).fill(false) });
    return index;
  }

  removePage(index: number): void {
    this.#order = this.#order.filter((page) => page.index !== index);
  }

  report(): { index: number; page: number; used: number }[] {
    return this.#order.map(({ index, page, slots }) => ({ index, page, used: slots.filter(Boolean).length }));
  }

  #holder(slot: number): NaivePage {
    return this.#order.find((page) => page.index === Math.floor(slot / 512)) as NaivePage;
  }

  #without(page: NaivePage): NaivePage[] {
    return this.#order.filter((other) => other !== page);
  }
}
