import { Errno } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { EpcCgroupOptions } from '../../src/index.js';
import { cgroup2020, cgroupV17, EpcRefusal, epcCgroupPresets, epckitCgroups } from '../../src/index.js';
import type { EpcGroup, WalkPass } from '../../src/recipes.js';
import { beginPass } from '../../src/recipes.js';
import { EpcStack, range } from './epc-stack.js';
import { SECS, VA } from './toy-owner.js';

describe.each(Object.values(epcCgroupPresets))('$name', (design) => {
  it('charges, evicts at the limit of the group, and gives everything back', () => {
    const stack = new EpcStack({ design });
    const a = stack.group('/a', 20);
    stack.enter('/a');
    const toy = stack.toys.create();
    expect(stack.load(toy, [SECS, VA, ...range(40)])).toBe(0);
    expect(stack.usage(a)).toBeLessThanOrEqual(20);
    expect(stack.engine.usageOf(a)).toMatchObject({ secs: 1, va: 1, vepc: 0 });
    expect(stack.violations()).toEqual([]);
    stack.run(stack.toys.close(stack.thread(), toy));
    expect(stack.usage(0)).toBe(0);
    expect(stack.violations()).toEqual([]);
  });

  it('fails with ENOMEM when the group is full of pages that nobody can reclaim, and says so', () => {
    const stack = new EpcStack({ design });
    const a = stack.group('/a', 4);
    stack.enter('/a');
    const toy = stack.toys.create();
    expect(
      stack.load(
        toy,
        range(5).map((index) => VA - index),
      ),
    ).toBe(-Errno.ENOMEM);
    expect(stack.refusal()).toEqual({ reason: EpcRefusal.LIMIT, group: a });
    expect(stack.usage(a)).toBe(4);
    expect(stack.violations()).toEqual([]);
  });

  it('a fault at the limit is told to come again, and a worker makes room', () => {
    const stack = new EpcStack({ design });
    stack.startKernelThreads();
    const a = stack.group('/a', 20);
    const toy = stack.tenant('/a', 20);
    expect(stack.load(toy, [50], { mayReclaim: false })).toBe(-Errno.EBUSY);
    stack.machine.runKernelThreads();
    expect(stack.usage(a)).toBeLessThan(20);
    expect(stack.load(toy, [50], { mayReclaim: false })).toBe(0);
    expect(stack.violations()).toEqual([]);
  });

  it('a removed group with pages stays until they are given back', () => {
    const stack = new EpcStack({ design });
    stack.startKernelThreads();
    const a = stack.group('/a');
    const b = stack.group('/a/b', 10);
    const toy = stack.tenant('/a/b', 8);
    stack.write('/cgroup.procs', '100');
    expect(stack.rmdir('/a/b')).toBe(0);
    expect([stack.usage(a), stack.usage(b)]).toEqual([8, 8]);
    expect(stack.violations()).toEqual([]);
    stack.run(stack.toys.close(stack.thread(), toy));
    stack.machine.runKernelThreads();
    expect(stack.usage(0)).toBe(0);
    expect(stack.controller.group(b)).toBeUndefined();
    expect(stack.violations()).toEqual([]);
  });

  it('one reference per charged page, and none by a cursor: a removed group is freed with its last page', () => {
    const stack = new EpcStack({ design });
    const a = stack.group('/a');
    const b = stack.group('/a/b');
    const { refs } = stack.engine.groups.of(b).group;
    const empty = refs.value;
    const toy = stack.tenant('/a/b', 40);
    expect(refs.value).toBe(empty + 40);
    stack.write('/cgroup.procs', '100');
    expect(stack.rmdir('/a/b')).toBe(0);
    expect(refs.value).toBe(empty + 39);
    // Whatever the walk, its cursors come by at the end of one of these.
    for (const target of [0, a, a, a]) {
      const request = { target, maxPages: 1, isAgeIgnored: true, lookedAt: 0, evicted: 0 };
      expect(stack.run(stack.reclaimer.batch(stack.thread(), request))).toBeGreaterThan(0);
      expect(stack.violations()).toEqual([]);
      expect(refs.value).toBe(stack.usage(b));
    }
    expect(stack.usage(a)).toBe(stack.usage(b));
    stack.run(stack.toys.close(stack.thread(), toy));
    expect(stack.controller.group(b)).toBeUndefined();
    for (const top of [stack.engine.groups.root, stack.engine.groups.of(a)]) {
      expect(stack.engine.walk.cursorOf(top)?.group.name ?? '/').toMatch(/^\/(a)?$/);
    }
    expect(stack.violations()).toEqual([]);
  });

  it('a charge whose allocation fails is given back with its reference', () => {
    const stack = new EpcStack({ design });
    const a = stack.group('/a', 20);
    stack.enter('/a');
    const { charge } = stack.engine;
    const group = stack.run(charge.charge(stack.thread(), true));
    expect([group, stack.usage(a)]).toEqual([a, 1]);
    stack.run(charge.cancel(stack.thread(), group));
    expect(stack.usage(0)).toBe(0);
    expect(stack.violations()).toEqual([]);
  });
});

describe('a group is removed while the cursor of the one above stands at it (R-25, R-26)', () => {
  /** `/a/x` and `/a/y`; the cursor of `/a` stands at the first. */
  function standing(design: EpcCgroupOptions): { readonly stack: EpcStack; readonly cursor: () => string } {
    const stack = new EpcStack({ design });
    const { groups, walk } = stack.engine;
    const [a, x] = ['/a', '/a/x', '/a/y'].map((path) => groups.of(stack.group(path))) as [EpcGroup, EpcGroup];
    const pass = beginPass();
    for (let i = 0; walk.cursorOf(a) !== x && i < 5; i++) {
      const part = stack.run(walk.next(stack.thread(), a, pass));
      if (part !== null) stack.run(groups.put(stack.thread(), part));
      stack.run(walk.scanned(stack.thread(), a, a));
    }
    expect(walk.cursorOf(a)).toBe(x);
    expect(stack.violations()).toEqual([]);
    return { stack, cursor: () => walk.cursorOf(a)?.group.name ?? 'none' };
  }

  it.each([
    { design: cgroup2020, expected: 'none' },
    { design: cgroupV17, expected: '/a/y' },
    { design: epckitCgroups, expected: '/a/y' },
  ])('$design.name: it is freed at once, and the cursor stands at $expected', ({ design, expected }) => {
    const { stack, cursor } = standing(design);
    const x = stack.group('/a/x');
    expect(stack.rmdir('/a/x')).toBe(0);
    expect([stack.controller.group(x), cursor()]).toEqual([undefined, expected]);
    expect(stack.violations()).toEqual([]);
  });
});

describe('2020: the cursor that reclaimers of a subtree share', () => {
  it('ends the round of whoever finds that another one has begun a new one', () => {
    const stack = new EpcStack({ design: cgroup2020 });
    const { groups, walk } = stack.engine;
    const a = groups.of(stack.group('/a'));
    stack.group('/a/x');
    stack.group('/a/y');
    const next = (pass: WalkPass): string => {
      const part = stack.run(walk.next(stack.thread(), a, pass));
      if (part === null) return 'end';
      stack.run(groups.put(stack.thread(), part));
      return part.group.name;
    };
    const [one, other, late] = [beginPass(), beginPass(), beginPass()];
    expect([next(one), next(other), next(one)]).toEqual(['/a', '/a/x', '/a/y']);
    // The third begins at the end of the subtree, and so begins a new round at its top.
    expect([next(late), next(one), next(other), next(late)]).toEqual(['/a', 'end', 'end', '/a/x']);
  });
});
