import assert from 'node:assert/strict';
import type { FrameTable, ListId, NodeId, PageIndex } from '@epckit/interface';
import { FrameFlag, Mode, NONE, OwnerKind, opMode, opObject } from '@epckit/interface';
import type { ConformanceCase } from './case.js';
import { casesOf, violation } from './case.js';

/** Section that a kit wants. */
export interface SectionShape {
  /** Node of the section. */
  readonly node: NodeId;
  /** Number of its pages. */
  readonly pageCount: number;
}

const PAGE_COUNT = 8;

/** Pages of a list from head to tail, after a look from tail to head. */
function pagesOf(frames: FrameTable, list: ListId): PageIndex[] {
  const forwards: PageIndex[] = [];
  for (let page = frames.first(list); page !== -1; page = frames.next(page)) {
    forwards.push(page);
    assert.ok(forwards.length <= PAGE_COUNT, 'the list does not end');
  }
  const backwards: PageIndex[] = [];
  for (let page = frames.last(list); page !== -1; page = frames.previous(page)) {
    backwards.push(page);
    assert.ok(backwards.length <= PAGE_COUNT, 'the list does not end');
  }
  assert.deepEqual(backwards.reverse(), forwards);
  assert.equal(frames.length(list), forwards.length);
  for (const page of forwards) assert.equal(frames.listOf(page), list);
  return forwards;
}

/** Kit for `FrameTable`. @param make - a table of these sections, without lists */
export function frameTableCases(make: (sections: readonly SectionShape[]) => FrameTable): ConformanceCase[] {
  const sections = [
    { node: 2, pageCount: 3 },
    { node: 0, pageCount: 5 },
  ];
  const setUp = () => {
    const frames = make(sections);
    return { frames, a: frames.createList('a'), b: frames.createList('b') };
  };
  return [...casesOf('FrameTable', () => make(sections), columns), ...casesOf('FrameTable', setUp, lists)];
}

const columns: Readonly<Record<string, (frames: FrameTable) => void>> = {
  'numbers the pages through all sections': (frames) => {
    assert.equal(frames.pageCount, PAGE_COUNT);
    assert.deepEqual(
      frames.sections.map(({ node, firstPage, pageCount }) => [node, firstPage, pageCount]),
      [
        [2, 0, 3],
        [0, 3, 5],
      ],
    );
    const nodes = [0, 2, 3, 7].map((page) => [frames.section(page), frames.node(page)]);
    assert.deepEqual(nodes, [
      [0, 2],
      [0, 2],
      [1, 0],
      [1, 0],
    ]);
  },
  'begins with pages of nobody, on no list, without flags, poison or group': (frames) => {
    for (let page = 0; page < PAGE_COUNT; page++) {
      const state = [frames.kind(page), frames.flags(page), frames.listOf(page), frames.group(page)];
      assert.deepEqual(state, [OwnerKind.NONE, 0, 0, NONE]);
      assert.equal(frames.isPoisoned(page), false);
    }
    assert.equal(frames.listCount, 0);
  },
  'keeps owner and record of each page': (frames) => {
    frames.setOwner(3, OwnerKind.NATIVE, 0, 1000);
    frames.setOwner(4, OwnerKind.FIRST_CUSTOM, 9, 0);
    const owners = [3, 4].map((page) => [frames.kind(page), frames.owner(page), frames.record(page)]);
    assert.deepEqual(owners, [
      [OwnerKind.NATIVE, 0, 1000],
      [OwnerKind.FIRST_CUSTOM, 9, 0],
    ]);
    frames.setOwner(3, OwnerKind.NONE, 0, 0);
    assert.equal(frames.kind(3), OwnerKind.NONE);
    assert.equal(frames.kind(4), OwnerKind.FIRST_CUSTOM);
  },
  'never clears poison, whatever happens to the flags': (frames) => {
    frames.setFlags(1, FrameFlag.TRACKED | FrameFlag.IS_FREE);
    frames.setPoisoned(1);
    assert.equal(frames.flags(1), FrameFlag.TRACKED | FrameFlag.IS_FREE);
    frames.setFlags(1, 0);
    assert.deepEqual([frames.flags(1), frames.peekFlags(1), frames.isPoisoned(1)], [0, 0, true]);
    assert.equal(frames.isPoisoned(0), false);
  },
  'shows the same flags with and without the lock': (frames) => {
    frames.setFlags(2, FrameFlag.IS_FREE);
    assert.deepEqual([frames.flags(2), frames.peekFlags(2)], [FrameFlag.IS_FREE, FrameFlag.IS_FREE]);
  },
  'keeps the charged group': (frames) => {
    frames.setGroup(5, 300);
    assert.deepEqual([frames.group(4), frames.group(5), frames.group(6)], [NONE, 300, NONE]);
    frames.setGroup(4, 0);
    frames.setGroup(5, NONE);
    assert.deepEqual([frames.group(4), frames.group(5)], [0, NONE]);
  },
  'counts every change, and no look': (frames) => {
    const list = frames.createList('list');
    const doings: (() => void)[] = [
      () => frames.setOwner(0, OwnerKind.NATIVE, 1, 1),
      () => frames.setFlags(0, FrameFlag.TRACKED),
      () => frames.setPoisoned(0),
      () => frames.setGroup(0, 1),
      () => frames.append(list, 0),
      () => frames.prepend(list, 1),
      () => frames.unlink(0),
    ];
    for (const doing of doings) {
      const before = frames.changes;
      doing();
      assert.ok(frames.changes > before);
    }
    const before = frames.changes;
    frames.owner(0);
    frames.peekFlags(0);
    pagesOf(frames, list);
    assert.equal(frames.changes, before);
  },
  'announces flags, poison and lists of different pages as different objects': (frames) => {
    const list = frames.createList('list');
    const ops = [
      frames.flagsAt(0, Mode.WRITE),
      frames.flagsAt(1, Mode.WRITE),
      frames.poisonAt(0, Mode.WRITE),
      frames.poisonAt(1, Mode.WRITE),
      frames.listAt(list, Mode.WRITE),
    ];
    assert.equal(new Set(ops.map(opObject)).size, 5);
    assert.ok(ops.every((op) => opMode(op) === Mode.WRITE));
    assert.equal(opMode(frames.flagsAt(0, Mode.READ)), Mode.READ);
  },
};

