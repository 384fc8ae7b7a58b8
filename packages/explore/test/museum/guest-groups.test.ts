import type { EpcCgroupOptions, EpcCgroups } from '@epckit/cgroup';
import {
  CGROUP_MOUNT,
  cgroupV5,
  cgroupV17,
  createCgroupTree,
  createEpcCgroups,
  createMiscController,
  EpcUse,
} from '@epckit/cgroup';
import type { Routine, Thread } from '@epckit/interface';
import { VepcFaultResult } from '@epckit/vepc';
import { describe, expect, it } from 'vitest';
import type { StackParts } from '../../../vepc/test/stack.js';
import { Stack } from '../../../vepc/test/stack.js';
import { fifo } from './epc-groups.js';

const PAGE = 4096;

/** An engine with the group /vm, which may have so many pages and is charged for everything. */
function createGroup(
  { machine, frames, owners, reclaimer }: StackParts,
  design: EpcCgroupOptions,
  limit: number,
): { readonly engine: EpcCgroups; readonly group: number } {
  const capacities = { sgx_epc: 2 ** 20 };
  const controller = createMiscController({ capacities }, { locks: machine, probe: null });
  const tree = createCgroupTree({ controller, locks: machine });
  const thread = machine.createThread({ name: 'shell', cpu: 0 });
  const path = `${CGROUP_MOUNT}/vm`;
  machine.run(thread, tree.mkdirAll(thread, path));
  machine.run(thread, tree.files.write(thread, `${path}/misc.max`, `sgx_epc ${limit * PAGE}`));
  const directory = tree.directory(path);
  if (typeof directory === 'number') throw new Error('no group');
  const group = directory.effectiveGroup.id;
  const current = {
    *getCurrent(by: Thread): Routine<number> {
      yield* controller.get(by, group);
      return group;
    },
  };
  const engine = createEpcCgroups(design, {
    controller,
    current,
    frames,
    locks: machine,
    owners,
    policy: fifo,
    useOf: () => EpcUse.VIRTUAL,
    probe: null,
  });
  engine.connect(reclaimer);
  return { engine, group };
}

/** A VMM in a group with a limit in pages. */
class GroupedStack {
  readonly stack: Stack;
  /** Guest pages that the group is charged for. */
  readonly usage: () => number;

  constructor(design: EpcCgroupOptions, limit: number) {
    const made: ReturnType<typeof createGroup>[] = [];
    this.stack = new Stack({
      charge: (parts) => {
        const created = createGroup(parts, design, limit);
        made.push(created);
        return created.engine.charge;
      },
    });
    const [{ engine, group }] = made as [ReturnType<typeof createGroup>];
    this.usage = () => engine.usageOf(group).vepc;
  }
}

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
