import assert from 'node:assert/strict';
import type {
  FrameTable,
  GroupId,
  OwnerRegistry,
  PageIndex,
  ReclaimLists,
  ReclaimRequest,
  Thread,
} from '@epckit/interface';
import { Errno, FrameFlag, OwnerKind, Verdict } from '@epckit/interface';
import type { ConformanceCase } from './case.js';
import { casesOf, complete } from './case.js';
import { PinnedOwner } from './pinned-owner.js';

/** Groups of a subject, all of them living: `child` is below `parent`, `other` beside it; none is the root. */
export interface ReclaimGroups {
  /** Group with {@link child} below it. */
  readonly parent: GroupId;
  /** Group below {@link parent}. */
  readonly child: GroupId;
  /** Group beside {@link parent}. */
  readonly other: GroupId;
}

/** What the kit of reclaimable lists works on. */
export interface ReclaimListsSubject {
  /** Lists under test, empty. */
  readonly lists: ReclaimLists;
  /** Frame table with at least 16 pages. */
  readonly frames: FrameTable;
  /** A thread that holds no locks. */
  readonly thread: Thread;
  /** Groups that are told apart; null: one list for everything. */
  readonly groups: ReclaimGroups | null;
}

interface Ready extends ReclaimListsSubject {
  readonly owner: PinnedOwner;
}

