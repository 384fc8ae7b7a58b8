import type { Routine } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { describe, expect, it } from 'vitest';
import { CgroupErrno, RefusalCause, Resource } from '../src/index.js';
import { PAGE, Stack } from './stack.js';

const { EBUSY, EINVAL } = CgroupErrno;

describe('the test vector: B below A, three charges of a page at B', () => {
  const chargeThree = (limited: 'A' | 'B') => {
    const stack = new Stack();
    const [a, b] = stack.groups('/A', '/A/B') as [number, number];
    stack.write(limited === 'A' ? '/A/misc.max' : '/A/B/misc.max', 'sgx_epc 8192');
    expect([0, 1, 2].map(() => stack.charge(b))).toEqual([0, 0, -EBUSY]);
    expect(stack.violations()).toEqual([]);
    return { stack, a, b, root: stack.counters(0), A: stack.counters(a), B: stack.counters(b) };
  };

  it('A limited to two pages: B keeps a peak that it never held', () => {
    const { stack, a, root, A, B } = chargeThree('A');
    expect(A).toEqual({ usage: 8192, peak: 8192, events: 1, local: 1 });
    expect(B).toEqual({ usage: 8192, peak: 12288, events: 0, local: 0 });
    expect(root).toEqual({ usage: 8192, peak: 8192, events: 0, local: 0 });
    expect(stack.refusal).toEqual({ group: a, cause: RefusalCause.LIMIT });
    expect(stack.notified).toEqual(['/A misc.events.local', '/A misc.events']);
  });

  it('B limited to two pages: A gets the hierarchical event', () => {
    const { stack, b, A, B } = chargeThree('B');
    expect(A).toEqual({ usage: 8192, peak: 8192, events: 1, local: 0 });
    expect(B).toEqual({ usage: 8192, peak: 8192, events: 1, local: 1 });
    expect(stack.refusal).toEqual({ group: b, cause: RefusalCause.LIMIT });
    expect(stack.notified).toEqual(['/A/B misc.events.local', '/A/B misc.events', '/A misc.events']);
  });
});

describe('who refused', () => {
  it('the machine, at the root: only its local count grows, which has no file', () => {
    const stack = new Stack({ capacities: { sgx_epc: 2 * PAGE } });
    const [a, b] = stack.groups('/a', '/b') as [number, number];
    stack.charge(a);
    stack.charge(b);
    expect(stack.charge(b)).toBe(-EBUSY);
    expect(stack.refusal).toEqual({ group: 0, cause: RefusalCause.CAPACITY });
    expect(stack.counters(0)).toEqual({ usage: 2 * PAGE, peak: 2 * PAGE, events: 0, local: 1 });
    expect(stack.counters(b)).toEqual({ usage: PAGE, peak: 2 * PAGE, events: 0, local: 0 });
  });

  it('the machine, at a group that alone would exceed it', () => {
    const stack = new Stack({ capacities: { sgx_epc: 2 * PAGE } });
    const [a] = stack.groups('/a') as [number];
    expect(stack.charge(a, 3)).toBe(-EBUSY);
    expect(stack.refusal).toEqual({ group: a, cause: RefusalCause.CAPACITY });
    expect(stack.counters(a)).toEqual({ usage: 0, peak: 0, events: 1, local: 1 });
  });

  it('nobody, after a charge that succeeded', () => {
    const stack = new Stack();
    const [a] = stack.groups('/a') as [number];
    stack.write('/a/misc.max', 'sgx_epc 4096');
    expect(stack.charge(a, 2)).toBe(-EBUSY);
    expect(stack.charge(a)).toBe(0);
    expect(stack.refusal).toEqual({ group: -1, cause: RefusalCause.NONE });
  });
});

describe('results without an event', () => {
  it.each([
    ['no such resource', Resource.TDX, 1, PAGE, -EINVAL],
    ['no capacity', Resource.SEV, 1, 1, -EINVAL],
    ['no capacity, and nothing charged', Resource.SEV, 1, 0, -EINVAL],
    ['no group', Resource.SGX_EPC, -1, PAGE, -EINVAL],
    ['nothing charged', Resource.SGX_EPC, 1, 0, 0],
  ] as const)('%s', (_, resource, group, amount, result) => {
    const stack = new Stack({ capacities: { sgx_epc: 2 ** 20, sev: 0 } });
    const [a] = stack.groups('/a') as [number];
    expect(a).toBe(1);
    expect(stack.run(stack.controller.tryCharge(stack.thread(), resource, group, amount))).toBe(result);
    expect(stack.counters(a)).toEqual({ usage: 0, peak: 0, events: 0, local: 0 });
    expect(stack.notified).toEqual([]);
  });

  it('an uncharge of nothing, of nobody and of no resource does nothing', () => {
    const { controller, ...stack } = new Stack();
    const thread = stack.threads[0] as (typeof stack.threads)[number];
    for (const [resource, group, amount] of [
      [Resource.SGX_EPC, -1, 1],
      [Resource.TDX, 0, 1],
      [Resource.SGX_EPC, 0, 0],
    ] as const) {
      stack.machine.run(thread, controller.uncharge(thread, resource, group, amount));
    }
    expect(controller.changes).toBe(0);
  });
});

