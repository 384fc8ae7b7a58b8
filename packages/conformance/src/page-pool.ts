import assert from 'node:assert/strict';
import type { FrameTable, NodeId, PageIndex, PagePool, Thread } from '@epckit/interface';
import { Errno, FrameFlag, Mode, NONE, OwnerKind, opMode } from '@epckit/interface';
import type { ConformanceCase } from './case.js';
import { casesOf, complete } from './case.js';
import type { SectionShape } from './frame-table.js';

/** What the kit of page pools works on: a machine on which every EPC page is clean and free. */
export interface PagePoolSubject {
  /** Pool under test. */
  readonly pool: PagePool;
  /** Frame table that it keeps its lists in. */
  readonly frames: FrameTable;
  /** A thread on a CPU of `node`, which is 0, 1 or 2. */
  createThread(node: NodeId): Thread;
}

/** Node 1 has two sections, node 2 has CPUs and no EPC. */
const sections: readonly SectionShape[] = [
  { node: 1, pageCount: 5 },
  { node: 0, pageCount: 4 },
  { node: 1, pageCount: 3 },
];
const PAGE_COUNT = 12;

function takeAll({ pool }: PagePoolSubject, thread: Thread): PageIndex[] {
  const pages: PageIndex[] = [];
  for (let page = complete(pool.take(thread)); page >= 0; page = complete(pool.take(thread))) {
    pages.push(page);
    assert.ok(pages.length <= PAGE_COUNT, 'the pool never runs out');
  }
  return pages;
}

/** Gives back as the contract wants it: without owner. */
function give({ pool, frames }: PagePoolSubject, thread: Thread, page: PageIndex): void {
  frames.setOwner(page, OwnerKind.NONE, NONE, NONE);
  complete(pool.give(thread, page));
}

/** Kit for `PagePool`. */
export function pagePoolCases(
  make: (sections: readonly SectionShape[]) => PagePoolSubject,
): ConformanceCase[] {
  const setUp = () => {
    const subject = make(sections);
    return { subject, pool: subject.pool, frames: subject.frames, thread: subject.createThread(0) };
  };
  return casesOf('PagePool', setUp, {
    'gives out every page once and then -ENOMEM': ({ subject, pool, thread }) => {
      const pages = takeAll(subject, thread);
      assert.deepEqual(
        pages.sort((a, b) => a - b),
        Array.from({ length: PAGE_COUNT }, (_, page) => page),
      );
      assert.equal(complete(pool.take(thread)), -Errno.ENOMEM);
    },
    'serves CPUs of every node, also of one without EPC': ({ subject }) => {
      for (const node of [0, 1, 2]) {
        const thread = subject.createThread(node);
        const pages = takeAll(subject, thread);
        assert.equal(pages.length, PAGE_COUNT);
        for (const page of pages) give(subject, thread, page);
      }
    },
    'counts its free pages': ({ subject, pool, thread }) => {
      assert.equal(pool.free, PAGE_COUNT);
      const page = complete(pool.take(thread));
      assert.equal(pool.free, PAGE_COUNT - 1);
      assert.equal(complete(pool.take(thread)) >= 0, true);
      give(subject, thread, page);
      assert.equal(pool.free, PAGE_COUNT - 1);
      assert.equal(pool.freeCount(thread), PAGE_COUNT - 1);
    },
    'gives out again what was given back': ({ subject, pool, thread }) => {
      const pages = takeAll(subject, thread);
      give(subject, thread, pages[6] as PageIndex);
      assert.equal(complete(pool.take(thread)), pages[6]);
      assert.equal(complete(pool.take(thread)), -Errno.ENOMEM);
    },
    'gives pages out without flags and off all lists': ({ subject, frames, thread }) => {
      for (const page of takeAll(subject, thread)) {
        assert.equal(frames.flags(page), 0);
        assert.equal(frames.listOf(page), 0);
      }
    },
    'marks pages that were given back as free': ({ subject, pool, frames, thread }) => {
      const page = complete(pool.take(thread));
      give(subject, thread, page);
      assert.equal(frames.flags(page), FrameFlag.IS_FREE);
      assert.notEqual(frames.listOf(page), 0);
    },
    'never gives out a poisoned page that was given back': ({ subject, pool, frames, thread }) => {
      const page = complete(pool.take(thread));
      frames.setPoisoned(page);
      give(subject, thread, page);
      assert.equal(takeAll(subject, thread).includes(page), false);
    },
    'has the free pages of each node with EPC, ascending': ({ subject, pool, frames, thread }) => {
      assert.deepEqual([...pool.nodes], [0, 1]);
      assert.deepEqual(
        pool.nodes.map((node) => pool.freeOnNode(node)),
        [4, 8],
      );
      const page = complete(pool.take(thread));
      const expected = [4, 8];
      (expected[frames.node(page)] as number)--;
      assert.deepEqual(
        pool.nodes.map((node) => pool.freeOnNode(node)),
        expected,
      );
      give(subject, thread, page);
    },
    'announces a read before the count of free pages': ({ pool }) => {
      assert.equal(opMode(pool.freeReading), Mode.READ);
    },
  });
}
