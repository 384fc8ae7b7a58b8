import { checkFrames } from '@epckit/frames';
import { Errno } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkPools } from '../src/index.js';
import { createFixture } from './fixture.js';

const NODE_PAGES: Record<number, number> = { 0: 3, 2: 5, 3: 2 };
const NODES = [0, 2, 3];

type Command =
  | { readonly do: 'take'; readonly cpu: number }
  | { readonly do: 'give'; readonly which: number }
  | { readonly do: 'poison'; readonly which: number };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('take' as const), cpu: fc.integer({ min: 0, max: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('give' as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('poison' as const), which: fc.nat(20) }) },
);

/** Free lists as queues. CPU n is on node n; node 1 has no EPC. */
class QueueModel {
  readonly free = new Map<number, number[]>();
  readonly poison = new Map<number, number[]>(NODES.map((node) => [node, []]));
  readonly taken: number[] = [];
  readonly poisoned = new Set<number>();
  count = 10;

  constructor() {
    let page = 0;
    for (const node of NODES) {
      this.free.set(
        node,
        Array.from({ length: NODE_PAGES[node] as number }, () => page++),
      );
    }
  }

  take(cpu: number): number {
    const order = [...NODES.filter((node) => node >= cpu), ...NODES.filter((node) => node < cpu)];
    for (const node of order) {
      const page = this.free.get(node)?.shift();
      if (page === undefined) continue;
      this.taken.push(page);
      this.count--;
      return page;
    }
    return -Errno.ENOMEM;
  }

  give(page: number, node: number): void {
    this.taken.splice(this.taken.indexOf(page), 1);
    this.count++;
    if (this.poisoned.has(page)) this.poison.get(node)?.unshift(page);
    else this.free.get(node)?.push(page);
  }
}

describe('node pools', () => {
  it('behave like queues, one per node', () => {
    const sections = NODES.map((node) => ({ node, pageCount: NODE_PAGES[node] as number }));
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), (steps) => {
        const { frames, pools, run, pagesOn } = createFixtureWith(sections);
        const model = new QueueModel();
        for (const step of steps) {
          const page = step.do === 'take' ? -1 : (model.taken[step.which % model.taken.length] ?? -1);
          if (step.do === 'take') {
            expect(run((thread) => pools.take(thread), step.cpu)).toBe(model.take(step.cpu));
          } else if (page >= 0 && step.do === 'poison') {
            frames.setPoisoned(page);
            model.poisoned.add(page);
          } else if (page >= 0) {
            model.give(page, frames.node(page));
            run((thread) => pools.give(thread, page));
          }
          expect(NODES.map((node) => pagesOn(pools.lists.free(node)))).toEqual([...model.free.values()]);
          expect(NODES.map((node) => pagesOn(pools.lists.poison(node)))).toEqual([...model.poison.values()]);
          expect(NODES.map((node) => pools.freeOnNode(node))).toEqual(
            [...model.free.values()].map((it) => it.length),
          );
          expect(pools.free).toBe(model.count);
          expect([...checkPools(pools, frames), ...checkFrames(frames)]).toEqual([]);
        }
      }),
    );
  });
});

function createFixtureWith(sections: { node: number; pageCount: number }[]) {
  const fixture = createFixture({ sections, cpus: [0, 1, 2, 3] });
  fixture.run((thread) => fixture.pools.sanitize(thread));
  return { ...fixture, run: fixture.run.bind(fixture) };
}
