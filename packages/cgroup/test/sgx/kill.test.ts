import { Errno, NONE } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { EpcCgroupOptions, VictimPolicyName } from '../../src/index.js';
import { cgroup2020, epckitCgroups, victimPolicies } from '../../src/index.js';
import { EpcStack, PAGE, range } from './epc-stack.js';
import type { Toy } from './toy-owner.js';
import { SECS, VA } from './toy-owner.js';

const { EBUSY, ENOMEM } = Errno;
const killing = (victim: VictimPolicyName): EpcCgroupOptions => ({ ...epckitCgroups, kill: 'mark', victim });

/** Asks the worker for room in `/a`. */
function work(stack: EpcStack, path = '/a', requester = path): void {
  const target = stack.engine.groups.of(stack.group(path));
  stack.run(stack.engine.workers.queue(stack.thread(), target, stack.group(requester)));
  stack.machine.runKernelThreads();
}

/** A toy with a SECS, some version arrays, and regular pages. */
function enclave(stack: EpcStack, path: string, va: number, regular = 0): Toy {
  stack.enter(path);
  const toy = stack.toys.create();
  expect(stack.load(toy, [SECS, ...range(va).map((index) => VA - index), ...range(regular)])).toBe(0);
  return toy;
}

/** Three enclaves that fill `/a` and cannot be reclaimed, and who of them dies. */
function victimOf(victim: VictimPolicyName, requester = '/a/x'): number[] {
  const stack = new EpcStack({ design: killing(victim) });
  stack.startKernelThreads();
  stack.group('/a', 20);
  stack.group('/a/x');
  stack.group('/a/y');
  const toys = [enclave(stack, '/a/x', 3), enclave(stack, '/a/y', 9), enclave(stack, '/a/y', 5)];
  work(stack, '/a', requester);
  return toys.filter(({ isDying }) => isDying).map(({ id }) => id);
}

describe('who dies', () => {
  it('the oldest: of the first group that has a victim', () => expect(victimOf('oldest')).toEqual([0]));
  it('the largest', () => expect(victimOf('largest')).toEqual([1]));
  it('the least active: nothing but version arrays, and of those the most', () => {
    expect(victimOf('leastActive')).toEqual([1]);
  });
  it('the own: of the group that asked', () => {
    expect(victimOf('own', '/a/y')).toEqual([1]);
    expect(victimOf('own', '/a/x')).toEqual([0]);
  });
});

