import type { ObjectRegistry } from '@epckit/interface';

interface Range {
  readonly kind: string;
  readonly first: number;
  readonly count: number;
}

/** Gives out dense object numbers; one instance per machine. */
export class Objects implements ObjectRegistry {
  readonly #ranges: Range[] = [];
  #next = 1;

  range(kind: string, count: number): number {
    const first = this.#next;
    this.#ranges.push({ kind, first, count });
    this.#next += count;
    return first;
  }

  nameOf(object: number): string {
    const range = this.#rangeOf(object);
    if (range === undefined) return `object ${object}`;
    return range.count === 1 ? range.kind : `${range.kind}[${object - range.first}]`;
  }

  /** Ranges are ascending, so a binary search finds the one that holds `object`. */
  #rangeOf(object: number): Range | undefined {
    let low = 0;
    let high = this.#ranges.length - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const range = this.#ranges[middle] as Range;
      if (object < range.first) high = middle - 1;
      else if (object >= range.first + range.count) low = middle + 1;
      else return range;
    }
    return undefined;
  }
}
