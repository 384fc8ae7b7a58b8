import { Errno, NONE } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { EpcCgroupOptions } from '../../src/index.js';
import { cgroup2020, cgroupV5, cgroupV17, EpcRefusal, epckitCgroups } from '../../src/index.js';
import { EpcStack, PAGE, range } from './epc-stack.js';
import type { Toy } from './toy-owner.js';
import { VA } from './toy-owner.js';

const { EBUSY, ENOMEM, ERESTARTSYS } = Errno;
const withKill: EpcCgroupOptions = { ...epckitCgroups, kill: 'mark', victim: 'oldest' };

/** A toy in `path` that has nothing but version arrays. */
function full(stack: EpcStack, path: string, pages: number): Toy {
  stack.enter(path);
  const toy = stack.toys.create();
  expect(
    stack.load(
      toy,
      range(pages).map((index) => VA - index),
    ),
  ).toBe(0);
  return toy;
}

describe('R-04, a victim whose pages are not free yet', () => {
  /** How often the worker asks for a victim until it gets tired, or the victim is gone after 500 times. */
  function kills(design: EpcCgroupOptions): number {
    const stack = new EpcStack({ design });
    stack.startKernelThreads();
    const a = stack.group('/a', 4);
    const toy = full(stack, '/a', 4);
    toy.isDying = true;
    let count = 0;
    const { kill } = stack.toys;
    stack.toys.kill = function* (thread, owner) {
      const result = yield* kill.call(stack.toys, thread, owner);
      if (++count === 500) yield* stack.toys.close(thread, toy);
      return result;
    };
    stack.run(stack.engine.workers.queue(stack.thread(), stack.engine.groups.of(a), a));
    stack.machine.runKernelThreads();
    return count;
  }

  it('v5 asks again and again without a pause', () => {
    // Each search unlinks what it visits, so the list is what ends it in v5; a policy that keeps it shows the loop.
    expect(kills({ ...cgroupV5, victim: 'oldest' })).toBe(500);
  });

  it('the default asks once, and who needs the pages comes again', () => {
    expect(kills(withKill)).toBe(1);
  });
});

describe('R-05, victims that cannot be had', () => {
  function listed(design: EpcCgroupOptions): number {
    const stack = new EpcStack({ design });
    stack.startKernelThreads();
    const a = stack.group('/a', 4);
    full(stack, '/a', 4).isCreated = false;
    stack.run(stack.engine.workers.queue(stack.thread(), stack.engine.groups.of(a), a));
    stack.machine.runKernelThreads();
    return stack.frames.length(stack.engine.groups.of(a).unreclaimable);
  }

  it('v5 forgets their pages for ever', () => expect(listed(cgroupV5)).toBe(0));
  it('the default keeps them', () => expect(listed(withKill)).toBe(4));
});

describe('R-06, an ancestor is full because of a sibling', () => {
  const outcome = (design: EpcCgroupOptions): number => {
    const stack = new EpcStack({ design });
    stack.group('/a', 20);
    stack.group('/a/b');
    stack.group('/a/c');
    stack.tenant('/a/b', 20);
    stack.enter('/a/c');
    const result = stack.load(stack.toys.create(), [0]);
    expect(stack.violations()).toEqual([]);
    return result;
  };

  it.each([cgroupV5, cgroupV17])('$name: ENOMEM', (design) => expect(outcome(design)).toBe(-ENOMEM));
  it.each([cgroup2020, epckitCgroups])('$name: the sibling pays', (design) => {
    expect(outcome(design)).toBe(0);
  });
});

describe('R-07, faults below an ancestor that is full because of a sibling', () => {
  const outcome = (design: EpcCgroupOptions): number => {
    const stack = new EpcStack({ design });
    stack.startKernelThreads();
    stack.group('/a', 40);
    stack.group('/a/b');
    stack.group('/a/c');
    stack.machine.runKernelThreads();
    stack.tenant('/a/b', 36);
    const toy = stack.tenant('/a/c', 4);
    let result = -EBUSY;
    for (let turn = 0; turn < 50 && result === -EBUSY; turn++) {
      result = stack.load(toy, [50], { mayReclaim: false });
      stack.machine.runKernelThreads();
    }
    return result;
  };

  it.each([cgroupV5, cgroupV17])('$name: EBUSY for ever', (design) => expect(outcome(design)).toBe(-EBUSY));
  it.each([cgroup2020, epckitCgroups])('$name: the fault succeeds', (design) => {
    expect(outcome(design)).toBe(0);
  });
});

