import assert from 'node:assert/strict';
import type { VersionSlots } from '@epckit/interface';
import type { ConformanceCase } from './case.js';
import { casesOf, violation } from './case.js';

/** Slots of a version array page (SDM vol. 3D: 4096 bytes of 8). */
const SLOTS = 512;

const order = (slots: VersionSlots): number[] => [...slots.pages()].map(({ index }) => index);
const takeMany = (slots: VersionSlots, count: number): number[] =>
  Array.from({ length: count }, () => slots.take());

/** Kit for `VersionSlots`. @param make - version slots without a page */
export function versionSlotsCases(make: () => VersionSlots): ConformanceCase[] {
  const withPages = (count: number) => (): VersionSlots => {
    const slots = make();
    for (let i = 0; i < count; i++) slots.addPage(100 + i);
    return slots;
  };
  return [
    ...casesOf('VersionSlots', make, {
      'throws when there is no free slot': (slots) => {
        assert.throws(() => slots.take(), violation);
        slots.addPage(100);
        takeMany(slots, SLOTS);
        assert.throws(() => slots.take(), violation);
      },
      'numbers pages in order of EPA and puts each new one first': (slots) => {
        assert.deepEqual([slots.addPage(40), slots.addPage(7), slots.addPage(23)], [0, 1, 2]);
        assert.deepEqual(order(slots), [2, 1, 0]);
        assert.equal(slots.pageCount, 3);
        assert.equal(slots.take(), 2 * SLOTS);
      },
    }),
    ...casesOf('VersionSlots', withPages(1), {
      'takes the lowest free slot': (slots) => {
        assert.deepEqual(takeMany(slots, 4), [0, 1, 2, 3]);
        slots.release(2);
        slots.release(1);
        assert.deepEqual(takeMany(slots, 3), [1, 2, 4]);
      },
      'says how many slots of a page are in use': (slots) => {
        takeMany(slots, 5);
        slots.release(3);
        slots.releaseLoaded(0);
        assert.deepEqual([...slots.pages()], [{ index: 0, page: 100, used: 3 }]);
      },
    }),
    ...casesOf('VersionSlots', withPages(2), {
      'never gives out a slot twice': (slots) => {
        const taken = takeMany(slots, 2 * SLOTS);
        assert.equal(new Set(taken).size, 2 * SLOTS);
        assert.ok(taken.every((slot) => slot >= 0 && slot < 2 * SLOTS));
      },
      'knows the EPC page of a slot': (slots) => {
        for (const slot of takeMany(slots, 2 * SLOTS)) {
          assert.equal(slots.pageOf(slot), slot < SLOTS ? 100 : 101);
        }
      },
      'keeps its order when an EWB failed': (slots) => {
        const taken = takeMany(slots, SLOTS + 1);
        const before = order(slots);
        for (const slot of [taken[0], taken[SLOTS]]) slots.release(slot as number);
        assert.deepEqual(order(slots), before);
      },
      'puts the page of a loaded slot first': (slots) => {
        slots.releaseLoaded(takeMany(slots, SLOTS + 1)[SLOTS] as number);
        assert.deepEqual(order(slots), [0, 1]);
        slots.releaseLoaded(SLOTS + 9);
        assert.deepEqual(order(slots), [1, 0]);
        assert.equal(slots.take(), SLOTS + 9);
      },
      'forgets a page that was removed and keeps the numbers of the others': (slots) => {
        slots.removePage(1);
        assert.deepEqual([...slots.pages()], [{ index: 0, page: 100, used: 0 }]);
        assert.equal(slots.pageCount, 1);
        assert.equal(slots.pageOf(slots.take()), 100);
      },
      'keeps a page that is not empty': (slots) => {
        const slot = slots.take();
        assert.throws(() => slots.removePage(1), violation);
        assert.equal(slots.pageOf(slot), 101);
      },
    }),
  ];
}
