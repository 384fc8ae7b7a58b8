import { checkFrames } from '@epckit/frames';
import { SgxCode } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkPools } from '../src/index.js';
import { createFixture } from './fixture.js';

/** EREMOVE of an EPC that an earlier kernel left: a SECS cannot go while a child is there. */
function createLeftovers(childrenOf: Record<number, number[]>) {
  const present = new Set(Object.values(childrenOf).flat());
  return (page: number) => {
    if (childrenOf[page]?.some((child) => present.has(child)) === true) return SgxCode.CHILD_PRESENT;
    present.delete(page);
    return 0;
  };
}

describe('sanitize', () => {
  it('cleans in ascending order; a SECS before its children comes last', () => {
    const eremove = createLeftovers({ 3: [4, 5], 0: [1], 39: [38], 25: [] });
    const fixture = createFixture({ sections: [{ node: 0, pageCount: 40 }], eremove });
    expect(fixture.run((thread) => fixture.pools.sanitize(thread))).toBe(0);
    const ascending = Array.from({ length: 40 }, (_, page) => page).filter(
      (page) => page !== 0 && page !== 3,
    );
    expect(fixture.pagesOn(fixture.pools.lists.free(0))).toEqual([...ascending, 0, 3]);
    expect(fixture.log.filter((line) => line.endsWith(' 13'))).toEqual(['EREMOVE 0 13', 'EREMOVE 3 13']);
    expect(fixture.pools.free).toBe(40);
  });

  it('warns about pages that stay dirty after the second pass', () => {
    const eremove = (page: number) => (page === 1 ? SgxCode.CHILD_PRESENT : 0);
    const fixture = createFixture({ sections: [{ node: 0, pageCount: 3 }], eremove });
    expect(fixture.run((thread) => fixture.pools.sanitize(thread))).toBe(1);
    expect(fixture.pagesOn(fixture.pools.dirty)).toEqual([1]);
    expect(fixture.log.at(-1)).toBe('warned ksgxd');
  });

  it('moves poisoned pages to the head of the poison list without EREMOVE and without counting', () => {
    const fixture = createFixture({ sections: [{ node: 0, pageCount: 4 }] });
    for (const page of [1, 2]) fixture.frames.setPoisoned(page);
    fixture.run((thread) => fixture.pools.sanitize(thread));
    expect(fixture.pagesOn(fixture.pools.lists.poison(0))).toEqual([2, 1]);
    expect([fixture.frames.flags(1), fixture.pools.free]).toEqual([0, 2]);
    expect(fixture.log).toEqual(['EREMOVE 0 0', 'freed 0 of 0', 'EREMOVE 3 0', 'freed 3 of 0']);
  });

  it('leaves the rest alone when it is to stop', () => {
    const eremove = (page: number) => (page === 0 ? SgxCode.CHILD_PRESENT : 0);
    const fixture = createFixture({ sections: [{ node: 0, pageCount: 4 }], eremove });
    const stopRequested = () => fixture.log.includes('EREMOVE 1 0');
    expect(fixture.run((thread) => fixture.pools.sanitize(thread, { stopRequested }))).toBe(0);
    expect(fixture.pagesOn(fixture.pools.dirty)).toEqual([0, 2, 3]);
    expect(fixture.log).not.toContain('warned ksgxd');
  });

  it('puts each page where two scripted results of EREMOVE say', () => {
    const page = fc.record({
      isPoisoned: fc.boolean(),
      refusals: fc.integer({ min: 0, max: 2 }),
      node: fc.integer({ min: 0, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(page, { maxLength: 12 }), (pages) => {
        const calls = pages.map(() => 0);
        const eremove = (at: number) => {
          (calls[at] as number)++;
          return (calls[at] as number) <= (pages[at]?.refusals ?? 0) ? SgxCode.CHILD_PRESENT : 0;
        };
        const sections = pages.map(({ node }) => ({ node, pageCount: 1 }));
        const { frames, pools, pagesOn, ...fixture } = createFixture({ sections, eremove });
        pages.forEach(({ isPoisoned }, at) => {
          if (isPoisoned) frames.setPoisoned(at);
        });
        const thread = fixture.threads[0] as (typeof fixture.threads)[0] & object;
        const left = fixture.machine.run(thread, pools.sanitize(thread));
        const where = (isThere: (it: (typeof pages)[0]) => boolean) =>
          pages.flatMap((it, at) => (isThere(it) ? [at] : []));
        for (const node of pools.nodes) {
          const clean = (refusals: number) =>
            where((it) => it.node === node && !it.isPoisoned && it.refusals === refusals);
          expect(pagesOn(pools.lists.free(node))).toEqual([...clean(0), ...clean(1)]);
          const poisoned = where((it) => it.node === node && it.isPoisoned);
          expect(pagesOn(pools.lists.poison(node))).toEqual(poisoned.toReversed());
        }
        const dirty = where((it) => !it.isPoisoned && it.refusals === 2);
        expect(pagesOn(pools.dirty)).toEqual(dirty);
        expect(left).toBe(dirty.length);
        expect([...checkPools(pools, frames), ...checkFrames(frames)]).toEqual([]);
      }),
    );
  });
});