describe('R-08, the machine is full because of other groups', () => {
  const outcome = (design: EpcCgroupOptions, reclaimsOwnSubtree: boolean): number => {
    const stack = new EpcStack({ design, reclaimsOwnSubtree });
    stack.group('/a');
    stack.group('/b');
    stack.tenant('/a', 64);
    // Charged or not, no page is free: the machine is charged in full before that.
    stack.run(stack.controller.setCapacity(stack.thread(), 3, 2 ** 30));
    stack.enter('/b');
    return stack.load(stack.toys.create(), [0]);
  };

  it('cgroup-v5 with its allocator: ENOMEM', () => expect(outcome(cgroupV5, true)).toBe(-ENOMEM));
  it('the default reclaims from everybody', () => expect(outcome(epckitCgroups, false)).toBe(0));
});

describe('R-11, the margin of 32 pages', () => {
  const outcome = (design: EpcCgroupOptions): number[] => {
    const stack = new EpcStack({ design, epcPages: 300 });
    stack.startKernelThreads();
    const a = stack.group('/a', 256);
    stack.tenant('/a', 250);
    stack.machine.runKernelThreads();
    return [stack.engine.workers.runs, stack.usage(a)];
  };

  it('cgroup-v17: nobody keeps it', () => expect(outcome(cgroupV17)).toEqual([0, 250]));
  it('the default: the worker does, after each charge that uses it up', () => {
    const [runs, usage] = outcome(epckitCgroups);
    expect(runs).toBeGreaterThan(0);
    expect(usage).toBeLessThanOrEqual(224);
  });
});

describe('R-13, the last reclaimable pages are in a batch', () => {
  const outcome = (design: EpcCgroupOptions): number => {
    const stack = new EpcStack({ design });
    const a = stack.group('/a', 8);
    const toy = stack.tenant('/a', 8);
    stack.enter('/a', 1);
    let result = 0;
    stack.toys.atBlock = function* () {
      stack.toys.atBlock = null;
      result = stack.load(toy, [50], { mayReclaim: false, cpu: 1 });
    };
    const all = { target: a, maxPages: 16, isAgeIgnored: true, lookedAt: 0, evicted: 0 };
    stack.run(stack.reclaimer.batch(stack.thread(), all));
    expect(all.evicted).toBe(8);
    return result;
  };

  it.each([cgroupV5, cgroupV17])('$name: ENOMEM', (design) => expect(outcome(design)).toBe(-ENOMEM));
  it.each([cgroup2020, epckitCgroups])('$name: come again', (design) => {
    expect(outcome(design)).toBe(-EBUSY);
  });
});

describe('R-22, a busy group that comes first in the walk', () => {
  /** Pages that the busy and the idle group have lost when the limit above them is lowered. */
  const outcome = (design: EpcCgroupOptions): { busy: number; idle: number } => {
    const stack = new EpcStack({ design });
    stack.startKernelThreads();
    const a = stack.group('/a', 42);
    const busy = stack.group('/a/busy');
    const idle = stack.group('/a/idle');
    stack.machine.runKernelThreads();
    const toy = stack.tenant('/a/busy', 20);
    stack.tenant('/a/idle', 20);
    const { young } = stack.toys;
    stack.toys.young = function* (thread, page) {
      const isYoung = yield* young.call(stack.toys, thread, page);
      return isYoung || stack.frames.owner(page) === toy.id;
    };
    stack.limit('/a', 32 * PAGE);
    stack.run(stack.engine.workers.queue(stack.thread(), stack.engine.groups.of(a), a));
    stack.machine.runKernelThreads();
    expect(stack.usage(a)).toBeLessThanOrEqual(32);
    expect(stack.violations()).toEqual([]);
    return { busy: 20 - stack.usage(busy), idle: 20 - stack.usage(idle) };
  };

  it('cgroup-v5: the busy one pays, the idle one is never looked at', () => {
    expect(outcome(cgroupV5)).toEqual({ busy: 16, idle: 0 });
  });
  it.each([cgroup2020, cgroupV17, epckitCgroups])('$name: the idle one pays', (design) => {
    expect(outcome(design)).toMatchObject({ busy: 0 });
  });
});

