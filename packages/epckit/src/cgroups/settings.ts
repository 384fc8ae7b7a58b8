import type { EpcCgroupOptions } from '@epckit/cgroup';
import type { PageAllocator } from '@epckit/interface';
import type { PageAllocatorComponents } from '@epckit/numa';
import type { Cgroups } from './cgroups.js';

/** The EPC controller of a stack: which design, and who works for it. */
export interface CgroupSettings {
  /** Switches and recipes of the design; see `epcCgroupPresets` of `@epckit/cgroup`. */
  readonly design: EpcCgroupOptions;
  /** Kernel threads for background reclaim, each on a CPU of its own behind those of the daemons. Default: 1. */
  readonly workers?: number;
  /** CPUs behind those of the workers for threads that nobody has made yet, such as one that changes limits. Default: 0. */
  readonly spareCpus?: number;
  /** Makes the allocator; goes before that of the preset. Default: that of the preset. */
  readonly allocator?: (components: PageAllocatorComponents, cgroups: Cgroups) => PageAllocator;
}
