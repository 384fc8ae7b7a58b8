import type { EpcCgroupOptions, EpcCgroups } from '@epckit/cgroup';
import {
  CGROUP_MOUNT,
  createCgroupTree,
  createEpcCgroups,
  createMiscController,
  EpcUse,
} from '@epckit/cgroup';
import type { Routine, Thread } from '@epckit/interface';
import type { StackOptions, StackParts } from '../../../vepc/test/stack.js';
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
export class GroupedStack {
  readonly stack: Stack;
  /** Guest pages that the group is charged for. */
  readonly usage: () => number;

  constructor(design: EpcCgroupOptions, limit: number, options: StackOptions = {}) {
    const made: ReturnType<typeof createGroup>[] = [];
    this.stack = new Stack({
      ...options,
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