describe('R-28, a group that is full of pages that nobody can reclaim', () => {
  /** Regular pages that are left when the worker has been asked. */
  const outcome = (design: EpcCgroupOptions): number => {
    const stack = new EpcStack({ design, epcPages: 200 });
    stack.startKernelThreads();
    const a = stack.group('/a', 160);
    full(stack, '/a', 136);
    const toy = stack.tenant('/a', 20);
    stack.run(stack.engine.workers.queue(stack.thread(), stack.engine.groups.of(a), a));
    stack.machine.runKernelThreads();
    return toy.pages.size;
  };

  it('cgroup-v17 evicts the whole working set', () => expect(outcome(cgroupV17)).toBe(0));
  it('the default leaves it alone', () => expect(outcome(epckitCgroups)).toBe(20));
});

describe('R-35, a signal is pending while a fault meets the limit', () => {
  const outcome = (design: EpcCgroupOptions): number => {
    const stack = new EpcStack({ design });
    stack.group('/a', 8);
    const toy = stack.tenant('/a', 8);
    stack.thread().signalPending = true;
    return stack.load(toy, [50], { mayReclaim: false });
  };

  it.each([cgroup2020, cgroupV5, cgroupV17])('$name: ERESTARTSYS, which faults do not know', (design) => {
    expect(outcome(design)).toBe(-ERESTARTSYS);
  });
  it('the default: EBUSY', () => expect(outcome(epckitCgroups)).toBe(-EBUSY));
});

describe('who refused', () => {
  it('a limit', () => {
    const stack = new EpcStack();
    const a = stack.group('/a', 4);
    stack.group('/a/b');
    full(stack, '/a/b', 4);
    expect(stack.load(stack.toys.create(), [0])).toBe(-ENOMEM);
    expect(stack.refusal()).toEqual({ reason: EpcRefusal.LIMIT, group: a });
    expect(stack.engine.charge.refusedBy(stack.thread())).toBe(a);
  });

  it('the machine', () => {
    const stack = new EpcStack();
    stack.group('/a');
    full(stack, '/a', 64);
    expect(stack.load(stack.toys.create(), [0])).toBe(-ENOMEM);
    expect(stack.refusal()).toMatchObject({ reason: EpcRefusal.MACHINE });
    expect(stack.engine.charge.refusedBy(stack.thread())).toBe(NONE);
  });

  it.each([true, false])(
    'backing memory, after a bounded number of looks (may reclaim: %s)',
    (mayReclaim) => {
      const stack = new EpcStack();
      stack.startKernelThreads();
      const a = stack.group('/a', 8);
      const toy = stack.tenant('/a', 8);
      stack.toys.isBackingRefused = true;
      let result = stack.load(toy, [50], { mayReclaim });
      if (!mayReclaim) {
        expect(result).toBe(-EBUSY);
        stack.machine.runKernelThreads();
        result = stack.load(toy, [50], { mayReclaim });
      }
      expect(result).toBe(-ENOMEM);
      expect(stack.refusal()).toEqual({ reason: EpcRefusal.BACKING, group: a });
      const looked = stack.reclaims.reduce((sum, { lookedAt }) => sum + lookedAt, 0);
      expect(looked).toBeLessThanOrEqual(8 * 8);
      stack.toys.isBackingRefused = false;
      expect(stack.load(toy, [50])).toBe(0);
    },
  );

  it('a limit below one page is hopeless at once', () => {
    const stack = new EpcStack({ design: cgroup2020 });
    const a = stack.group('/a', 0);
    stack.enter('/a');
    expect(stack.load(stack.toys.create(), [0])).toBe(-ENOMEM);
    expect(stack.refusal()).toEqual({ reason: EpcRefusal.LIMIT, group: a });
    expect(stack.reclaims).toEqual([]);
  });
});