describe('outcomes of a kill', () => {
  it('one that refuses is passed over, and its pages stay on their list', () => {
    const stack = new EpcStack({ design: killing('oldest') });
    stack.startKernelThreads();
    const a = stack.group('/a', 8);
    const young = enclave(stack, '/a', 3);
    young.isCreated = false;
    const other = enclave(stack, '/a', 3);
    work(stack);
    expect([young.isDying, other.isDying]).toEqual([false, true]);
    expect(stack.killed).toEqual([`8.1 for ${a}`]);
    expect(stack.violations()).toEqual([]);
  });

  it('one that dies already is waited for, and nobody else is killed (R-03)', () => {
    const stack = new EpcStack({ design: killing('oldest') });
    stack.startKernelThreads();
    stack.group('/a', 8);
    const dying = enclave(stack, '/a', 3);
    dying.isDying = true;
    const other = enclave(stack, '/a', 3);
    work(stack);
    expect(other.isDying).toBe(false);
    expect(stack.killed).toEqual([]);
  });

  it('a fault comes again until the victim is gone, then it succeeds', () => {
    const stack = new EpcStack({ design: killing('largest') });
    stack.startKernelThreads();
    stack.group('/a', 8);
    const victim = enclave(stack, '/a', 6);
    const other = enclave(stack, '/a', 0);
    expect(stack.load(other, [0], { mayReclaim: false })).toBe(-EBUSY);
    stack.machine.runKernelThreads();
    expect(victim.isDying).toBe(true);
    expect(stack.load(other, [0], { mayReclaim: false })).toBe(-EBUSY);
    stack.run(stack.toys.close(stack.thread(), victim));
    expect(stack.load(other, [0], { mayReclaim: false })).toBe(0);
    expect(stack.violations()).toEqual([]);
  });

  it('with nobody to kill the fault fails', () => {
    const stack = new EpcStack({ design: killing('largest') });
    stack.startKernelThreads();
    stack.group('/a', 4);
    const toy = enclave(stack, '/a', 3);
    toy.isCreated = false;
    expect(stack.load(toy, [0], { mayReclaim: false })).toBe(-EBUSY);
    stack.machine.runKernelThreads();
    expect(stack.load(toy, [0], { mayReclaim: false })).toBe(-ENOMEM);
  });

  it("who was pinned dies, even if the page has become somebody else's since", () => {
    let handOver: (page: number) => void = () => {};
    const victim: EpcCgroupOptions['victim'] = (parts) => {
      const policy = victimPolicies.oldest(parts);
      return {
        *choose(thread, group) {
          const page = yield* policy.choose(thread, group);
          if (page !== NONE) handOver(page);
          return page;
        },
      };
    };
    const stack = new EpcStack({ design: { ...epckitCgroups, kill: 'mark', victim } });
    stack.startKernelThreads();
    stack.group('/a', 4);
    const pinned = enclave(stack, '/a', 3);
    const other = stack.toys.create();
    const refs = [pinned.refs.value, other.refs.value];
    handOver = (page) => {
      stack.run(stack.toys.unload(stack.thread(), pinned, stack.frames.record(page)));
      stack.enter('/');
      for (let va = VA; stack.frames.owner(page) !== other.id; va--) stack.load(other, [va]);
      handOver = () => {};
    };
    work(stack);
    expect([pinned.isDying, other.isDying]).toEqual([true, false]);
    expect([pinned.refs.value, other.refs.value]).toEqual(refs);
    expect(stack.violations()).toEqual([]);
  });

  it('without a killer nobody dies', () => {
    const stack = new EpcStack();
    stack.startKernelThreads();
    stack.group('/a', 4);
    const toy = enclave(stack, '/a', 3);
    expect(stack.load(toy, [0], { mayReclaim: false })).toBe(-ENOMEM);
    work(stack);
    expect(toy.isDying).toBe(false);
  });

  it('guests are victims too', () => {
    const stack = new EpcStack({ design: killing('oldest') });
    stack.startKernelThreads();
    stack.group('/a', 4);
    const guest = stack.tenant('/a', 4, stack.guests);
    work(stack);
    expect(guest.isDying).toBe(true);
    expect(stack.engine.usageOf(stack.group('/a'))).toEqual({ regular: 0, secs: 0, va: 0, vepc: 4 });
  });
});

describe('2020, writing a limit', () => {
  it('blocks until usage is below it', () => {
    const stack = new EpcStack({ design: cgroup2020 });
    const a = stack.group('/a', 40);
    stack.tenant('/a', 40);
    expect(stack.limit('/a', 20 * PAGE)).toBe('sgx_epc 81920'.length);
    expect(stack.usage(a)).toBeLessThanOrEqual(20);
  });

  it('ends at a signal, and succeeds', () => {
    const stack = new EpcStack({ design: cgroup2020 });
    const a = stack.group('/a', 40);
    stack.tenant('/a', 40);
    stack.thread().signalPending = true;
    expect(stack.limit('/a', 20 * PAGE)).toBeGreaterThan(0);
    expect(stack.usage(a)).toBe(40);
  });

  it('kills when nothing is reclaimable', () => {
    const stack = new EpcStack({ design: cgroup2020 });
    stack.group('/a', 8);
    const toy = enclave(stack, '/a', 6);
    const { kill } = stack.toys;
    stack.toys.kill = function* (thread, owner) {
      const result = yield* kill.call(stack.toys, thread, owner);
      yield* stack.toys.close(thread, toy);
      return result;
    };
    stack.limit('/a', 4 * PAGE);
    expect(toy.isDying).toBe(true);
    expect(stack.usage(stack.group('/a'))).toBe(0);
    expect(stack.violations()).toEqual([]);
  });
});

it('lowering a limit emits no event and changes no page in the default and in v17', () => {
  const stack = new EpcStack();
  stack.startKernelThreads();
  const a = stack.group('/a', 40);
  stack.tenant('/a', 30);
  const before = stack.read('/a/misc.events');
  stack.limit('/a', 10 * PAGE);
  stack.machine.runKernelThreads();
  expect([stack.usage(a), stack.read('/a/misc.events')]).toEqual([30, before]);
});
