import { Errno, FrameFlag, OwnerKind } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { checkPools, createAscendingOrder } from '../src/index.js';
import { createFixture } from './fixture.js';

const twoNodes = {
  sections: [
    { node: 1, pageCount: 2 },
    { node: 0, pageCount: 2 },
  ],
};

describe('node pools', () => {
  it('have nothing to give before sanitizing', () => {
    const fixture = createFixture(twoNodes);
    expect(fixture.pools.nodes).toEqual([0, 1]);
    expect(fixture.pagesOn(fixture.pools.dirty)).toEqual([0, 1, 2, 3]);
    expect(fixture.run((thread) => fixture.pools.take(thread))).toBe(-Errno.ENOMEM);
  });

  it('report allocations and frees with the state as it is then', () => {
    const fixture = createFixture(twoNodes);
    fixture.run((thread) => fixture.pools.sanitize(thread));
    fixture.log.length = 0;
    const page = fixture.run((thread) => fixture.pools.take(thread));
    expect([page, fixture.frames.flags(page), fixture.pools.free]).toEqual([2, 0, 3]);
    fixture.frames.setOwner(page, OwnerKind.NATIVE, 4, 4);
    fixture.run((thread) => fixture.pools.give(thread, page));
    expect([fixture.frames.flags(page), fixture.frames.kind(page)]).toEqual([
      FrameFlag.IS_FREE,
      OwnerKind.NONE,
    ]);
    expect(fixture.log).toEqual(['allocated 2 of 0', 'freed 2 of 0']);
    const thread = fixture.threads[0];
    expect(thread && fixture.pools.freeCount(thread)).toBe(4);
  });

  it('are empty on a machine without EPC', () => {
    const fixture = createFixture({ sections: [] });
    expect(fixture.run((thread) => fixture.pools.take(thread))).toBe(-Errno.ENOMEM);
    expect(fixture.run((thread) => fixture.pools.sanitize(thread))).toBe(0);
    expect(fixture.pools.freeOnNode(0)).toBe(0);
  });

  it('take the fallback order that they are given', () => {
    const createOrder = () => ({ start: () => 1, next: (_start: number, node: number) => node - 1 });
    const fixture = createFixture({ ...twoNodes, pools: { createOrder } });
    fixture.run((thread) => fixture.pools.sanitize(thread));
    const taken = [0, 1, 2].map(() => fixture.run((thread) => fixture.pools.take(thread)));
    expect(taken).toEqual([0, 1, 2]);
  });
});

describe('checkPools', () => {
  it('finds pages that do not belong on a free list', () => {
    const { frames, pools, run } = bound(createFixture(twoNodes));
    run((thread) => pools.sanitize(thread));
    expect(checkPools(pools, frames)).toEqual([]);
    frames.setFlags(0, 0);
    frames.unlink(1);
    expect(checkPools(pools, frames)).toEqual([
      'Page 0 should not be on the list "free of node 1".',
      'The count of free pages is 4, the lists hold 3.',
    ]);
    frames.append(pools.lists.poison(1), 1);
    expect(checkPools(pools, frames)).toContain('Page 1 should not be on the list "poison of node 1".');
  });
});

describe('ascending order', () => {
  it('starts at the node or behind it and wraps around', () => {
    const order = createAscendingOrder([1, 4, 6]);
    expect([0, 1, 2, 5, 6, 7].map((node) => order.start(node))).toEqual([1, 1, 4, 6, 6, 1]);
    expect([order.next(4, 4, 4), order.next(4, 4, 6), order.next(4, 4, 1)]).toEqual([6, 1, -1]);
    expect(createAscendingOrder([2]).next(2, 2, 2)).toBe(-1);
    expect(createAscendingOrder([]).start(0)).toBe(-1);
  });
});

function bound(fixture: ReturnType<typeof createFixture>) {
  return { ...fixture, run: fixture.run.bind(fixture) };
}
