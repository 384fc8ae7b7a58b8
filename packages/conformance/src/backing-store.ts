import assert from 'node:assert/strict';
import type { BackingStore, PagingBlob, Thread } from '@epckit/interface';
import type { ConformanceCase } from './case.js';
import { casesOf, complete } from './case.js';

/** What the kit of backing stores works on. */
export interface BackingStoreSubject {
  /** Store of an owner with the wanted number of pages, without limit. */
  readonly store: BackingStore;
  /** Thread that reserves and truncates. */
  readonly thread: Thread;
}

/** Pages of the owner: three groups of 32 PCMD entries, the SECS in the third. */
const PAGE_COUNT = 64;
const SECS = PAGE_COUNT;
const idle = (): boolean => false;

const blobOf = (n: number): PagingBlob => ({
  contents: n + 1,
  secinfo: 0x203,
  enclaveId: 7,
  linearPage: 2 ** 36 + n,
  macLow: 2 ** 32 - 1 - n,
  macHigh: n,
});
const zeros: PagingBlob = {
  contents: 0,
  secinfo: 0,
  enclaveId: 0,
  linearPage: 0,
  macLow: 0,
  macHigh: 0,
};

function evict({ store, thread }: BackingStoreSubject, ...indices: number[]): void {
  for (const index of indices) {
    assert.equal(complete(store.reserve(thread, index)), 0);
    store.store(index, blobOf(index));
  }
}

function fetched({ store }: BackingStoreSubject, index: number): PagingBlob {
  const blob = blobOf(999);
  assert.equal(store.fetch(index, blob), 0);
  return blob;
}

/** Kit for `BackingStore`. @param make - an empty store of an owner of `pageCount` pages */
export function backingStoreCases(make: (pageCount: number) => BackingStoreSubject): ConformanceCase[] {
  return casesOf('BackingStore', () => make(PAGE_COUNT), {
    'gives back what EWB wrote, field by field': (subject) => {
      evict(subject, 0, 31, 32, PAGE_COUNT - 1);
      for (const index of [PAGE_COUNT - 1, 32, 31, 0])
        assert.deepEqual(fetched(subject, index), blobOf(index));
    },
    'keeps the SECS at the index after the last page': (subject) => {
      evict(subject, SECS, PAGE_COUNT - 1);
      assert.deepEqual(fetched(subject, SECS), blobOf(SECS));
      assert.deepEqual(fetched(subject, PAGE_COUNT - 1), blobOf(PAGE_COUNT - 1));
    },
    'replaces what was stored before': (subject) => {
      evict(subject, 3);
      subject.store.store(3, blobOf(50));
      assert.deepEqual(fetched(subject, 3), blobOf(50));
    },
    'reads absent pages as zeros and makes them present': (subject) => {
      assert.deepEqual(fetched(subject, 5), zeros);
      assert.equal(subject.store.presentPages().includes(5), true);
    },
    'makes contents and PCMD page present before anything is stored': (subject) => {
      assert.equal(complete(subject.store.reserve(subject.thread, 5)), 0);
      assert.equal(subject.store.presentPages().length, 2);
      assert.equal(subject.store.isFresh(5), false);
    },
    'knows whether a contents page has to be made': (subject) => {
      assert.equal(subject.store.isFresh(3), true);
      evict(subject, 3);
      assert.equal(subject.store.isFresh(3), false);
      assert.equal(subject.store.isFresh(4), true);
      subject.store.truncate(subject.thread, 3, idle);
      assert.equal(subject.store.isFresh(3), true);
    },
    'drops contents and PCMD page of a loaded page that was the last of its group': (subject) => {
      evict(subject, 3, 40);
      subject.store.truncate(subject.thread, 3, idle);
      assert.equal(subject.store.presentPages().length, 2);
      assert.deepEqual(fetched(subject, 3), zeros);
      assert.deepEqual(fetched(subject, 40), blobOf(40));
    },
    'keeps the PCMD page while the group has another entry': (subject) => {
      evict(subject, 3, 4);
      subject.store.truncate(subject.thread, 3, idle);
      assert.equal(subject.store.presentPages().length, 2);
      assert.deepEqual(fetched(subject, 4), blobOf(4));
    },
    'keeps the PCMD page while a page of the group is between reserve and write': (subject) => {
      const { store, thread } = subject;
      evict(subject, 3);
      assert.equal(complete(store.reserve(thread, 4)), 0);
      store.truncate(thread, 3, (index) => index === 4);
      assert.equal(store.presentPages().length, 2);
      store.store(4, blobOf(4));
      assert.deepEqual(fetched(subject, 4), blobOf(4));
    },
    'lists contents, SECS and PCMD pages in ascending order': (subject) => {
      evict(subject, SECS, 33, 2);
      const pages = subject.store.presentPages();
      assert.deepEqual(pages.slice(0, 3), [2, 33, SECS]);
      assert.equal(pages.length, 6);
      assert.ok(pages.every((page, i) => i === 0 || page > (pages[i - 1] as number)));
    },
    'drops everything when it is closed': (subject) => {
      evict(subject, 0, 33, SECS);
      subject.store.close();
      assert.deepEqual(subject.store.presentPages(), []);
    },
  });
}
