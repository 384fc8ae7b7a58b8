import type { PageIndex, VersionSlots } from '@epckit/interface';
import { InvariantViolation } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { versionSlotsCases } from '../src/index.js';
import { expectEachCaseToFail, failuresOf } from './kits.js';

interface Page {
  readonly index: number;
  readonly page: PageIndex;
  readonly slots: boolean[];
}

/** Pages with an array of booleans each, in an array. */
class PlainSlots implements VersionSlots {
  protected order: Page[] = [];
  #made = 0;

  take(): number {
    const page = this.order.find(({ slots }) => slots.includes(false));
    if (page === undefined) throw new InvariantViolation('full');
    const slot = page.slots.indexOf(false);
    page.slots[slot] = true;
    return page.index * 512 + slot;
  }
  release(slot: number): void {
    this.holder(slot).slots[slot % 512] = false;
  }
  releaseLoaded(slot: number): void {
    this.release(slot);
    this.toFront(this.holder(slot));
  }
  pageOf(slot: number): PageIndex {
    return this.holder(slot).page;
  }
  addPage(page: PageIndex): number {
    this.order.unshift({ index: this.#made, page, slots: new Array<boolean>(512).fill(false) });
    return this.#made++;
  }
  removePage(index: number): void {
    if (this.holder(index * 512).slots.includes(true)) throw new InvariantViolation('not empty');
    this.order = this.order.filter((page) => page.index !== index);
  }
  pages() {
    return this.order.map(({ index, page, slots }) => ({ index, page, used: slots.filter(Boolean).length }));
  }
  get pageCount(): number {
    return this.order.length;
  }

  protected holder(slot: number): Page {
    return this.order.find(({ index }) => index === Math.floor(slot / 512)) as Page;
  }
  protected toFront(page: Page): void {
    this.order = [page, ...this.order.filter((other) => other !== page)];
  }
}

const broken: Record<string, new () => PlainSlots> = {
  'uses slot 512 of a full page': class extends PlainSlots {
    override take(): number {
      return this.order.every(({ slots }) => slots.every(Boolean)) ? 512 : super.take();
    }
  },
  'adds pages as the last': class extends PlainSlots {
    override addPage(page: PageIndex): number {
      const index = super.addPage(page);
      this.order.push(this.order.shift() as Page);
      return index;
    }
  },
  'takes the highest free slot': class extends PlainSlots {
    override take(): number {
      const page = this.order.find(({ slots }) => slots.includes(false));
      if (page === undefined) return super.take();
      const slot = page.slots.lastIndexOf(false);
      page.slots[slot] = true;
      return page.index * 512 + slot;
    }
  },
  'does not count': class extends PlainSlots {
    override pages() {
      return super.pages().map((page) => ({ ...page, used: 0 }));
    }
  },
  'gives out a slot twice': class extends PlainSlots {
    #isSecond = false;
    override take(): number {
      const slot = super.take();
      this.#isSecond = !this.#isSecond;
      if (this.#isSecond) this.release(slot);
      return slot;
    }
  },
  'takes every slot for one of the first page': class extends PlainSlots {
    override pageOf(): PageIndex {
      return this.order[0]?.page ?? -1;
    }
  },
  'puts the page of a failed EWB first': class extends PlainSlots {
    override release(slot: number): void {
      super.release(slot);
      this.toFront(this.holder(slot));
    }
  },
  'keeps its order after a load': class extends PlainSlots {
    override releaseLoaded(slot: number): void {
      this.release(slot);
    }
  },
  'renumbers pages after a removal': class extends PlainSlots {
    override removePage(index: number): void {
      super.removePage(index);
      this.order = this.order.map((page, at) => ({ ...page, index: at + 1 }));
    }
  },
  'removes pages in use': class extends PlainSlots {
    override removePage(index: number): void {
      this.order = this.order.filter((page) => page.index !== index);
    }
  },
};

describe('versionSlotsCases', () => {
  const sound = versionSlotsCases(() => new PlainSlots());
  const brokenCases = Object.entries(broken).map(
    ([name, Slots]) => [name, versionSlotsCases(() => new Slots())] as const,
  );

  it('passes sound slots', () => {
    expect(failuresOf(sound)).toEqual([]);
  });

  it.each(brokenCases)('fails slots of which it can be said: %s', (_, cases) => {
    expect(failuresOf(cases)).not.toEqual([]);
  });

  it('has no case that cannot fail', () => {
    expectEachCaseToFail(
      sound,
      brokenCases.map(([, cases]) => cases),
    );
  });
});
