import { Errno } from '@epckit/interface';
import type { KvmCpuidRegisters, Vepc } from '@epckit/vepc';
import { offeredCpuid } from '@epckit/vepc';
import { describe, expect, it, vi } from 'vitest';
import { createVirtualMachine } from '../src/index.js';
import { HostStack } from './host-stack.js';

const pageCounts = [8, 6, 4];
const sections = pageCounts.map((pageCount) => ({ pageCount, isPreallocated: true }));
const FREE = 64;

/** A call that fails at its `at`-th time and is itself before and after. */
function failing<Arguments extends unknown[], Result>(
  call: (...values: Arguments) => Result,
  at: number,
  fails: () => Result,
): (...values: Arguments) => Result {
  let calls = 0;
  return (...values) => (calls++ === at ? fails() : call(...values));
}

function* refused(): Generator<never, number> {
  return -Errno.ENOMEM;
}

/** Nothing is left: no instance, no page, no broken invariant; and a machine can be made and started. */
function expectNothingLeft(stack: HostStack): void {
  vi.restoreAllMocks();
  expect(stack.vepc.instances()).toEqual([]);
  expect(stack.pools.free).toBe(FREE);
  expect(stack.violations()).toEqual([]);
  const vm = stack.vm({ cpus: [1], sections });
  expect([vm.state, vm.instances.length]).toEqual(['running', 3]);
  expect(stack.violations()).toEqual([]);
}

/** What a virtual machine needs, each of which may fail for each section. */
const points: readonly [string, (stack: HostStack, at: number) => void][] = [
  [
    'mmap',
    (stack, at) => {
      const { mapper } = stack.vepc;
      vi.spyOn(mapper, 'map').mockImplementation(failing(mapper.map.bind(mapper), at, refused));
    },
  ],
  [
    'the ioctl that turns reclaim on',
    (stack, at) => {
      const { enabler } = stack.vepc.oversub as NonNullable<typeof stack.vepc.oversub>;
      vi.spyOn(enabler, 'enable').mockImplementation(failing(enabler.enable.bind(enabler), at, refused));
    },
  ],
  [
    'a page fault while it is preallocated',
    (stack, at) => {
      const { allocator } = stack;
      const last = pageCounts.slice(0, at + 1).reduce((sum, pages) => sum + pages) - 1;
      vi.spyOn(allocator, 'alloc').mockImplementation(
        failing(allocator.alloc.bind(allocator), last, refused),
      );
    },
  ],
];

describe.each([0, 1, 2])('a virtual machine whose section %i cannot be had leaves nothing behind', (at) => {
  it.each([false, true])('open, host reclaim %s', (oversub) => {
    const stack = new HostStack({ oversub, epcPages: FREE });
    const { vepc } = stack;
    vi.spyOn(vepc, 'open').mockImplementation(failing(vepc.open.bind(vepc), at, () => null));
    expect(createVirtualMachine({ name: 'v', cpus: [0], sections }, stack.host)).toBeNull();
    expectNothingLeft(stack);
  });

  it.each(points)('%s', (_, inject) => {
    const stack = new HostStack({ oversub: true, epcPages: FREE });
    inject(stack, at);
    const vm = createVirtualMachine({ name: 'v', cpus: [0], sections }, stack.host);
    expect(stack.run((thread) => vm?.start(thread) ?? refused())).toBe(-Errno.ENOMEM);
    expect(vm?.state).toBe('ended');
    expectNothingLeft(stack);
  });

  it.each([
    [
      'open',
      (stack: HostStack) => {
        const { vepc } = stack;
        vi.spyOn(vepc, 'open').mockImplementation(failing(vepc.open.bind(vepc), at, () => null));
      },
    ],
    ...points.slice(0, 2),
  ] as typeof points)('a migration that fails in %s leaves the guest as it was', (_, inject) => {
    const stack = new HostStack({ oversub: true, epcPages: FREE });
    const vm = stack.vm({ sections });
    const before = vm.instances;
    inject(stack, at);
    expect(stack.run((thread) => vm.migrate(thread))).toBe(-Errno.ENOMEM);
    expect([vm.state, vm.instances]).toEqual(['running', before]);
    expect(stack.vepc.instances()).toEqual(before);
    expect(stack.violations()).toEqual([]);
  });
});

it.each(['end', 'stop'] as const)(
  'a migration that is overtaken by %s closes the instances it has made',
  (what) => {
    const stack = new HostStack({ oversub: true, epcPages: FREE });
    const vm = stack.vm({ sections });
    const before = vm.instances;
    const { mapper } = stack.vepc;
    const map = mapper.map.bind(mapper);
    vi.spyOn(mapper, 'map').mockImplementation(function* (...values) {
      const result = yield* map(...values);
      if (vm.state !== 'running') return result;
      if (what === 'end') yield* vm.end(values[0]);
      else vm.stop('test');
      return result;
    });
    expect(stack.run((thread) => vm.migrate(thread))).toBe(-Errno.EBUSY);
    expect(stack.vepc.instances()).toEqual(what === 'end' ? [] : before);
    stack.run((thread) => vm.end(thread));
    expectNothingLeft(stack);
  },
);

it('a virtual machine whose CPUID KVM refuses leaves nothing behind', () => {
  const stack = new HostStack({ epcPages: FREE, features: { sgx2: false } });
  const threads = stack.machine.threads.length;
  const { leaf7, sgxLeaf0, sgxLeaf1 } = offeredCpuid(stack.host.kvm);
  const cpuid = { leaf7, sgxLeaf0: { ...(sgxLeaf0 as KvmCpuidRegisters), eax: -1 }, sgxLeaf1 };
  const make = () => createVirtualMachine({ name: 'v', cpus: [0], sections, cpuid }, stack.host);
  expect(make).toThrow(/only SGX features that KVM supports/);
  expect(stack.machine.threads).toHaveLength(threads);
  expectNothingLeft(stack);
});

it('an instance that was mapped is not closed as if it were unused', () => {
  const stack = new HostStack();
  const vm = stack.vm();
  const [vepc] = vm.instances as [Vepc];
  expect(() => stack.vepc.closeUnused(vepc)).toThrow(/nothing maps it/);
  stack.run((thread) => stack.vepc.mapper.unmap(thread, vm.mm, vepc, 0, vepc.pageCount));
  vm.mm.forget(vepc.id);
  expect(() => stack.vepc.closeUnused(vepc)).toThrow(/has been mapped/);
});