interface TwoLists {
  readonly frames: FrameTable;
  readonly a: ListId;
  readonly b: ListId;
}

const lists: Readonly<Record<string, (subject: TwoLists) => void>> = {
  'numbers lists from 1 and knows their names': ({ frames, a, b }) => {
    assert.deepEqual([a, b, frames.listCount], [1, 2, 2]);
    assert.deepEqual([frames.listName(a), frames.listName(b)], ['a', 'b']);
    assert.deepEqual([frames.first(a), frames.last(a), frames.length(a)], [-1, -1, 0]);
  },
  'adds at the tail and at the head': ({ frames, a, b }) => {
    for (const page of [4, 1, 6]) frames.append(a, page);
    for (const page of [2, 7]) frames.prepend(a, page);
    assert.deepEqual(pagesOf(frames, a), [7, 2, 4, 1, 6]);
    assert.deepEqual(pagesOf(frames, b), []);
  },
  'takes a page off wherever it is': ({ frames, a }) => {
    for (const page of [0, 1, 2, 3, 4]) frames.append(a, page);
    for (const [page, left] of [
      [2, [0, 1, 3, 4]],
      [0, [1, 3, 4]],
      [4, [1, 3]],
      [3, [1]],
      [1, []],
    ] as const) {
      frames.unlink(page);
      assert.equal(frames.listOf(page), 0);
      assert.deepEqual(pagesOf(frames, a), left);
    }
  },
  'has a page on one list at most': ({ frames, a, b }) => {
    frames.append(a, 1);
    for (const list of [a, b]) {
      assert.throws(() => frames.append(list, 1), violation);
      assert.throws(() => frames.prepend(list, 1), violation);
    }
    assert.deepEqual([pagesOf(frames, a), pagesOf(frames, b)], [[1], []]);
  },
  'throws when a page on no list is taken off': ({ frames, a }) => {
    assert.throws(() => frames.unlink(1), violation);
    frames.append(a, 1);
    frames.unlink(1);
    assert.throws(() => frames.unlink(1), violation);
  },
  'links all pages in ascending order, or none': ({ frames, a, b }) => {
    frames.append(b, 3);
    assert.throws(() => frames.appendAll(a), violation);
    assert.deepEqual([pagesOf(frames, a), pagesOf(frames, b)], [[], [3]]);
    frames.unlink(3);
    frames.appendAll(a);
    assert.deepEqual(pagesOf(frames, a), [0, 1, 2, 3, 4, 5, 6, 7]);
  },
  'moves a list in order before another': ({ frames, a, b }) => {
    for (const page of [5, 3]) frames.append(a, page);
    for (const page of [0, 7]) frames.append(b, page);
    frames.spliceToHead(a, b);
    assert.deepEqual([pagesOf(frames, a), pagesOf(frames, b)], [[], [5, 3, 0, 7]]);
    frames.spliceToHead(a, b);
    frames.spliceToHead(b, a);
    assert.deepEqual([pagesOf(frames, a), pagesOf(frames, b)], [[5, 3, 0, 7], []]);
  },
};
