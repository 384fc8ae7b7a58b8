import { checkFrames } from '@epckit/frames';
import type { ReclaimLists } from '@epckit/interface';
import { Errno, FrameFlag, OwnerKind } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { checkPools, createMemoryFailure } from '../src/index.js';
import { explore, seeded } from './explore.js';
import { createFixture } from './fixture.js';

function create() {
  const fixture = createFixture({ sections: [{ node: 0, pageCount: 4 }] });
  fixture.run((thread) => fixture.pools.sanitize(thread));
  const unmarked: number[] = [];
  const reclaim: Pick<ReclaimLists, 'unmark'> = {
    *unmark(_thread, page) {
      unmarked.push(page);
      return -Errno.EBUSY;
    },
  };
  const { frames, pools } = fixture;
  const reclaimLists = () => reclaim as ReclaimLists;
  const failure = createMemoryFailure({ frames, pools, reclaimLists });
  const report = (page: number) => fixture.run((thread) => failure.report(thread, page));
  return { fixture, frames, pools, unmarked, report };
}

describe('memory failure', () => {
  it('takes a free page away at once; the count stays', () => {
    const { fixture, pools, report, unmarked } = create();
    expect([report(1), report(2), report(1)]).toEqual([0, 0, 0]);
    expect(fixture.pagesOn(pools.lists.poison(0))).toEqual([2, 1]);
    expect(fixture.pagesOn(pools.lists.free(0))).toEqual([0, 3]);
    expect([pools.free, unmarked.length]).toEqual([4, 0]);
  });

  it('makes a page in use unreclaimable and keeps it when it is freed', () => {
    const { fixture, frames, pools, report, unmarked } = create();
    const page = fixture.run((thread) => pools.take(thread));
    frames.setOwner(page, OwnerKind.NATIVE, 0, 0);
    frames.setFlags(page, FrameFlag.TRACKED);
    expect(report(page)).toBe(0);
    expect([unmarked, frames.isPoisoned(page), frames.listOf(page)]).toEqual([[page], true, 0]);
    frames.setFlags(page, 0);
    fixture.run((thread) => pools.give(thread, page));
    expect(fixture.pagesOn(pools.lists.poison(0))).toEqual([page]);
  });

  it('knows no page outside the EPC', () => {
    const { report } = create();
    expect([report(4), report(-1)]).toEqual([-Errno.ENXIO, -Errno.ENXIO]);
  });

  it('before Linux 6.16 leaves a page in use where it is (B-48)', () => {
    const { fixture, frames, pools } = create();
    const page = fixture.run((thread) => pools.take(thread));
    const failure = createMemoryFailure({ frames, pools, reclaimLists: () => null });
    expect(fixture.run((thread) => failure.report(thread, page))).toBe(0);
    expect(frames.isPoisoned(page)).toBe(true);
  });

  it('can come at any moment of sanitizing, taking and giving', () => {
    const free = new Set<number>();
    for (let seed = 0; seed < 300; seed++) {
      const sections = [{ node: 0, pageCount: 2 }];
      const fixture = createFixture({ sections, cpus: [0, 0, 0], checking: true });
      const { frames, pools } = fixture;
      const failure = createMemoryFailure({ frames, pools, reclaimLists: () => null });
      const result = explore(fixture, seeded(seed), [
        (thread) => pools.sanitize(thread),
        (thread) => failure.report(thread, 0),
        function* takeAndGive(thread) {
          const page = yield* pools.take(thread);
          if (page >= 0) yield* pools.give(thread, page);
        },
      ]);
      expect(result).toMatchObject({ status: 'done' });
      expect(fixture.pagesOn(pools.lists.poison(0))).toEqual([0]);
      expect([...checkPools(pools, frames), ...checkFrames(frames)]).toEqual([]);
      free.add(pools.free);
    }
    // Counted or not: poisoned before it was sanitized, or after (L-05).
    expect([...free].sort()).toEqual([1, 2]);
  });
});
