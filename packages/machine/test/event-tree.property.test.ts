import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventTree } from '../src/event-tree.js';

/** The earliest event and the limit of its CPU, by sorting. */
function naive(times: readonly number[]): [number, number] {
  const order = times
    .map((time, cpu) => ({ time, cpu }))
    .filter(({ time }) => time !== Number.POSITIVE_INFINITY)
    .sort((a, b) => a.time - b.time || a.cpu - b.cpu);
  const [first, second] = order;
  if (first === undefined) return [-1, 0];
  if (second === undefined) return [first.cpu, Number.POSITIVE_INFINITY];
  return [first.cpu, second.cpu > first.cpu ? second.time : second.time - 1];
}

describe('the tree of events', () => {
  it('finds the earliest CPU, the lower one at equal times, and how far it may run', () => {
    const time = fc.oneof(fc.nat(20), fc.constant(Number.POSITIVE_INFINITY));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 70 }),
        fc.array(fc.tuple(fc.nat(69), time)),
        (cpuCount, changes) => {
          const tree = new EventTree(cpuCount);
          const times: number[] = new Array(cpuCount).fill(Number.POSITIVE_INFINITY);
          for (const [at, value] of changes) {
            tree.set(at % cpuCount, value);
            times[at % cpuCount] = value;
            const [best, limit] = naive(times);
            expect(tree.choose()).toBe(best);
            if (best >= 0) expect(tree.limit).toBe(limit);
          }
        },
      ),
    );
  });
});
