import type { CostName } from '@epckit/interface';

/** Kinds of time; every cause belongs to one. */
export type CauseGroup =
  | 'compute'
  | 'fault'
  | 'leaf'
  | 'transition'
  | 'software'
  | 'lock'
  | 'lockWait'
  | 'ipi'
  | 'exit'
  | 'switching'
  | 'waiting';

/** Kind of time of every cause. */
const causeGroups: Readonly<Record<CostName, CauseGroup>> = {
  COMPUTE: 'compute',
  ADD_USER: 'compute',
  FAULT_KERNEL: 'fault',
  ECREATE: 'leaf',
  EADD: 'leaf',
  EEXTEND: 'leaf',
  EINIT: 'leaf',
  EREMOVE: 'leaf',
  EAUG: 'leaf',
  EACCEPT: 'leaf',
  EMODT: 'leaf',
  EMODPR: 'leaf',
  EMODPE: 'leaf',
  EPA: 'leaf',
  EBLOCK: 'leaf',
  ETRACK: 'leaf',
  EWB: 'leaf',
  EWB_REFUSED: 'leaf',
  ELDU: 'leaf',
  ERDINFO: 'leaf',
  EINCVIRTCHILD: 'leaf',
  EDECVIRTCHILD: 'leaf',
  ESETCONTEXT: 'leaf',
  NUMA_REMOTE: 'leaf',
  EENTER: 'transition',
  EEXIT: 'transition',
  AEX: 'transition',
  ERESUME: 'transition',
  REFILL: 'transition',
  BACKING_NEW: 'software',
  BACKING_OLD: 'software',
  RECLAIM_SW: 'software',
  ADD_SW: 'software',
  STEP: 'software',
  LOCK_FAST: 'lock',
  LOCK_LOCAL: 'lock',
  LOCK_REMOTE: 'lock',
  LOCK_WAIT: 'lockWait',
  IPI_FIXED: 'ipi',
  IPI_CPU: 'ipi',
  IPI_GUEST: 'ipi',
  IPI_WAIT: 'ipi',
  VM_EXIT: 'exit',
  EPT_VIOLATION: 'exit',
  CONTEXT_SWITCH: 'switching',
  WAKEUP: 'switching',
  EVENT_WAIT: 'waiting',
  CPU_WAIT: 'waiting',
};

/** Sums of cycles by group, those without any left out; in order of the groups. */
export function groupCycles(cyclesByCause: Readonly<Record<string, number>>): Record<string, number> {
  const sums = new Map<CauseGroup, number>();
  for (const [cause, group] of Object.entries(causeGroups)) {
    const cycles = cyclesByCause[cause] ?? 0;
    if (cycles > 0) sums.set(group, (sums.get(group) ?? 0) + cycles);
  }
  return Object.fromEntries(sums);
}
