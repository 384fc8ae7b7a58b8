import type { BackingStore, PagingBlob, Routine, Thread } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { ConformanceCase } from '../src/index.js';
import { backingStoreCases } from '../src/index.js';
import { expectEachCaseToFail, failuresOf } from './kits.js';
import { plainThread } from './plain-thread.js';

const zeros: PagingBlob = {
  contents: 0,
  secinfo: 0,
  enclaveId: 0,
  linearPage: 0,
  macLow: 0,
  macHigh: 0,
};

/** A file as a set of present pages, and what was written as a map. */
class PlainStore implements BackingStore {
  protected readonly present = new Set<number>();
  protected readonly blobs = new Map<number, PagingBlob>();
  protected readonly pages: number;

  constructor(pages: number) {
    this.pages = pages;
  }

  *reserve(_thread: Thread, index: number): Routine<number> {
    yield 0;
    return this.get(index);
  }
  store(index: number, blob: Readonly<PagingBlob>): void {
    if (this.present.has(this.pcmdPage(index))) this.blobs.set(index, { ...blob });
  }
  fetch(index: number, blob: PagingBlob): number {
    this.get(index);
    Object.assign(blob, this.blobs.get(index) ?? zeros);
    return 0;
  }
  truncate(_thread: Thread, index: number, groupBusy: (index: number) => boolean): void {
    this.blobs.delete(index);
    this.present.delete(index);
    if (!this.isGroupInUse(index, groupBusy)) this.present.delete(this.pcmdPage(index));
  }
  close(): void {
    this.present.clear();
    this.blobs.clear();
  }
  isFresh(index: number): boolean {
    return !this.present.has(index);
  }
  presentPages(): number[] {
    return [...this.present].sort((a, b) => a - b);
  }

  protected isGroupInUse(index: number, groupBusy: (index: number) => boolean): boolean {
    return this.group(index).some((sibling) => this.blobs.has(sibling) || groupBusy(sibling));
  }
  protected group(index: number): number[] {
    return Array.from({ length: 32 }, (_, i) => index - (index % 32) + i);
  }
  protected pcmdPage(index: number): number {
    return this.pages + 1 + Math.floor(index / 32);
  }
  protected get(index: number): number {
    this.present.add(index);
    this.present.add(this.pcmdPage(index));
    return 0;
  }
}

const broken: Record<string, new (pages: number) => PlainStore> = {
  'keeps 32 bits of a page number': class extends PlainStore {
    override store(index: number, blob: Readonly<PagingBlob>): void {
      super.store(index, { ...blob, linearPage: blob.linearPage >>> 0 });
    }
  },
  'has no place for the SECS': class extends PlainStore {
    override store(index: number, blob: Readonly<PagingBlob>): void {
      super.store(Math.min(index, this.pages - 1), blob);
    }
  },
  'keeps the first version': class extends PlainStore {
    override store(index: number, blob: Readonly<PagingBlob>): void {
      if (!this.blobs.has(index)) super.store(index, blob);
    }
  },
  'leaves the blob as it is for an absent page': class extends PlainStore {
    override fetch(index: number, blob: PagingBlob): number {
      return this.blobs.has(index) ? super.fetch(index, blob) : 0;
    }
  },
  'makes pages present when they are stored': class extends PlainStore {
    override *reserve(): Routine<number> {
      yield 0;
      return 0;
    }
    override store(index: number, blob: Readonly<PagingBlob>): void {
      this.get(index);
      super.store(index, blob);
    }
  },
  'takes loaded pages for present ones': class extends PlainStore {
    readonly stored = new Set<number>();
    override store(index: number, blob: Readonly<PagingBlob>): void {
      this.stored.add(index);
      super.store(index, blob);
    }
    override isFresh(index: number): boolean {
      return super.isFresh(index) && !this.stored.has(index);
    }
  },
  'never truncates': class extends PlainStore {
    override truncate(): void {}
  },
  'drops the PCMD page of siblings': class extends PlainStore {
    override truncate(_thread: Thread, index: number): void {
      this.present.delete(index);
      this.present.delete(this.pcmdPage(index));
      for (const sibling of this.group(index)) this.blobs.delete(sibling);
    }
  },
  'does not ask who is busy': class extends PlainStore {
    protected override isGroupInUse(index: number): boolean {
      return super.isGroupInUse(index, () => false);
    }
  },
  'lists pages in order of arrival': class extends PlainStore {
    override presentPages(): number[] {
      return [...this.present];
    }
  },
  'keeps its pages when it is closed': class extends PlainStore {
    override close(): void {}
  },
};

describe('backingStoreCases', () => {
  const casesWith = (Store: new (pages: number) => PlainStore): ConformanceCase[] =>
    backingStoreCases((pageCount) => ({ store: new Store(pageCount), thread: plainThread() }));
  const brokenCases = Object.entries(broken).map(([name, Store]) => [name, casesWith(Store)] as const);

  it('passes a sound store', () => {
    expect(failuresOf(casesWith(PlainStore))).toEqual([]);
  });

  it.each(brokenCases)('fails a store that %s', (_, cases) => {
    expect(failuresOf(cases)).not.toEqual([]);
  });

  it('has no case that cannot fail', () => {
    expectEachCaseToFail(
      casesWith(PlainStore),
      brokenCases.map(([, cases]) => cases),
    );
  });
});