describe('what a worker has found out in vain is told to whom it concerns', () => {
  /** A fault was told to come again, and the worker has found backing memory refused. */
  function stuck(): { readonly stack: EpcStack; readonly toy: Toy } {
    const stack = new EpcStack();
    stack.startKernelThreads();
    stack.group('/a', 8);
    const toy = stack.tenant('/a', 8);
    stack.toys.isBackingRefused = true;
    expect(stack.load(toy, [50], { mayReclaim: false })).toBe(-EBUSY);
    stack.machine.runKernelThreads();
    stack.toys.isBackingRefused = false;
    return { stack, toy };
  }

  it('the fault itself', () => {
    const { stack, toy } = stuck();
    expect(stack.load(toy, [50], { mayReclaim: false })).toBe(-ENOMEM);
  });

  it('not a fault on another CPU, for which a worker has not looked yet', () => {
    const { stack, toy } = stuck();
    stack.enter('/a', 1);
    expect(stack.load(toy, [60], { mayReclaim: false, cpu: 1 })).toBe(-EBUSY);
    stack.machine.runKernelThreads();
    expect(stack.load(toy, [60], { mayReclaim: false, cpu: 1 })).toBe(0);
  });

  it('not a later fault, when the one that was told to come again has got its page', () => {
    const { stack, toy } = stuck();
    expect(stack.run(stack.toys.unload(stack.thread(), toy, 0))).toBe(0);
    expect(stack.load(toy, [50], { mayReclaim: false })).toBe(0);
    toy.young.clear();
    expect(stack.load(toy, [60], { mayReclaim: false })).toBe(-EBUSY);
    stack.machine.runKernelThreads();
    expect(stack.load(toy, [60], { mayReclaim: false })).toBe(0);
  });

  it('not a fault after another worker has made room', () => {
    const { stack, toy } = stuck();
    stack.run(stack.engine.workers.queue(stack.thread(), stack.engine.groups.of(stack.group('/a')), 0));
    stack.machine.runKernelThreads();
    expect(stack.load(toy, [50, 51, 52, 53, 54], { mayReclaim: true })).toBe(0);
    expect(stack.load(toy, [60], { mayReclaim: false })).not.toBe(-ENOMEM);
  });

  it('not a group that is made when that one is gone', () => {
    const { stack, toy } = stuck();
    stack.write('/cgroup.procs', '100');
    stack.run(stack.toys.close(stack.thread(), toy));
    stack.rmdir('/a');
    stack.group('/a', 8);
    const other = stack.tenant('/a', 8);
    expect(stack.load(other, [50], { mayReclaim: false })).toBe(-EBUSY);
  });
});

describe('the order of reasons when the caller may reclaim and a signal is pending', () => {
  const outcome = (design: EpcCgroupOptions, hasPages: boolean, mayReclaim = true): number => {
    const stack = new EpcStack({ design });
    stack.group('/a', 8);
    const toy = hasPages ? stack.tenant('/a', 8) : full(stack, '/a', 8);
    stack.thread().signalPending = true;
    return stack.load(toy, [50], { mayReclaim });
  };
  const all = [cgroup2020, cgroupV5, cgroupV17, epckitCgroups];

  it.each(all)('$name: the signal ends a reclaim that could go on', (design) => {
    expect(outcome(design, true)).toBe(-ERESTARTSYS);
  });
  it.each([cgroupV5, cgroupV17, epckitCgroups])('$name: nothing to reclaim comes first', (design) => {
    expect(outcome(design, false)).toBe(-ENOMEM);
  });
  it('cgroup-2020: it knows that nothing is there only after some rounds', () => {
    expect(outcome(cgroup2020, false)).toBe(-ERESTARTSYS);
  });
  it('cgroup-2020: a limit below one page comes first', () => {
    const stack = new EpcStack({ design: cgroup2020 });
    stack.group('/a', 0);
    stack.enter('/a');
    stack.thread().signalPending = true;
    expect(stack.load(stack.toys.create(), [0], { mayReclaim: false })).toBe(-ENOMEM);
  });
  it.each(all)('$name: a charge that fits is not disturbed', (design) => {
    const stack = new EpcStack({ design });
    stack.group('/a', 8);
    stack.enter('/a');
    stack.thread().signalPending = true;
    expect(stack.load(stack.toys.create(), [0])).toBe(0);
  });

  it('the default: the signal ends the wait for pages in a batch', () => {
    const stack = new EpcStack();
    const a = stack.group('/a', 8);
    const toy = stack.tenant('/a', 8);
    stack.enter('/a', 1);
    let result = 0;
    stack.toys.atBlock = function* () {
      stack.toys.atBlock = null;
      stack.thread(1).signalPending = true;
      result = stack.load(toy, [50], { cpu: 1 });
    };
    const request = { target: a, maxPages: 16, isAgeIgnored: true, lookedAt: 0, evicted: 0 };
    stack.run(stack.reclaimer.batch(stack.thread(), request));
    expect([result, request.evicted]).toEqual([-ERESTARTSYS, 8]);
    expect(stack.violations()).toEqual([]);
  });
});
