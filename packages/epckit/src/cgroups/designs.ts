import { cgroup2020, cgroupV5, cgroupV17, epckitCgroups } from '@epckit/cgroup';
import { OwnSubtreeReclaimer, PoisonAwareGroupLists } from '@epckit/cgroup/recipes';
import { createPageAllocator } from '@epckit/numa';
import type { CgroupSettings } from './settings.js';

/** The default design. L-06 is repaired in its lists as in those of preset `epckit`. */
export const epckitDesign: CgroupSettings = {
  design: { ...epckitCgroups, lists: (parts) => new PoisonAwareGroupLists(parts) },
};

/** The dedicated controller of 2018 to 2020. */
export const design2020: CgroupSettings = { design: cgroup2020 };

/** The series of September 2023. When no page is free, the allocator looks at the own subtree only. */
export const designV5: CgroupSettings = {
  design: cgroupV5,
  allocator: (components, { engine, tree }) => {
    const reclaimer = new OwnSubtreeReclaimer(components.reclaimer, engine, tree.processes);
    return createPageAllocator({ ...components, reclaimer });
  },
};

/** The last known posting of August 2024. */
export const designV17: CgroupSettings = { design: cgroupV17 };
