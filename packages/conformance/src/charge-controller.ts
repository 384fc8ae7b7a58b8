import assert from 'node:assert/strict';
import type { ChargeController, FrameTable, GroupId, PageIndex, Thread } from '@epckit/interface';
import { Errno, NONE, OwnerKind } from '@epckit/interface';
import type { ConformanceCase } from './case.js';
import { casesOf, complete } from './case.js';

/** What the kit of charge controllers works on: nothing is charged, and nothing can be reclaimed. */
export interface ChargeControllerSubject {
  /** Controller under test. */
  readonly controller: ChargeController;
  /** Frame table with at least 8 pages that are charged to nobody. */
  readonly frames: FrameTable;
  /** A thread in a group of its own that holds no locks. */
  readonly thread: Thread;
  /** Pages that the group of {@link thread} is charged for. */
  used(): number;
}

/** Pages that the thread's group may have. */
const LIMIT = 3;

function charge({ controller, thread }: ChargeControllerSubject, mayReclaim = true): number {
  return complete(controller.charge(thread, mayReclaim));
}

/** Charges and assigns a page, as an allocation does. */
function allocate(subject: ChargeControllerSubject, page: PageIndex): GroupId {
  const { controller, frames, thread } = subject;
  const group = charge(subject);
  assert.ok(group >= 0, `the charge was refused: ${group}`);
  frames.setOwner(page, OwnerKind.FIRST_CUSTOM, 1, page);
  complete(controller.assign(thread, page, group, OwnerKind.FIRST_CUSTOM, page));
  return group;
}

/**
 * Kit for `ChargeController`.
 *
 * @param make - a controller in which the thread's group may have `limit` pages
 */
export function chargeControllerCases(make: (limit: number) => ChargeControllerSubject): ConformanceCase[] {
  return casesOf('ChargeController', () => make(LIMIT), {
    'charges one page at a time, and takes a charge back': (subject) => {
      const group = charge(subject);
      assert.deepEqual([group >= 0, subject.used()], [true, 1]);
      complete(subject.controller.cancel(subject.thread, group));
      assert.equal(subject.used(), 0);
    },
    'names the group of a page that is assigned': (subject) => {
      const group = allocate(subject, 2);
      assert.deepEqual([subject.frames.group(2), subject.frames.group(1)], [group, NONE]);
      assert.equal(subject.used(), 1);
    },
    'uncharges a page, which belongs to nobody then': (subject) => {
      allocate(subject, 2);
      allocate(subject, 3);
      complete(subject.controller.uncharge(subject.thread, 2));
      assert.deepEqual([subject.used(), subject.frames.group(2)], [1, NONE]);
      assert.notEqual(subject.frames.group(3), NONE);
    },
    'leaves a page alone that nobody is charged for': (subject) => {
      allocate(subject, 2);
      complete(subject.controller.uncharge(subject.thread, 5));
      assert.deepEqual([subject.used(), subject.frames.group(5)], [1, NONE]);
    },
    'refuses what is beyond the limit, and charges nothing for it': (subject) => {
      for (let page = 0; page < LIMIT; page++) allocate(subject, page);
      for (const mayReclaim of [true, false]) {
        const refused = charge(subject, mayReclaim);
        assert.ok([-Errno.ENOMEM, -Errno.EBUSY].includes(refused), `the result was ${refused}`);
      }
      assert.equal(subject.used(), LIMIT);
    },
    'says who has refused': (subject) => {
      assert.equal(subject.controller.refusedBy(subject.thread), NONE);
      for (let page = 0; page < LIMIT; page++) allocate(subject, page);
      charge(subject);
      assert.ok(subject.controller.refusedBy(subject.thread) >= 0, 'nobody has refused');
    },
    'charges again what was given back': (subject) => {
      for (let page = 0; page < LIMIT; page++) allocate(subject, page);
      complete(subject.controller.uncharge(subject.thread, 0));
      allocate(subject, 4);
      assert.equal(subject.used(), LIMIT);
    },
    'ends a call for direct reclaim that can do nothing': (subject) => {
      allocate(subject, 1);
      complete(subject.controller.reclaimDirect(subject.thread));
      assert.equal(subject.used(), 1);
    },
  });
}
