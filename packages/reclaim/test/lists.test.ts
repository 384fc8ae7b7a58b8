import { Errno, FrameFlag, OwnerKind, Pin, Verdict } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { createOwnerRegistry } from '../src/index.js';
import { Fixture } from './fixture.js';

describe('reclaimable pages', () => {
  it('are in order of marking, and tracked', () => {
    const fixture = new Fixture();
    fixture.mark(4, 2, 9);
    expect(fixture.reclaimable()).toEqual([4, 2, 9]);
    expect([4, 2, 9, 3].map((page) => fixture.isTracked(page))).toEqual([true, true, true, false]);
    expect(fixture.run((thread) => fixture.lists.isEmpty(thread, 0))).toBe(false);
  });

  it('keep their other flags', () => {
    const fixture = new Fixture();
    fixture.frames.setFlags(1, 64);
    fixture.mark(1);
    expect(fixture.frames.flags(1)).toBe(64 | FrameFlag.TRACKED);
    expect(fixture.run((thread) => fixture.lists.unmark(thread, 1))).toBe(0);
    expect(fixture.frames.flags(1)).toBe(64);
  });

  it('can be unmarked; a page that is not tracked is left as it is', () => {
    const fixture = new Fixture();
    fixture.mark(4, 2, 9);
    expect(fixture.run((thread) => fixture.lists.unmark(thread, 2))).toBe(0);
    expect(fixture.run((thread) => fixture.lists.unmark(thread, 3))).toBe(0);
    expect([fixture.reclaimable(), fixture.isTracked(2)]).toEqual([[4, 9], false]);
  });

  it('cannot be unmarked while they are in a batch', () => {
    const fixture = new Fixture();
    fixture.mark(4, 2);
    const victims = new Int32Array(1);
    expect(fixture.run((thread) => fixture.lists.isolate(thread, fixture.request(1), victims))).toBe(1);
    expect(fixture.run((thread) => fixture.lists.unmark(thread, 4))).toBe(-Errno.EBUSY);
    expect([fixture.isTracked(4), fixture.reclaimable()]).toEqual([true, [2]]);
    fixture.run((thread) => fixture.lists.putBack(thread, 4, Verdict.YOUNG));
    expect(fixture.reclaimable()).toEqual([2, 4]);
    expect(fixture.run((thread) => fixture.lists.unmark(thread, 4))).toBe(0);
  });

  it('are isolated oldest first, with a reference each', () => {
    const fixture = new Fixture();
    fixture.mark(4, 2, 9);
    const victims = new Int32Array(8).fill(-1);
    expect(fixture.run((thread) => fixture.lists.isolate(thread, fixture.request(2), victims))).toBe(2);
    expect([[...victims], fixture.log]).toEqual([
      [4, 2, -1, -1, -1, -1, -1, -1],
      ['get 4', 'get 2'],
    ]);
  });

  it('of an owner that is gone are forgotten, and use up an iteration', () => {
    const fixture = new Fixture();
    fixture.mark(4, 2, 9);
    fixture.owner.scripts.set(4, { get: Pin.GONE });
    const victims = new Int32Array(2);
    expect(fixture.run((thread) => fixture.lists.isolate(thread, fixture.request(2), victims))).toBe(1);
    expect([victims[0], fixture.isTracked(4), fixture.frames.listOf(4)]).toEqual([2, false, 0]);
    expect(fixture.log).toEqual(['get 4', 'GONE 4', 'get 2']);
    expect(fixture.reclaimable()).toEqual([9]);
  });

  it('look used up while they are all in batches (L-01)', () => {
    const fixture = new Fixture();
    fixture.mark(4);
    const victims = new Int32Array(2);
    fixture.run((thread) => fixture.lists.isolate(thread, fixture.request(2), victims));
    expect(fixture.run((thread) => fixture.lists.isEmpty(thread, 0))).toBe(true);
    fixture.run((thread) => fixture.lists.putBack(thread, 4, Verdict.BUSY));
    expect(fixture.run((thread) => fixture.lists.isEmpty(thread, 0))).toBe(false);
    fixture.run((thread) => fixture.lists.unmark(thread, 4));
    expect(fixture.run((thread) => fixture.lists.isEmpty(thread, 0))).toBe(true);
  });

  it('end where the walk ends', () => {
    const fixture = new Fixture();
    expect([fixture.lists.oldest(0), fixture.lists.after(-1)]).toEqual([-1, -1]);
  });
});

describe('the owner registry', () => {
  it('knows one owner per kind', () => {
    const registry = createOwnerRegistry();
    const { owner } = new Fixture();
    registry.register(owner);
    expect(registry.of(owner.kind)).toBe(owner);
    expect(() => registry.register(owner)).toThrowError(expect.objectContaining({ code: 'EPCKIT_MISUSE' }));
    expect(() => registry.of(OwnerKind.GUEST)).toThrowError(
      expect.objectContaining({ code: 'EPCKIT_INVARIANT' }),
    );
  });
});