function requestFor(target: GroupId, maxPages: number): ReclaimRequest {
  return { target, maxPages, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
}

/** Gives the pages to an owner, charges them to a group and marks them. */
function mark({ frames, lists, thread, owner }: Ready, group: GroupId, ...pages: PageIndex[]): void {
  for (const page of pages) {
    frames.setOwner(page, owner.kind, 1, page);
    frames.setGroup(page, group);
    complete(lists.mark(thread, page));
  }
}

/** Isolates into an array of 16. @returns the victims, ascending */
function isolate({ lists, thread }: Ready, request: ReclaimRequest, room = 16): PageIndex[] {
  const victims = new Int32Array(room);
  const count = complete(lists.isolate(thread, request, victims));
  return [...victims.subarray(0, count)].sort((a, b) => a - b);
}

function walk({ lists }: Ready, group: GroupId): PageIndex[] {
  const pages: PageIndex[] = [];
  for (let page = lists.oldest(group); page !== -1; page = lists.after(page)) {
    pages.push(page);
    assert.ok(pages.length <= 16, 'the walk does not end');
  }
  return pages.sort((a, b) => a - b);
}

const isEmpty = ({ lists, thread }: Ready, target: GroupId): boolean =>
  complete(lists.isEmpty(thread, target));
const isTracked = ({ frames }: Ready, page: PageIndex): boolean =>
  (frames.flags(page) & FrameFlag.TRACKED) !== 0;
const groupOf = ({ groups }: Ready): GroupId => groups?.child ?? 0;

/**
 * Kit for `ReclaimLists`. No case asks which page goes first: that is the eviction policy's matter. With groups it also
 * asks that a target means its subtree.
 *
 * @param make - empty lists that find owners in `owners`
 */
export function reclaimListsCases(make: (owners: OwnerRegistry) => ReclaimListsSubject): ConformanceCase[] {
  const setUp = (): Ready => {
    const owner = new PinnedOwner(OwnerKind.FIRST_CUSTOM);
    return { ...make(owner.registry), owner };
  };
  const plain = casesOf('ReclaimLists', setUp, {
    'have no page at first': (subject) => {
      assert.equal(isEmpty(subject, 0), true);
      assert.equal(subject.lists.oldest(groupOf(subject)), -1);
      assert.deepEqual(isolate(subject, requestFor(0, 4)), []);
    },
    'track what is marked, and show it to walks': (subject) => {
      mark(subject, groupOf(subject), 3, 5);
      assert.deepEqual([isTracked(subject, 3), isTracked(subject, 4)], [true, false]);
      assert.equal(isEmpty(subject, 0), false);
      assert.deepEqual(walk(subject, groupOf(subject)), [3, 5]);
    },
    'pin the owner of each page that they isolate': (subject) => {
      mark(subject, groupOf(subject), 3, 5);
      assert.deepEqual(isolate(subject, requestFor(0, 4)), [3, 5]);
      assert.deepEqual(subject.owner.pinned, [3, 5]);
      assert.deepEqual([isTracked(subject, 3), isEmpty(subject, 0)], [true, true]);
    },
    'isolate no more pages than were asked for': (subject) => {
      mark(subject, groupOf(subject), 1, 2, 3, 4, 5);
      assert.equal(isolate(subject, requestFor(0, 2)).length, 2);
      assert.equal(walk(subject, groupOf(subject)).length, 3);
    },
    'isolate no more pages than there is room for': (subject) => {
      mark(subject, groupOf(subject), 1, 2, 3, 4, 5);
      assert.equal(isolate(subject, requestFor(0, 4), 1).length, 1);
      assert.equal(walk(subject, groupOf(subject)).length, 4);
    },
    'leave out pages of gone owners, and count them as looked at': (subject) => {
      mark(subject, groupOf(subject), 1, 2);
      subject.owner.gone.add(1);
      const request = { ...requestFor(0, 4), lookedAt: 10 };
      assert.deepEqual(isolate(subject, request), [2]);
      assert.equal(request.lookedAt, 12);
      assert.deepEqual([isTracked(subject, 1), subject.frames.listOf(1)], [false, 0]);
    },
    'take a page off that is unmarked': (subject) => {
      mark(subject, groupOf(subject), 1, 2);
      assert.equal(complete(subject.lists.unmark(subject.thread, 1)), 0);
      assert.equal(isTracked(subject, 1), false);
      assert.deepEqual(walk(subject, groupOf(subject)), [2]);
    },
    'have nothing against unmarking a page that is not tracked': (subject) => {
      mark(subject, groupOf(subject), 1);
      assert.equal(complete(subject.lists.unmark(subject.thread, 2)), 0);
      assert.deepEqual(walk(subject, groupOf(subject)), [1]);
    },
    'refuse to unmark a page that is in a batch': (subject) => {
      mark(subject, groupOf(subject), 1);
      isolate(subject, requestFor(0, 1));
      assert.equal(complete(subject.lists.unmark(subject.thread, 1)), -Errno.EBUSY);
      assert.equal(isTracked(subject, 1), true);
    },
    'have a page again that is put back': (subject) => {
      mark(subject, groupOf(subject), 1);
      isolate(subject, requestFor(0, 1));
      complete(subject.lists.putBack(subject.thread, 1, Verdict.YOUNG));
      assert.deepEqual([isEmpty(subject, 0), walk(subject, groupOf(subject))], [false, [1]]);
      assert.deepEqual(isolate(subject, requestFor(0, 1)), [1]);
    },
  });
  return make(new PinnedOwner(OwnerKind.FIRST_CUSTOM).registry).groups === null
    ? plain
    : [...plain, ...groupCases(setUp)];
}

function groupCases(setUp: () => Ready): ConformanceCase[] {
  const inGroups = () => {
    const subject = setUp();
    return { subject, groups: subject.groups as ReclaimGroups };
  };
  return casesOf('ReclaimLists', inGroups, {
    'know which subtrees are empty': ({ subject, groups }) => {
      mark(subject, groups.child, 1);
      const { parent, child, other } = groups;
      assert.deepEqual(
        [0, parent, child, other].map((group) => isEmpty(subject, group)),
        [false, false, false, true],
      );
    },
    'isolate from the subtree of the target only': ({ subject, groups }) => {
      mark(subject, groups.parent, 1);
      mark(subject, groups.child, 2);
      mark(subject, groups.other, 3);
      const request = requestFor(groups.child, 4);
      assert.deepEqual([isolate(subject, request), request.lookedAt], [[2], 1]);
      const rest: PageIndex[] = [];
      for (let round = 0; round < 4; round++) rest.push(...isolate(subject, requestFor(groups.parent, 4)));
      assert.deepEqual(rest, [1]);
      assert.equal(isEmpty(subject, groups.other), false);
    },
    'come to every group when everything is the target': ({ subject, groups }) => {
      mark(subject, groups.parent, 1);
      mark(subject, groups.child, 2);
      mark(subject, groups.other, 3);
      const all: PageIndex[] = [];
      for (let round = 0; round < 8; round++) all.push(...isolate(subject, requestFor(0, 4)));
      assert.deepEqual(
        all.sort((a, b) => a - b),
        [1, 2, 3],
      );
    },
    'put a page back to its group': ({ subject, groups }) => {
      mark(subject, groups.other, 3);
      isolate(subject, requestFor(groups.other, 1));
      complete(subject.lists.putBack(subject.thread, 3, Verdict.BUSY));
      assert.deepEqual([isEmpty(subject, groups.parent), isEmpty(subject, groups.other)], [true, false]);
    },
  });
}
