import type { EpcCgroupOptions } from '@epckit/cgroup';
import { cgroupV5, cgroupV17 } from '@epckit/cgroup';
import type { Routine } from '@epckit/interface';
import { createMemoryFailure } from '@epckit/numa';
import { VepcFaultResult } from '@epckit/vepc';
import { describe, expect, it } from 'vitest';
import type { Case } from '../../src/index.js';
import { explore } from '../../src/index.js';
import { GroupedStack } from './guest-groups.js';

describe.each([cgroupV17, cgroupV5])('a guest in a full group, $name', (design) => {
  it('S-03: is stopped at its next touch; nothing is reclaimed, and nothing charged', () => {
    const grouped = new GroupedStack(design, 3);
    const { stack } = grouped;
    const vepc = stack.open();
    stack.populate(vepc, 0, 1, 2);
    stack.log.clear();
    expect(stack.fault(vepc, 3)).toBe(VepcFaultResult.SIGBUS);
    expect([stack.log.leaves, stack.lists.oldest(0)]).toEqual([[], -1]);
    expect([grouped.usage(), vepc.pages.count, stack.pools.free]).toEqual([3, 3, 37]);
    stack.unmap(vepc);
    stack.vmm.forget(vepc.id);
    stack.run(stack.driver.release(stack.thread(), vepc));
    expect([grouped.usage(), stack.pools.free, stack.violations()]).toEqual([0, 40, []]);
  });

  it('S-17: a page with a memory error is uncharged once, and never used again', () => {
    const grouped = new GroupedStack(design, 3);
    const { stack } = grouped;
    const vepc = stack.open();
    const [page = -1] = stack.populate(vepc, 0, 1);
    stack.frames.setPoisoned(page);
    stack.unmap(vepc);
    stack.vmm.forget(vepc.id);
    stack.run(stack.driver.release(stack.thread(), vepc));
    // Linux counts it as free, too.
    expect([grouped.usage(), stack.pools.free]).toEqual([0, 40]);
    expect(stack.frames.listOf(page)).toBe(stack.pools.lists.poison(0));
    const again = stack.open();
    stack.populate(again, 0, 1, 2);
    expect([0, 1, 2].map((index) => again.pages.get(index))).not.toContain(page);
    expect(stack.violations()).toEqual([]);
  });
});

/** Something that two virtual CPUs or the VMM do in a group of three pages. */
function inGroup(
  design: EpcCgroupOptions,
  name: string,
  play: (
    grouped: GroupedStack,
    told: number[],
  ) => { routines: readonly Routine<unknown>[]; wrong(): unknown },
  right: unknown,
): Case {
  return {
    name,
    setup: () => {
      const grouped = new GroupedStack(design, 3, { checking: true, cpus: 2, epcPages: 8 });
      const { stack } = grouped;
      const told: number[] = [];
      const { routines, wrong } = play(grouped, told);
      for (const [cpu, routine] of routines.entries()) stack.machine.start(stack.thread(cpu), routine);
      return {
        machine: stack.machine,
        state: () => `${told}`,
        check: () => expect([wrong(), stack.violations()]).toEqual([right, []]),
      };
    },
  };
}

describe.each([cgroupV17, cgroupV5])('in every order, $name', (design) => {
  it('S-03: of two touches beyond the limit one is served, and the other one stops the guest', () => {
    const touching = inGroup(
      design,
      'two touches at the limit',
      ({ stack, usage }, told) => {
        const vepc = stack.open();
        stack.populate(vepc, 0, 1);
        const touch = function* (cpu: number): Routine<void> {
          told[cpu] = yield* stack.faultOn(stack.thread(cpu), vepc, 2 + cpu);
        };
        return { routines: [touch(0), touch(1)], wrong: () => [usage(), vepc.pages.count, stack.pools.free] };
      },
      [3, 3, 5],
    );
    const { NOPAGE, SIGBUS } = VepcFaultResult;
    const { finding, finalStates } = explore(touching, { strategy: 'dfs', preemptions: 2 });
    expect(finding).toBeNull();
    expect([...finalStates].sort()).toEqual([`${NOPAGE},${SIGBUS}`, `${SIGBUS},${NOPAGE}`].sort());
  });

  it('S-17: a memory error beside the close is uncharged once, and the page is not used again', () => {
    const closing = inGroup(
      design,
      'a memory error beside a close',
      ({ stack, usage }) => {
        const vepc = stack.open();
        const [page = -1] = stack.populate(vepc, 0, 1);
        const { frames, pools } = stack;
        const failure = createMemoryFailure({ frames, pools, reclaimLists: () => null });
        stack.unmap(vepc);
        stack.vmm.forget(vepc.id);
        return {
          routines: [stack.driver.release(stack.thread(0), vepc), failure.report(stack.thread(1), page)],
          wrong: () => [usage(), frames.listOf(page) === pools.lists.poison(0), stack.free().includes(page)],
        };
      },
      [0, true, false],
    );
    expect(explore(closing, { strategy: 'dfs', preemptions: 2 }).finding).toBeNull();
  });
});
