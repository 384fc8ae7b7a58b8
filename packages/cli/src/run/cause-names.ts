import type { CostName } from '@epckit/interface';

/** What each cause of passing time is, in words. */
const causeNames: Readonly<Record<CostName, string>> = {
  COMPUTE: "the program's own work",
  ECREATE: 'creating enclaves',
  EADD: 'adding pages',
  EEXTEND: 'measuring pages',
  EINIT: 'initialising enclaves',
  EREMOVE: 'removing pages',
  EAUG: 'adding pages at run time',
  EACCEPT: 'accepting changed pages',
  EMODT: 'changing page types',
  EMODPR: 'restricting permissions',
  EMODPE: 'extending permissions',
  EPA: 'making version arrays',
  EBLOCK: 'blocking pages',
  ETRACK: 'starting to track threads',
  EWB: 'writing pages out',
  EWB_REFUSED: 'trying to write pages out before they are tracked',
  ELDU: 'loading pages back',
  EENTER: 'entering enclaves',
  EEXIT: 'leaving enclaves',
  AEX: 'being thrown out of enclaves',
  ERESUME: 'entering again',
  REFILL: 'refilling TLB and caches',
  FAULT_KERNEL: 'handling page faults',
  BACKING_NEW: 'first writes to backing store',
  BACKING_OLD: 'later uses of backing store',
  RECLAIM_SW: 'reclaim software',
  ADD_SW: 'kernel work for added pages',
  ADD_USER: 'loader work for added pages',
  IPI_FIXED: 'sending IPIs',
  IPI_CPU: 'waiting for answers to IPIs',
  LOCK_FAST: 'taking free locks',
  LOCK_WAIT: 'waiting for locks',
  EVENT_WAIT: 'waiting for events',
  WAKEUP: 'waking the daemon',
  CONTEXT_SWITCH: 'switching context',
  NUMA_REMOTE: 'reaching EPC of other nodes',
  STEP: 'bookkeeping steps',
  LOCK_LOCAL: 'taking locks over from the same node',
  LOCK_REMOTE: 'taking locks over from other nodes',
  IPI_GUEST: 'sending IPIs from a guest',
  VM_EXIT: 'VM exits and entries',
  EPT_VIOLATION: 'EPT violations',
  IPI_WAIT: 'waiting for interrupted CPUs',
  CPU_WAIT: 'waiting for a CPU',
};

/** Returns what a cause is in words; the key itself if it has no words yet. */
export function causeName(key: string): string {
  return Object.hasOwn(causeNames, key) ? causeNames[key as CostName] : key;
}
