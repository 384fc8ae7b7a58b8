import { describe, expect, it } from 'vitest';
import type { EpcWalkObserver } from '../../src/index.js';
import { EpcStack } from './epc-stack.js';

/** Steps of the thread's clock that a routine costs. */
function cost(stack: EpcStack, action: () => void): number {
  const before = stack.thread().clock;
  action();
  return stack.thread().clock - before;
}

/** A stack with `groups` groups below `/a`, of which the first has pages. */
function stackOf(groups: number, depth = 1, observer?: EpcWalkObserver): EpcStack {
  const stack = new EpcStack({ epcPages: 64, ...(observer === undefined ? {} : { observer }) });
  stack.group('/a', 40);
  const path = Array.from({ length: depth }, (_, level) => `d${level}`).join('/');
  stack.group(`/a/${path}`);
  for (let i = 1; i < groups; i++) stack.group(`/a/g${i}`);
  stack.tenant(`/a/${path}`, 20);
  return stack;
}

function costOfCharge(groups: number, depth: number): number {
  const stack = stackOf(groups, depth);
  const { charge } = stack.engine;
  const thread = stack.thread();
  return cost(stack, () => {
    stack.run(charge.cancel(thread, stack.run(charge.charge(thread, true))));
  });
}

describe('cost', () => {
  it('of a charge grows with depth, and only with depth', () => {
    const [one, hundred, thousand] = [1, 100, 1000].map((groups) => costOfCharge(groups, 1));
    expect([hundred, thousand]).toEqual([one, one]);
    const [d1, d2, d3, d4] = [1, 2, 3, 4].map((depth) => costOfCharge(1, depth)) as [
      number,
      number,
      number,
      number,
    ];
    expect(d2).toBeGreaterThan(d1);
    expect([d3 - d2, d4 - d3]).toEqual([d2 - d1, d2 - d1]);
  });

  it.each([1, 10, 100, 1000])(
    'of a pass beside %i groups: one look at each at most, and a visit of those with pages',
    (groups) => {
      const visited: number[] = [];
      const stack = stackOf(groups, 1, { visited: (_, group) => visited.push(group.id) });
      const request = { target: 0, maxPages: 16, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
      visited.length = 0;
      const spent = cost(stack, () => stack.run(stack.reclaimer.batch(stack.thread(), request)));
      expect([visited.length, request.evicted]).toEqual([1, 16]);
      const alone = stackOf(1);
      const least = cost(alone, () =>
        alone.run(alone.reclaimer.batch(alone.thread(), { ...request, lookedAt: 0, evicted: 0 })),
      );
      expect(spent - least).toBeLessThanOrEqual(8 * groups);
    },
  );
});
