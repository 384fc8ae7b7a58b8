import type { Routine } from '@epckit/interface';
import { Errno } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import { checkPools } from '../src/index.js';
import { explore, firstRunnable, seeded } from './explore.js';
import type { Fixture } from './fixture.js';
import { createFixture } from './fixture.js';
import { OldNodeWalk } from './museum/old-node-walk.js';

/** EPC on node 1 only, a CPU on nodes 0 and 1, all pages clean. */
function createOneNode(isOld: boolean, pageCount: number): Fixture {
  const pools = isOld
    ? { createWalk: (parts: ConstructorParameters<typeof OldNodeWalk>[0]) => new OldNodeWalk(parts) }
    : {};
  const fixture = createFixture({ sections: [{ node: 1, pageCount }], cpus: [0, 1], pools, checking: true });
  fixture.run((thread) => fixture.pools.sanitize(thread));
  return fixture;
}

describe('node walk', () => {
  it('tries each node once and says ENOMEM, as often as it is asked', () => {
    const fixture = createOneNode(false, 1);
    const results: number[] = [];
    const result = explore(fixture, firstRunnable, [
      function* takeThrice(thread) {
        for (let turn = 0; turn < 3; turn++) results.push(yield* fixture.pools.take(thread));
      },
    ]);
    expect(result).toMatchObject({ status: 'done' });
    expect(results).toEqual([0, -Errno.ENOMEM, -Errno.ENOMEM]);
  });

  it('keeps the count right under every schedule tried', () => {
    for (let seed = 0; seed < 200; seed++) {
      const fixture = createOneNode(false, 2);
      function* takeAndGive(thread: MachineThread): Routine<void> {
        const page = yield* fixture.pools.take(thread);
        if (page >= 0) yield* fixture.pools.give(thread, page);
      }
      expect(explore(fixture, seeded(seed), [takeAndGive, takeAndGive])).toMatchObject({ status: 'done' });
      expect([fixture.pools.free, ...checkPools(fixture.pools, fixture.frames)]).toEqual([2]);
    }
  });
});

describe('node walk of Linux 5.13 to 6.11 (B-30)', () => {
  it('never ends on a CPU whose node has no EPC when all pools are empty', () => {
    const fixture = createOneNode(true, 1);
    const take = (thread: MachineThread) => fixture.pools.take(thread);
    expect(fixture.run(take, 0)).toBe(0);
    const result = explore(fixture, firstRunnable, [take]);
    expect(result.status).toBe('stuck');
    expect(result.steps).toBeLessThan(10);
  });

  it('ends on a CPU whose node has EPC', () => {
    const fixture = createOneNode(true, 1);
    const take = (thread: MachineThread) => fixture.pools.take(thread);
    expect([fixture.run(take, 1), fixture.run(take, 1)]).toEqual([0, -Errno.ENOMEM]);
  });

  it('is no finding while somebody can still free a page', () => {
    const fixture = createOneNode(true, 1);
    const page = fixture.run((thread) => fixture.pools.take(thread), 1);
    const result = explore(fixture, firstRunnable, [
      (thread) => fixture.pools.take(thread),
      (thread) => fixture.pools.give(thread, page),
    ]);
    expect(result).toMatchObject({ status: 'done' });
    expect(fixture.pools.free).toBe(0);
  });
});
