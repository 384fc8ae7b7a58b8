import type { FallbackOrder } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byDistance, checkDistances } from '../src/index.js';
import { createFixture } from './fixture.js';

/** Nodes in the order in which they are tried from `from`. */
function walk(order: FallbackOrder, from: number): number[] {
  const start = order.start(from);
  const nodes: number[] = [];
  for (let node = start; node >= 0; node = order.next(from, start, node)) nodes.push(node);
  return nodes;
}

/** Two sockets of two nodes each, and a node without EPC or CPUs of the others behind the second one. */
const DISTANCES = [
  [10, 12, 21, 21, 31],
  [12, 10, 21, 21, 31],
  [21, 21, 10, 12, 16],
  [21, 21, 12, 10, 16],
  [31, 31, 16, 16, 10],
];

describe('the order by distance', () => {
  it.each([
    [0, [0, 1, 2, 3]],
    [1, [1, 0, 2, 3]],
    [2, [2, 3, 0, 1]],
    [3, [3, 2, 0, 1]],
  ])('from node %i', (from, expected) => {
    expect(walk(byDistance(DISTANCES)([0, 1, 2, 3]), from)).toEqual(expected);
  });

  it('of a node without EPC begins with its nearest one', () => {
    expect(walk(byDistance(DISTANCES)([0, 1, 3]), 4)).toEqual([3, 0, 1]);
    expect(walk(byDistance(DISTANCES)([0, 1, 3]), 2)).toEqual([3, 0, 1]);
  });

  it('takes nodes of the same distance by ascending id from the caller on', () => {
    const same = [0, 1, 2].map((row) => [0, 1, 2].map((column) => (row === column ? 10 : 20)));
    const order = byDistance(same)([0, 1, 2]);
    expect([0, 1, 2].map((from) => walk(order, from))).toEqual([
      [0, 1, 2],
      [1, 2, 0],
      [2, 0, 1],
    ]);
  });

  it('tries every node with EPC once, nearest first, whatever the distances are', () => {
    const table = fc.integer({ min: 1, max: 6 }).chain((count) => {
      const row = fc.array(fc.integer({ min: 11, max: 254 }), { minLength: count, maxLength: count });
      return fc.tuple(
        fc.array(row, { minLength: count, maxLength: count }),
        fc.subarray([...Array(count).keys()], { minLength: 1 }),
      );
    });
    fc.assert(
      fc.property(table, ([rows, nodes]) => {
        const distances = rows.map((row, i) => row.map((distance, j) => (i === j ? 10 : distance)));
        const order = byDistance(distances)(nodes);
        for (const [from, row] of distances.entries()) {
          const tried = walk(order, from);
          expect([...tried].sort((a, b) => a - b)).toEqual(nodes);
          const far = tried.map((node) => row[node] as number);
          expect(far).toEqual([...far].sort((a, b) => a - b));
        }
      }),
    );
  });

  it('takes a page from the nearest node', () => {
    const sections = [0, 1, 2].map((node) => ({ node, pageCount: 1 }));
    const distances = [
      [10, 31, 21],
      [31, 10, 21],
      [21, 21, 10],
    ];
    const fixture = createFixture({ sections, pools: { createOrder: byDistance(distances) } });
    fixture.run((thread) => fixture.pools.sanitize(thread));
    const nodes = [0, 1, 2].map(() =>
      fixture.frames.node(fixture.run((thread) => fixture.pools.take(thread))),
    );
    expect(nodes).toEqual([0, 2, 1]);
  });
});

describe('a table of distances', () => {
  it.each<[string, number[][], RegExp]>([
    ['without nodes', [], /at least one node/],
    ['that is not square', [[10, 20], [20]], /must be square/],
    ['with too long a row', [[10, 20]], /must be square/],
    ['whose diagonal is not local', [[11]], /from node 0 to node 0/],
    [
      'with another local node',
      [
        [10, 10],
        [20, 10],
      ],
      /from node 0 to node 1/,
    ],
    [
      'with a fraction',
      [
        [10, 20.5],
        [20, 10],
      ],
      /from node 0 to node 1/,
    ],
    [
      'with an unreachable node',
      [
        [10, 20],
        [255, 10],
      ],
      /from node 1 to node 0/,
    ],
    [
      'with no number',
      [
        [10, Number.NaN],
        [20, 10],
      ],
      /from node 0 to node 1/,
    ],
  ])('%s is refused', (_, distances, message) => {
    const refusal = expect.objectContaining({
      code: 'EPCKIT_MISUSE',
      message: expect.stringMatching(message),
    });
    expect(() => checkDistances(distances)).toThrowError(refusal);
    expect(() => byDistance(distances)).toThrowError(refusal);
  });

  it('has to know every node with EPC, and every node that asks', () => {
    const order = byDistance([[10]]);
    const refusal = expect.objectContaining({ code: 'EPCKIT_MISUSE' });
    expect(() => order([0, 1])).toThrowError(refusal);
    expect(() => order([0]).start(1)).toThrowError(refusal);
  });

  it('need not be symmetric', () => {
    expect(() =>
      checkDistances([
        [10, 20],
        [30, 10],
      ]),
    ).not.toThrow();
  });
});

describe('free pages per node', () => {
  const sections = [
    { node: 0, pageCount: 2 },
    { node: 3, pageCount: 1 },
  ];

  it('are counted if wanted', () => {
    const fixture = createFixture({ sections, pools: { countsPerNode: true }, checking: true });
    const { pools } = fixture;
    const counts = () =>
      [undefined, 0, 3].map((node) =>
        fixture.run(function* look(thread) {
          if (thread.clock > thread.limit) {
            yield node === undefined ? pools.freeReading : pools.freeReadingOn(node);
          }
          return pools.freeCount(thread, node);
        }),
      );
    fixture.run((thread) => pools.sanitize(thread));
    expect(counts()).toEqual([3, 2, 1]);
    const page = fixture.run((thread) => pools.take(thread));
    expect(counts()).toEqual([2, 1, 1]);
    fixture.run((thread) => pools.give(thread, page));
    expect(counts()).toEqual([3, 2, 1]);
  });

  it.each([
    [0, false],
    [1, true],
  ])('of node %i are refused (counted: %s)', (node, countsPerNode) => {
    const { pools } = createFixture({ sections, pools: { countsPerNode } });
    expect(() => pools.freeReadingOn(node)).toThrowError(expect.objectContaining({ code: 'EPCKIT_MISUSE' }));
  });
});
