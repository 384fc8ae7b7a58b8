/**
 * Keys of the cost table: every advance of virtual time is charged to exactly one of them, so the sum over
 * keys is the whole time (which makes "where did the time go" a read-out, not an estimate).
 *
 * Units are cycles of the core clock. Meanings and sources of the default values are in `@epckit/machine`.
 */
export const Cost = {
  /** user-mode work of the traced program, one unit per reference */
  COMPUTE: 0,
  /** ECREATE: making a SECS */
  ECREATE: 1,
  /** EADD: adding one page */
  EADD: 2,
  /** EEXTEND: measuring 256 bytes; a measured page has 16 */
  EEXTEND: 3,
  /** EINIT: finishing an enclave */
  EINIT: 4,
  /** EREMOVE: making one page invalid */
  EREMOVE: 5,
  /** EAUG: adding one page at run time */
  EAUG: 6,
  /** EACCEPT: accepting one changed page */
  EACCEPT: 7,
  /** EMODT: changing the type of one page */
  EMODT: 8,
  /** EMODPR: restricting permissions of one page */
  EMODPR: 9,
  /** EMODPE: extending permissions of one page */
  EMODPE: 10,
  /** EPA: making a version array page */
  EPA: 11,
  /** EBLOCK: blocking one page */
  EBLOCK: 12,
  /** ETRACK, ETRACKC: starting a tracking cycle */
  ETRACK: 13,
  /** EWB: one attempt to write a page out; {@link Cost.EWB_REFUSED} if it was clear that it is refused */
  EWB: 14,
  /** ELDU, ELDB, ELDUC, ELDBC: loading one page back */
  ELDU: 15,
  /** EENTER: entering an enclave */
  EENTER: 16,
  /** EEXIT: leaving an enclave */
  EEXIT: 17,
  /** AEX: being thrown out of an enclave */
  AEX: 18,
  /** ERESUME: entering again */
  ERESUME: 19,
  /** refill of TLB and caches after re-entry */
  REFILL: 20,
  /** page-fault entry and the driver's fast path */
  FAULT_KERNEL: 21,
  /** a write for which the backing page has to be made */
  BACKING_NEW: 22,
  /** another write, or a read, of backing store */
  BACKING_OLD: 23,
  /** software work per evicted page: lists, reference counts, SRCU, PTE zap, age test */
  RECLAIM_SW: 24,
  /** software work per added page: ioctl, copy, allocation */
  ADD_SW: 25,
  /** the loader's user-mode work per added page */
  ADD_USER: 26,
  /** one IPI round, independent of the number of targets */
  IPI_FIXED: 27,
  /** one target of an IPI round on bare metal */
  IPI_CPU: 28,
  /** uncontended lock acquisition */
  LOCK_FAST: 29,
  /** waiting for a lock */
  LOCK_WAIT: 30,
  /** waiting for something else: an event, a grace period, a change */
  EVENT_WAIT: 31,
  /** wake-up of a sleeping kernel thread until it runs */
  WAKEUP: 32,
  /** switch between threads of one CPU */
  CONTEXT_SWITCH: 33,
  /** EPC access to another NUMA node, extra per page operation */
  NUMA_REMOTE: 34,
  /** bookkeeping step without a published cost: one cycle, so that time always advances */
  STEP: 35,
  /** a lock comes from another CPU of the same node: its cache line moves */
  LOCK_LOCAL: 36,
  /** a lock comes from a CPU of another node */
  LOCK_REMOTE: 37,
  /** one target of an IPI round in a guest without IPI virtualisation, instead of {@link Cost.IPI_CPU} */
  IPI_GUEST: 38,
  /** waiting until every target of an IPI round has answered */
  IPI_WAIT: 39,
  /** able to run while another thread has the CPU */
  CPU_WAIT: 40,
  /** VM exit and VM entry, one round trip between a guest and its hypervisor */
  VM_EXIT: 41,
  /** hypervisor's software for an EPT violation, without the page fault of the VMM that it may need */
  EPT_VIOLATION: 42,
  /** EWB that is refused because the page is not tracked: it ends before anything is encrypted */
  EWB_REFUSED: 43,
  /** ERDINFO: reading the EPCM entry of one page and the child counters of its SECS */
  ERDINFO: 44,
  /** EINCVIRTCHILD: one child more that the host has taken out of a guest's EPC */
  EINCVIRTCHILD: 45,
  /** EDECVIRTCHILD: one such child less */
  EDECVIRTCHILD: 46,
  /** ESETCONTEXT: telling a SECS of a guest its address in the host */
  ESETCONTEXT: 47,
} as const;
/** Name of a cost key. */
export type CostName = keyof typeof Cost;
/** Value of {@link Cost}. */
export type CostKey = (typeof Cost)[CostName];

/** Number of keys; length of a cost table. */
export const COST_COUNT = 48;

/** Reverse look-up: `costNames[14] === 'EWB'`. */
export const costNames: readonly CostName[] = Object.freeze(
  (Object.entries(Cost) as [CostName, number][]).sort((a, b) => a[1] - b[1]).map(([name]) => name),
);

/** Cycles per key, indexed by {@link Cost}. */
export type CostTable = Float64Array;
