import { Errno } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { cgroup2020, cgroupV5, cgroupV17, epckitCgroups } from '../../src/index.js';
import { EpcStack, PAGE, range } from './epc-stack.js';
import { VA } from './toy-owner.js';

const { ENOMEM } = Errno;

/** `/a` with 8 pages, all of them regular or none. */
function stackOf(design: typeof cgroup2020, isReclaimable: boolean): EpcStack {
  const stack = new EpcStack({ design });
  stack.group('/a', 8);
  stack.enter('/a');
  const records = isReclaimable ? range(8) : range(8).map((index) => VA - index);
  expect(stack.load(stack.toys.create(), records)).toBe(0);
  stack.reclaims.length = 0;
  return stack;
}

/** Everything is in use for ever. */
function keepYoung(stack: EpcStack): void {
  stack.toys.young = function* () {
    return true;
  };
}

describe('requests of a charge until it is told that there is no EPC', () => {
  it.each([
    { design: cgroup2020, requests: 6 },
    { design: cgroupV5, requests: 0 },
    { design: cgroupV17, requests: 0 },
    { design: epckitCgroups, requests: 0 },
  ])('$design.name: $requests', ({ design, requests }) => {
    const stack = stackOf(design, false);
    expect(stack.load(stack.toys.create(), [0])).toBe(-ENOMEM);
    expect(stack.reclaims).toHaveLength(requests);
  });
});

describe('requests of a charge until it has a page that is in use', () => {
  it.each([
    { design: cgroup2020, requests: 7 },
    { design: cgroupV5, requests: 7 },
    // Two rotations of 8 pages, 2 at a time, and one request that takes what it finds.
    { design: epckitCgroups, requests: 9 },
  ])('$design.name: $requests', ({ design, requests }) => {
    const stack = stackOf(design, true);
    keepYoung(stack);
    expect(stack.load(stack.toys.create(), [0])).toBe(0);
    expect(stack.reclaims).toHaveLength(requests);
  });

  it('cgroup-v17 never takes one: only a signal ends the loop', () => {
    const stack = stackOf(cgroupV17, true);
    const { young } = stack.toys;
    let looks = 0;
    stack.toys.young = function* (thread, page) {
      yield* young.call(stack.toys, thread, page);
      if (++looks === 1000) stack.thread().signalPending = true;
      return true;
    };
    expect(stack.load(stack.toys.create(), [0])).toBe(-Errno.ERESTARTSYS);
    expect(looks).toBe(1000);
  });
});

it('2020: requests of a writer of a limit until it kills, and nobody can be killed', () => {
  const stack = new EpcStack({ design: { ...cgroup2020, listsEnclavePages: false } });
  stack.group('/a', 8);
  stack.enter('/a');
  expect(
    stack.load(
      stack.toys.create(),
      range(8).map((index) => VA - index),
    ),
  ).toBe(0);
  stack.limit('/a', 4 * PAGE);
  expect([stack.reclaims.length, stack.killed]).toEqual([6, []]);
});

describe('2020: what a charge asks for', () => {
  /** Pages looked at by the first request. */
  const asked = (limit: number, pages: number): number => {
    const stack = new EpcStack({ design: cgroup2020, epcPages: 200 });
    stack.group('/a', pages);
    stack.tenant('/a', pages);
    // Stored behind the back of the writer, who would reclaim.
    const { max } = stack.engine.groups.of(stack.group('/a')).counters;
    max.write(stack.thread(), BigInt(limit * PAGE));
    stack.load(stack.toys.create(), [0]);
    return stack.reclaims[0]?.lookedAt ?? 0;
  };

  it.each([
    ['one page is missing: the least', 100, 100, 16],
    ['20 are missing: those and one more', 80, 100, 21],
    ['100 are missing: the most', 50, 150, 64],
  ] as const)('%s', (_, limit, pages, expected) => expect(asked(limit, pages)).toBe(expected));
});

describe('v17: requests look at one group after the other', () => {
  /** 6 pages in each of three groups below `/a`, which a process in `/a` wants to have a page in. */
  function three(): { readonly stack: EpcStack; readonly a: number } {
    const stack = new EpcStack({ design: cgroupV17 });
    const a = stack.group('/a');
    for (const path of ['/a/x', '/a/y', '/a/z']) {
      stack.group(path);
      stack.tenant(path, 6);
    }
    stack.enter('/a');
    return { stack, a };
  }

  it('a charge: one group', () => {
    const { stack, a } = three();
    stack.limit('/a', 18 * PAGE);
    expect(stack.load(stack.toys.create(), [0])).toBe(0);
    expect(stack.reclaims).toEqual([{ target: a, lookedAt: 6, evicted: 6 }]);
  });

  it('before an operation that needs several pages: until 16 were looked at', () => {
    const { stack, a } = three();
    stack.limit('/a', 18 * PAGE);
    stack.run(stack.engine.charge.reclaimDirect(stack.thread()));
    const one = { target: a, lookedAt: 6, evicted: 6 };
    expect(stack.reclaims).toEqual([one, one, one]);
  });

  it('nothing while the limit is not near', () => {
    const { stack } = three();
    stack.run(stack.engine.charge.reclaimDirect(stack.thread()));
    expect(stack.reclaims).toEqual([]);
  });
});
