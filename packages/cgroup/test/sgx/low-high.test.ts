import { Errno } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { cgroup2020 } from '../../src/index.js';
import { EpcStack, PAGE, range } from './epc-stack.js';

interface Bounds {
  readonly low?: number;
  readonly high?: number;
  readonly max?: number;
  readonly pages?: number;
}

/** Groups by path with bounds in pages and a tenant that has some, all old. */
function stackOf(groups: Readonly<Record<string, Bounds>>): EpcStack {
  const stack = new EpcStack({ design: cgroup2020 });
  stack.startKernelThreads();
  for (const path of Object.keys(groups)) stack.group(path);
  for (const [path, { pages }] of Object.entries(groups)) {
    if (pages !== undefined) stack.tenant(path, pages);
  }
  for (const [path, bounds] of Object.entries(groups)) {
    for (const name of ['low', 'high', 'max'] as const) {
      if (bounds[name] !== undefined) stack.write(`${path}/sgx_epc.${name}`, `${bounds[name] * PAGE}`);
    }
  }
  return stack;
}

/** Pages that each group has lost when `count` pages of the subtree of `target` are asked for. */
function lost(stack: EpcStack, target: string | null, count: number): Record<string, number> {
  const before = usages(stack);
  const request = {
    target: target === null ? 0 : stack.group(target),
    maxPages: count,
    isAgeIgnored: true,
    lookedAt: 0,
    evicted: 0,
  };
  stack.run(stack.reclaimer.batch(stack.thread(), request));
  expect(stack.violations()).toEqual([]);
  const after = usages(stack);
  const found: Record<string, number> = {};
  for (const [name, pages] of Object.entries(before)) {
    if (pages !== after[name]) found[name] = pages - (after[name] ?? 0);
  }
  return found;
}

/** Pages that are charged to each group itself. */
function usages(stack: EpcStack): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { id, group } of stack.engine.groups.all()) {
    found[group.name] = Object.values(stack.engine.usageOf(id)).reduce((sum, pages) => sum + pages, 0);
  }
  return found;
}

function event(stack: EpcStack, path: string, name: string): number {
  const line = `${stack.read(`${path}/sgx_epc.events`)}`.split('\n').find((entry) => entry.startsWith(name));
  return Number(line?.split(' ')[1]);
}

describe('who is protected by low', () => {
  const of = (a: Bounds, b: Bounds, target: string | null): Record<string, number> =>
    lost(stackOf({ '/p': {}, '/p/a': { pages: 8, ...a }, '/p/b': { pages: 8, ...b } }), target, 16);

  it.each([
    ['nobody: both pay', {}, {}, { '/p/a': 8, '/p/b': 8 }],
    ['below low', { low: 9 }, {}, { '/p/b': 8 }],
    ['at low: not protected', { low: 8 }, {}, { '/p/a': 8, '/p/b': 8 }],
    ['below low, at high: not protected', { low: 20, high: 8 }, {}, { '/p/a': 8, '/p/b': 8 }],
    ['below low, at max: not protected', { low: 20, max: 8 }, {}, { '/p/a': 8, '/p/b': 8 }],
    ['both: nobody is', { low: 9 }, { low: 9 }, { '/p/a': 8, '/p/b': 8 }],
    ['the other one is empty: nobody is', { low: 9 }, { pages: 0 }, { '/p/a': 8 }],
  ] as const)('%s', (_, a, b, expected) => expect(of(a, b, '/p')).toEqual(expected));

  it('a group whose parent is not protected is not either', () => {
    expect(of({ low: 9 }, {}, null)).toEqual({ '/p/a': 8, '/p/b': 8 });
  });

  it('the top of the subtree does not count: its children are told apart', () => {
    const stack = stackOf({ '/p': { max: 16 }, '/p/a': { pages: 8, low: 9 }, '/p/b': { pages: 8 } });
    expect(lost(stack, '/p', 16)).toEqual({ '/p/b': 8 });
  });

  it('the group itself is reclaimed from at its own limit', () => {
    const stack = stackOf({ '/a': { pages: 8, low: 9 } });
    expect(lost(stack, '/a', 16)).toEqual({ '/a': 8 });
  });

  it('a low event tells of a protected group that was reclaimed from anyway, and of no other', () => {
    const both = stackOf({ '/p': {}, '/p/a': { pages: 8, low: 9 }, '/p/b': { pages: 8, low: 9 } });
    lost(both, '/p', 16);
    expect([event(both, '/p/a', 'low'), event(both, '/p/b', 'low')]).toEqual([1, 1]);
    const one = stackOf({ '/p': {}, '/p/a': { pages: 8, low: 9 }, '/p/b': { pages: 8 } });
    lost(one, '/p', 16);
    expect([event(one, '/p/a', 'low'), event(one, '/p/b', 'low')]).toEqual([0, 0]);
  });

  it('a group that is stepped over is not reclaimed from, and keeps no reference', () => {
    const stack = stackOf({ '/p': {}, '/p/a': { pages: 8, low: 9 }, '/p/b': { pages: 8 } });
    const { refs } = stack.engine.groups.of(stack.group('/p/a')).group;
    const before = refs.value;
    lost(stack, '/p', 16);
    expect(refs.value).toBe(before);
    expect(stack.read('/p/a/sgx_epc.stats')).toMatch('reclamations 0\n');
  });
});

