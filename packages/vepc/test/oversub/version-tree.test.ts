import { versionSlotsCases } from '@epckit/conformance';
import { InvariantViolation, MisuseError, NONE } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VersionShape, VersionTree } from '../../src/index.js';
import { TreeSlots } from '../../src/recipes.js';

const STRIDE = 512;

describe('the slots of a tree of version array pages', () => {
  const make = () => new TreeSlots(new VersionTree(new VersionShape(3 * STRIDE)));
  for (const { name, run } of versionSlotsCases(make)) it(name, run);

  it('end with the last leaf', () => {
    const slots = new TreeSlots(new VersionTree(new VersionShape(3, 2)));
    for (const page of [7, 8]) slots.addPage(page);
    expect(() => slots.addPage(9)).toThrow(InvariantViolation);
  });
});

describe('the shape of a tree', () => {
  const shapes: readonly (readonly [number, number, number, readonly number[]])[] = [
    // pages, slots per page, levels, pages of each level
    [1, 512, 1, [1]],
    [512, 512, 1, [1]],
    [513, 512, 2, [2, 1]],
    [65_536, 512, 2, [128, 1]],
    [512 * 512 + 1, 512, 3, [513, 2, 1]],
    [5, 2, 3, [3, 2, 1]],
    [16, 2, 4, [8, 4, 2, 1]],
    [81, 3, 4, [27, 9, 3, 1]],
    [1, 1, 1, [1]],
  ];
  it.each(shapes)('%i pages with %i slots in each: %i levels of %j', (pages, slots, levels, counts) => {
    const shape = new VersionShape(pages, slots);
    expect(shape.levels).toBe(levels);
    expect(shape.pageCount).toBe(counts.reduce((sum, count) => sum + count));
    expect(shape.leafCount).toBe(counts[0]);
    expect(shape.path(0)).toHaveLength(levels);
    expect(shape.path(0)[0]).toBe(shape.root);
    const all = Array.from({ length: shape.pageCount }, (_, number) => number);
    for (const number of all) {
      const siblings = number === shape.root ? [number] : shape.children(shape.parent(number));
      expect(siblings).toContain(number);
      expect(siblings.length).toBeLessThanOrEqual(slots);
      expect(new Set(siblings.map((sibling) => shape.slotInParent(sibling))).size).toBe(siblings.length);
    }
    expect(counts.map((_, level) => all.filter((number) => shape.level(number) === level).length)).toEqual(
      counts,
    );
  });

  it.each([0, 513, 1.5])('has no %d slots per page', (slots) => {
    expect(() => new VersionShape(16, slots)).toThrow(MisuseError);
  });
  it('has four levels at most', () => {
    expect(() => new VersionShape(17, 2)).toThrow(MisuseError);
    expect(() => new VersionShape(2, 1)).toThrow(MisuseError);
  });
});

/** The tree as somebody would write it down who counts everything anew each time. */
class Naive {
  readonly shape: VersionShape;
  readonly made = new Map<number, 'in' | 'out'>();
  readonly slots = new Set<number>();
  readonly withRoom: number[] = [];
  readonly full: number[] = [];

  constructor(shape: VersionShape) {
    this.shape = shape;
  }

  used(number: number): number {
    if (number < this.shape.leafCount)
      return [...this.slots].filter((slot) => Math.floor(slot / STRIDE) === number).length;
    return this.shape.children(number).filter((child) => this.made.has(child)).length;
  }
  evicted(number: number): number {
    return this.shape.children(number).filter((child) => this.made.get(child) === 'out').length;
  }
  attach(number: number): void {
    this.made.set(number, 'in');
    if (number < this.shape.leafCount) (this.isFull(number) ? this.full : this.withRoom).push(number);
  }
  leave(number: number): void {
    for (const list of [this.withRoom, this.full])
      if (list.includes(number)) list.splice(list.indexOf(number), 1);
  }
  isFull(leaf: number): boolean {
    return this.used(leaf) === this.shape.slotsPerPage;
  }
  take(): number | null {
    const leaf = this.withRoom[0];
    if (leaf === undefined) return null;
    let slot = leaf * STRIDE;
    while (this.slots.has(slot)) slot++;
    this.slots.add(slot);
    if (this.isFull(leaf)) {
      this.leave(leaf);
      this.full.push(leaf);
    }
    return slot;
  }
  release(slot: number, isFirst: boolean): void {
    const leaf = Math.floor(slot / STRIDE);
    const wasFull = this.isFull(leaf);
    this.slots.delete(slot);
    if (this.made.get(leaf) !== 'in' || !(wasFull || isFirst)) return;
    this.leave(leaf);
    if (isFirst) this.withRoom.unshift(leaf);
    else this.withRoom.push(leaf);
  }
}

const act = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ do: 'take' as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('release' as const), at: fc.nat(), isFirst: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('make' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('evict' as const), isAny: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('load' as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('forget' as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('touch' as const), at: fc.nat() }) },
);
const shapes = fc
  .constantFrom([5, 2], [16, 2], [11, 2], [27, 3], [60, 3], [64, 4], [200, 4], [3, 4])
  .map(([pages, slots]) => new VersionShape(pages as number, slots));