it('a usage below zero is warned of once and stays; charges are refused until it is gone', () => {
  const stack = new Stack();
  const [a] = stack.groups('/a') as [number];
  stack.uncharge(a, 3);
  stack.uncharge(a);
  expect(stack.warnings).toEqual(['misc_cg_cancel_charge']);
  expect(stack.counters(a).usage).toBe(-4 * PAGE);
  expect(stack.charge(a)).toBe(-EBUSY);
  expect(stack.refusal).toEqual({ group: a, cause: RefusalCause.CAPACITY });
  expect(stack.charge(a, 5)).toBe(0);
  expect(stack.counters(a).usage).toBe(PAGE);
});

it('total usage and capacity', () => {
  const stack = new Stack({ capacities: { sgx_epc: 0 } });
  const [a] = stack.groups('/a') as [number];
  const { controller } = stack;
  const thread = stack.thread();
  expect(stack.charge(a)).toBe(-EINVAL);
  expect(stack.run(controller.setCapacity(thread, Resource.SGX_EPC, PAGE))).toBe(0);
  expect(stack.run(controller.setCapacity(thread, Resource.TDX, 1))).toBe(-EINVAL);
  expect(stack.charge(a)).toBe(0);
  expect(stack.run(controller.totalUsage(thread, Resource.SGX_EPC))).toBe(PAGE);
  expect(stack.run(controller.totalUsage(thread, Resource.TDX))).toBe(0);
  expect(controller.changes).toBe(1);
});

describe('misuse', () => {
  it.each([
    [
      'a resource that does not exist',
      () => new Stack({ capacities: { epc: 1 } as object }),
      "no resource 'epc'",
    ],
    ['a capacity that is no amount', () => new Stack({ capacities: { tdx: 1.5 } }), 'The capacity of tdx'],
    ['a charge below zero', () => new Stack().charge(0, -1), 'A charge must be'],
    ['a charge of a part', () => new Stack().charge(0, 1e-9), 'A charge must be'],
    ['an uncharge that is no number', () => new Stack().uncharge(0, Number.NaN), 'An uncharge must be'],
  ])('%s', (_, act, message) => {
    expect(act).toThrow(
      expect.objectContaining({ code: 'EPCKIT_MISUSE', message: expect.stringContaining(message) }),
    );
  });

  it('counters beyond 2^53', () => {
    const stack = new Stack({ capacities: { sgx_epc: Number.MAX_SAFE_INTEGER } });
    const charge = () =>
      stack.run(stack.controller.tryCharge(stack.thread(), Resource.SGX_EPC, 0, Number.MAX_SAFE_INTEGER));
    expect(charge()).toBe(0);
    expect(charge).toThrow(expect.objectContaining({ code: 'EPCKIT_MISUSE' }));
  });

  it('a group that is gone', () => {
    const stack = new Stack();
    const [a] = stack.groups('/a') as [number];
    stack.rmdir('/a');
    expect(() => stack.charge(a)).toThrow(expect.objectContaining({ code: 'EPCKIT_INVARIANT' }));
    expect(() => stack.uncharge(a)).toThrow(expect.objectContaining({ code: 'EPCKIT_INVARIANT' }));
  });
});

it('on four CPUs in virtual time: nothing is lost, refused charges leave nothing, and it is the same twice', () => {
  const once = () => {
    const stack = new Stack({ cpus: 4 });
    const [a] = stack.groups('/a', '/a/b') as [number, number];
    stack.write('/a/misc.max', `sgx_epc ${3 * PAGE}`);
    const results: number[] = [];
    const work = function* (thread: MachineThread): Routine<void> {
      for (let i = 0; i < 20; i++) {
        const result = yield* stack.chargeOn(thread, a, 1);
        results.push(result);
        if (result === 0) {
          thread.spend(Cost.EAUG);
          yield* stack.controller.uncharge(thread, Resource.SGX_EPC, a, PAGE);
        }
      }
    };
    for (const thread of stack.threads) stack.machine.start(thread, work(thread));
    stack.machine.runTimed();
    return { results, counters: stack.counters(a), violations: stack.violations() };
  };
  const first = once();
  expect(once()).toEqual(first);
  const refused = first.results.filter((result) => result !== 0).length;
  expect(refused).toBeGreaterThan(5);
  expect(first.counters).toEqual({ usage: 0, peak: 3 * PAGE, events: refused, local: refused });
  expect(first.violations).toEqual([]);
});