describe('who is reclaimed from first when the machine needs pages', () => {
  it('groups at or above high, before the others', () => {
    const stack = stackOf({ '/a': { pages: 8 }, '/b': { pages: 8, high: 8 }, '/c': { pages: 8 } });
    expect(lost(stack, null, 8)).toEqual({ '/b': 8 });
  });

  it('the others for what is missing then', () => {
    const stack = stackOf({ '/a': { pages: 8 }, '/b': { pages: 4, high: 4 }, '/c': { pages: 8 } });
    expect(lost(stack, null, 12)).toMatchObject({ '/b': 4, '/a': 8 });
  });

  it('nobody in particular below a limit', () => {
    const stack = stackOf({ '/p': {}, '/p/a': { pages: 8 }, '/p/b': { pages: 8, high: 8 } });
    expect(lost(stack, '/p', 8)).toEqual({ '/p/a': 8 });
  });
});

describe('what high does', () => {
  it('writing it blocks until usage is below', () => {
    const stack = stackOf({ '/a': { pages: 40 } });
    expect(stack.write('/a/sgx_epc.high', `${20 * PAGE}`)).toBe(5);
    expect(stack.usage(stack.group('/a'))).toBeLessThanOrEqual(20);
    expect(event(stack, '/a', 'high')).toBeGreaterThan(0);
    expect(event(stack, '/a', 'max')).toBe(0);
  });

  it('writing it takes young pages after some fruitless rounds', () => {
    const stack = stackOf({ '/a': { pages: 20 } });
    stack.toys.young = function* () {
      return true;
    };
    stack.write('/a/sgx_epc.high', `${10 * PAGE}`);
    expect(stack.usage(stack.group('/a'))).toBeLessThanOrEqual(10);
  });

  it('writing it ends at a signal', () => {
    const stack = stackOf({ '/a': { pages: 40 } });
    stack.thread().signalPending = true;
    expect(stack.write('/a/sgx_epc.high', '0')).toBe(1);
    expect(stack.usage(stack.group('/a'))).toBe(40);
  });

  it('writing it ends when nothing is on any list, and kills nobody', () => {
    const stack = stackOf({ '/a': {} });
    stack.enter('/a');
    const guest = stack.guests.create();
    expect(stack.load(guest, range(6), { owner: stack.guests })).toBe(0);
    expect(stack.write('/a/sgx_epc.high', '0')).toBe(1);
    expect([stack.usage(stack.group('/a')), guest.isDying, event(stack, '/a', 'high')]).toEqual([
      6,
      false,
      1,
    ]);
  });

  it('a charge above it succeeds, and who may reclaim brings usage down again', () => {
    const stack = stackOf({ '/a': { high: 20 } });
    stack.enter('/a');
    const toy = stack.toys.create();
    for (const record of range(20)) {
      expect(stack.load(toy, [record])).toBe(0);
      toy.young.clear();
    }
    expect([stack.usage(stack.group('/a')), event(stack, '/a', 'high')]).toEqual([20, 0]);
    expect(stack.load(toy, [20])).toBe(0);
    // One page too many; the least that is asked for is 16.
    expect([stack.usage(stack.group('/a')), event(stack, '/a', 'high')]).toEqual([5, 1]);
    expect(stack.violations()).toEqual([]);
  });

  it('a charge whose pages are all in use succeeds all the same, after one request', () => {
    const stack = stackOf({ '/a': { high: 4 } });
    stack.toys.young = function* () {
      return true;
    };
    stack.enter('/a');
    expect(stack.load(stack.toys.create(), range(10))).toBe(0);
    expect([stack.usage(stack.group('/a')), event(stack, '/a', 'high')]).toEqual([10, 6]);
  });

  it('who may not reclaim leaves it to the worker', () => {
    const stack = stackOf({ '/a': { pages: 20, high: 20 } });
    stack.enter('/a');
    const toy = stack.toys.create();
    expect(stack.load(toy, [50], { mayReclaim: false })).toBe(0);
    expect(stack.usage(stack.group('/a'))).toBe(21);
    stack.machine.runKernelThreads();
    expect(stack.usage(stack.group('/a'))).toBeLessThanOrEqual(20);
    expect(event(stack, '/a', 'high')).toBe(1);
  });

  it('of the nearest group that has reached it and of all above', () => {
    const stack = stackOf({ '/p': { high: 32 }, '/p/a': { pages: 20, high: 20 }, '/p/b': { pages: 12 } });
    stack.enter('/p/a');
    expect(stack.load(stack.toys.create(), [50])).toBe(0);
    expect([event(stack, '/p/a', 'high'), event(stack, '/p', 'high')]).toEqual([1, 0]);
    const stacked = stackOf({ '/p': { high: 16 }, '/p/a': { pages: 8, high: 40 }, '/p/b': { pages: 8 } });
    stacked.enter('/p/a');
    expect(stacked.load(stacked.toys.create(), [50])).toBe(0);
    expect([event(stacked, '/p/a', 'high'), event(stacked, '/p', 'high')]).toEqual([0, 1]);
  });

  it('is no limit: nobody is refused', () => {
    const stack = stackOf({ '/a': { high: 0 } });
    stack.enter('/a');
    expect(stack.load(stack.toys.create(), range(10), { mayReclaim: false })).toBe(0);
  });
});

it('a worker at the limit counts max events', () => {
  const stack = stackOf({ '/a': { pages: 8, max: 8 } });
  stack.enter('/a');
  expect(stack.load(stack.toys.create(), [50], { mayReclaim: false })).toBe(-Errno.EBUSY);
  stack.machine.runKernelThreads();
  expect(event(stack, '/a', 'max')).toBe(1);
});