describe('a tree of version array pages', () => {
  it('is what a naive model says, whatever is done', () => {
    const seen = { evicted: 0, nodesEvicted: 0, deepest: 0, second: 0 };
    fc.assert(
      fc.property(shapes, fc.array(act, { minLength: 20, maxLength: 120 }), (shape, acts) => {
        const tree = new VersionTree(shape);
        const slots = new TreeSlots(tree);
        const naive = new Naive(shape);
        let nextPage = 100;
        const attach = (leaf: number) => {
          for (const number of shape.path(leaf)) {
            if (naive.made.get(number) === 'in') continue;
            tree.attach(number, nextPage++);
            naive.attach(number);
          }
        };
        attach(0);
        for (const it of acts) {
          const out = [...naive.made]
            .filter(([n, state]) => n < shape.leafCount && state === 'out')
            .map(([n]) => n);
          if (it.do === 'take') {
            if (tree.first === NONE) expect(naive.take()).toBe(null);
            else expect(slots.take()).toBe(naive.take());
          } else if (it.do === 'release' && naive.slots.size > 0) {
            const slot = [...naive.slots][it.at % naive.slots.size] as number;
            const isFirst = it.isFirst && naive.made.get(Math.floor(slot / STRIDE)) === 'in';
            if (isFirst) slots.releaseLoaded(slot);
            else slots.release(slot);
            naive.release(slot, isFirst);
          } else if (it.do === 'make') {
            const next = tree.nextLeaf();
            const expected = Array.from({ length: shape.leafCount }, (_, n) => n).find(
              (n) => !naive.made.has(n),
            );
            expect(next).toBe(expected ?? NONE);
            if (next !== NONE) attach(next);
          } else if (it.do === 'load' && out.length > 0) {
            seen.deepest = Math.max(seen.deepest, shape.levels);
            attach(out[it.at % out.length] as number);
          } else if (it.do === 'forget' && out.length > 0) {
            const leaf = out[it.at % out.length] as number;
            if (naive.used(leaf) > 0) expect(() => tree.forget(leaf)).toThrow(InvariantViolation);
            else {
              tree.forget(leaf);
              naive.made.delete(leaf);
            }
          } else if (it.do === 'touch') tree.touch(it.at % shape.leafCount);
          else if (it.do === 'evict') {
            const fullBefore = [...naive.full];
            let victim = tree.victim(it.isAny);
            // Second chance turns the list round.
            naive.full.splice(0, naive.full.length, ...tree.leaves().filter((leaf) => naive.isFull(leaf)));
            expect([...naive.full].sort()).toEqual(fullBefore.sort());
            if (victim === NONE) continue;
            if (victim < shape.leafCount && !naive.isFull(victim)) {
              expect([it.isAny, naive.full, victim]).toEqual([true, [], naive.withRoom.at(-1)]);
              seen.second++;
            }
            do {
              tree.evict(victim);
              naive.made.set(victim, 'out');
              naive.leave(victim);
              seen.evicted++;
              if (victim >= shape.leafCount) seen.nodesEvicted++;
              victim = shape.parent(victim);
            } while (tree.isIdle(victim));
          }
          judge(tree, naive);
        }
      }),
      { numRuns: 60 },
    );
    expect(seen.deepest).toBe(4);
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0);
  });

  it('refuses what would lose a page', () => {
    const shape = new VersionShape(4, 2);
    const tree = new VersionTree(shape);
    for (const number of shape.path(0)) tree.attach(number, number);
    expect(() => tree.attach(0, 5)).toThrow(InvariantViolation);
    expect(() => tree.evict(shape.root)).toThrow(InvariantViolation);
    expect(() => tree.evict(1)).toThrow(InvariantViolation);
    tree.take(0);
    tree.take(0);
    expect(() => tree.take(0)).toThrow(InvariantViolation);
    tree.release(0);
    expect(() => tree.release(0)).toThrow(InvariantViolation);
    expect(() => tree.forget(0)).toThrow(InvariantViolation);
  });

  it('leaves pinned pages and those with memory errors where they are', () => {
    const shape = new VersionShape(8, 2);
    const tree = new VersionTree(shape);
    for (const leaf of [0, 1])
      for (const number of shape.path(leaf)) if (tree.page(number) === NONE) tree.attach(number, number);
    for (const leaf of [0, 1]) for (let slot = 0; slot < 2; slot++) tree.take(leaf);
    expect(tree.victim(false)).toBe(0);
    tree.setPinned(0, true);
    expect(tree.victim(false)).toBe(1);
    tree.spoil(1);
    expect([tree.victim(true), tree.hasShare()]).toEqual([NONE, true]);
    tree.setPinned(0, false);
    expect(tree.victim(true)).toBe(0);
  });
});

/** Everything that the tree says, against what the model counts. */
function judge(tree: VersionTree, naive: Naive): void {
  const { shape } = naive;
  const all = Array.from({ length: shape.pageCount }, (_, number) => number);
  const told = all.map((it) => [
    tree.isMade(it),
    tree.page(it) !== NONE,
    tree.used(it),
    tree.evictedChildren(it),
  ]);
  const counted = all.map((it) => {
    const state = naive.made.get(it);
    return [state !== undefined, state === 'in', naive.used(it), naive.evicted(it)];
  });
  expect(told).toEqual(counted);
  // A page is in the EPC while one below it is; a node leaves with the last one.
  const isNeeded = (it: number) => shape.children(it).some((child) => naive.made.get(child) === 'in');
  expect(all.filter((it) => isNeeded(it) && naive.made.get(it) !== 'in')).toEqual([]);
  expect(all.filter((it) => tree.isIdle(it))).toEqual([]);
  expect(tree.leaves()).toEqual([...naive.withRoom, ...naive.full]);
  for (const slot of naive.slots) expect(tree.hasSlot(slot)).toBe(true);
  expect(tree.resident).toBe([...naive.made.values()].filter((state) => state === 'in').length);
  expect(tree.evicted).toBe([...naive.made.values()].filter((state) => state === 'out').length);
  const free = naive.withRoom.reduce((sum, leaf) => sum + shape.slotsPerPage - naive.used(leaf), 0);
  expect(tree.isShort()).toBe(free < shape.slotsPerPage);
}
