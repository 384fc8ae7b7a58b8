import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createVersionSlots } from '../src/index.js';
import { NaiveSlots } from './naive-slots.js';

function filled(pageCount: number) {
  const slots = createVersionSlots();
  for (let i = 0; i < pageCount; i++) slots.addPage(100 + i);
  return slots;
}

function takeMany(slots: { take(): number }, count: number): number[] {
  return Array.from({ length: count }, () => slots.take());
}

const order = (slots: ReturnType<typeof createVersionSlots>) => [...slots.pages()].map((page) => page.index);

describe('version slots', () => {
  it('takes the lowest free slot of the first page', () => {
    const slots = filled(1);
    expect(takeMany(slots, 40)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    slots.releaseLoaded(33);
    slots.releaseLoaded(7);
    expect(takeMany(slots, 3)).toEqual([7, 33, 40]);
  });

  it('puts a new page first and names pages in order of EPA', () => {
    const slots = filled(2);
    expect(order(slots)).toEqual([1, 0]);
    expect(slots.take()).toBe(512);
    expect(slots.pageOf(512)).toBe(101);
    expect(slots.pageOf(0)).toBe(100);
  });

  it('moves a page to the end in the call that fills it', () => {
    const slots = filled(3);
    takeMany(slots, 511);
    expect(order(slots)).toEqual([2, 1, 0]);
    expect(slots.take()).toBe(2 * 512 + 511);
    expect(order(slots)).toEqual([1, 0, 2]);
    expect(slots.take()).toBe(512);
  });

  it('moves the page of a loaded slot to the front, that of a failed EWB not at all', () => {
    const slots = filled(2);
    takeMany(slots, 513);
    expect(order(slots)).toEqual([0, 1]);
    slots.release(512 + 3);
    expect(order(slots)).toEqual([0, 1]);
    slots.releaseLoaded(512 + 4);
    expect(order(slots)).toEqual([1, 0]);
    expect(takeMany(slots, 2)).toEqual([512 + 3, 512 + 4]);
  });

  it('finds a slot that a failed EWB left behind a full first page', () => {
    const slots = filled(2);
    takeMany(slots, 1024);
    slots.release(5);
    expect(order(slots)[0]).toBe(1);
    expect(slots.take()).toBe(5);
    expect(() => slots.take()).toThrow('No version slot is free.');
  });

  it('never gives a number twice, also when pages come and go', () => {
    const slots = createVersionSlots();
    for (let i = 0; i < 100; i++) {
      expect(slots.addPage(i)).toBe(i);
      expect(slots.take()).toBe(i * 512);
      slots.release(i * 512);
      slots.removePage(i);
    }
    expect(slots.pageCount).toBe(0);
  });

  it('refuses what breaks its contract', () => {
    const slots = filled(1);
    slots.take();
    expect(() => slots.release(1)).toThrow('given back twice');
    expect(() => slots.removePage(0)).toThrow('with versions in it');
    expect(() => slots.pageOf(512)).toThrow('no version array page');
    slots.release(0);
    slots.removePage(0);
    expect(() => slots.pageOf(0)).toThrow('no version array page');
    expect(() => slots.take()).toThrow(expect.objectContaining({ code: 'EPCKIT_INVARIANT' }));
  });

  it('agrees with the naive model under any sequence of calls', () => {
    const call = fc.tuple(fc.constantFrom('take', 'burst', 'release', 'loaded', 'add', 'remove'), fc.nat());
    fc.assert(
      fc.property(fc.array(call, { maxLength: 60 }), (calls) => {
        const slots = createVersionSlots();
        const naive = new NaiveSlots();
        const taken: number[] = [];
        for (const [what, random] of calls) step(what, random, slots, naive, taken);
        expect([...slots.pages()]).toEqual(naive.report());
      }),
    );
  });
});

function step(
  what: string,
  random: number,
  slots: ReturnType<typeof createVersionSlots>,
  naive: NaiveSlots,
  taken: number[],
): void {
  if (what === 'add') {
    expect(slots.addPage(random)).toBe(naive.addPage(random));
  } else if (what === 'remove') {
    const empty = naive.report().filter((page) => page.used === 0);
    if (empty.length < 2) return;
    const { index } = empty[random % empty.length] as { index: number };
    slots.removePage(index);
    naive.removePage(index);
  } else if (what === 'take' || what === 'burst') {
    for (let i = what === 'burst' ? random % 700 : 0; i >= 0 && !naive.isFull; i--) {
      const slot = slots.take();
      expect(slot).toBe(naive.take());
      taken.push(slot);
    }
  } else if (taken.length > 0) {
    const [slot] = taken.splice(random % taken.length, 1) as [number];
    if (what === 'release') {
      slots.release(slot);
      naive.release(slot);
    } else {
      slots.releaseLoaded(slot);
      naive.releaseLoaded(slot);
    }
  }
}
