import type { CostName } from '@epckit/interface';

/**
 * Grade of a cost: where it comes from.
 *
 * - `A` public text that states it
 * - `B` computed from raw data that others published
 * - `C` quoted from a named paper, not re-read: unconfirmed
 * - `D` measured on a virtual machine without SGX
 * - `E` estimate chosen so that the sums agree with A and B
 * - `-` a unit of the model
 */
export type CostGrade = 'A' | 'B' | 'C' | 'D' | 'E' | 'A,C' | 'C,D' | 'C,E' | 'D,E' | '-';

/** Minimum, typical and maximum cycles of one entry, and its grade. */
export interface CostEntry {
  /** Smallest plausible value. */
  readonly min: number;
  /** Value that a cost table takes. */
  readonly typical: number;
  /** Largest plausible value. */
  readonly max: number;
  /** Where the numbers come from. */
  readonly grade: CostGrade;
}

/** Cost entries by name; every cost has one. */
export type CostEntries = Readonly<Record<CostName, CostEntry>>;

function entry(min: number, typical: number, max: number, grade: CostGrade): CostEntry {
  return { min, typical, max, grade };
}

/** Entries that both parts share. */
const common = {
  COMPUTE: entry(1, 1, 1, '-'),
  FAULT_KERNEL: entry(2000, 4000, 8000, 'E'),
  BACKING_NEW: entry(3000, 8000, 20_000, 'D,E'),
  BACKING_OLD: entry(500, 1000, 4000, 'E'),
  RECLAIM_SW: entry(2000, 5000, 10_000, 'B'),
  IPI_FIXED: entry(1500, 3000, 6000, 'A'),
  IPI_CPU: entry(300, 700, 1500, 'A'),
  LOCK_FAST: entry(15, 25, 60, 'D'),
  LOCK_WAIT: entry(0, 0, 0, '-'),
  EVENT_WAIT: entry(0, 0, 0, '-'),
  WAKEUP: entry(3000, 10_000, 100_000, 'E'),
  CONTEXT_SWITCH: entry(2000, 4000, 10_000, 'E'),
  STEP: entry(1, 1, 1, '-'),
  LOCK_LOCAL: entry(70, 150, 600, 'C,D'),
  LOCK_REMOTE: entry(300, 500, 1500, 'C,D'),
  IPI_GUEST: entry(20_000, 35_000, 60_000, 'D'),
  IPI_WAIT: entry(0, 0, 0, '-'),
  CPU_WAIT: entry(0, 0, 0, '-'),
  VM_EXIT: entry(1000, 1500, 4000, 'E'),
  EPT_VIOLATION: entry(1000, 2500, 6000, 'E'),
} as const;

/** Skylake … Comet Lake client and E-class parts: SGX1, integrity tree. SGX2 entries are taken from the server. */
export const clientCosts: CostEntries = {
  ...common,
  ECREATE: entry(15_000, 28_000, 40_000, 'C,E'),
  EADD: entry(6000, 12_000, 15_000, 'C'),
  EEXTEND: entry(3000, 5500, 8000, 'C,E'),
  EINIT: entry(60_000, 88_000, 150_000, 'C,E'),
  EREMOVE: entry(2000, 4500, 6000, 'C,E'),
  EAUG: entry(3000, 6000, 10_000, 'C,E'),
  EACCEPT: entry(3000, 6000, 10_000, 'C,E'),
  EMODT: entry(2000, 4000, 6400, 'C,E'),
  EMODPR: entry(2500, 5000, 8000, 'C,E'),
  EMODPE: entry(3000, 6000, 9600, 'C,E'),
  EPA: entry(2000, 5000, 8000, 'E'),
  EBLOCK: entry(500, 1200, 2000, 'E'),
  ETRACK: entry(300, 800, 2000, 'E'),
  EWB: entry(8000, 14_000, 18_000, 'C,E'),
  EWB_REFUSED: entry(500, 1200, 2000, 'E'),
  ERDINFO: entry(500, 1200, 2000, 'E'),
  EINCVIRTCHILD: entry(500, 1200, 2000, 'E'),
  EDECVIRTCHILD: entry(500, 1200, 2000, 'E'),
  ESETCONTEXT: entry(500, 1200, 2000, 'E'),
  ELDU: entry(7000, 13_000, 16_000, 'E'),
  EENTER: entry(2500, 5500, 12_000, 'A,C'),
  EEXIT: entry(2000, 4500, 8000, 'A,C'),
  AEX: entry(2000, 4000, 8000, 'E'),
  ERESUME: entry(2500, 5000, 12_000, 'E'),
  REFILL: entry(0, 5000, 20_000, 'E'),
  ADD_SW: entry(5000, 10_000, 15_000, 'B'),
  ADD_USER: entry(5000, 10_000, 20_000, 'B'),
  NUMA_REMOTE: entry(0, 0, 0, '-'),
};

/** Ice Lake-SP and later: SGX2, total memory encryption, large EPC. */
export const serverCosts: CostEntries = {
  ...common,
  ECREATE: entry(10_000, 20_000, 35_000, 'C,E'),
  EADD: entry(3000, 6000, 11_000, 'C'),
  EEXTEND: entry(2000, 4000, 6000, 'C,E'),
  EINIT: entry(40_000, 70_000, 120_000, 'C,E'),
  EREMOVE: entry(1000, 2500, 4500, 'C,E'),
  EAUG: entry(3000, 6000, 10_000, 'C,E'),
  EACCEPT: entry(3000, 6000, 10_000, 'C,E'),
  EMODT: entry(2000, 4000, 6400, 'C,E'),
  EMODPR: entry(2500, 5000, 8000, 'C,E'),
  EMODPE: entry(3000, 6000, 9600, 'C,E'),
  EPA: entry(1500, 3000, 6000, 'E'),
  EBLOCK: entry(400, 900, 1600, 'E'),
  ETRACK: entry(300, 600, 1500, 'E'),
  EWB: entry(6000, 9000, 14_000, 'C,E'),
  EWB_REFUSED: entry(400, 900, 1600, 'E'),
  ERDINFO: entry(400, 900, 1600, 'E'),
  EINCVIRTCHILD: entry(400, 900, 1600, 'E'),
  EDECVIRTCHILD: entry(400, 900, 1600, 'E'),
  ESETCONTEXT: entry(400, 900, 1600, 'E'),
  ELDU: entry(5000, 8000, 12_000, 'E'),
  EENTER: entry(3000, 5000, 8000, 'A,C'),
  EEXIT: entry(2000, 3500, 6000, 'A,C'),
  AEX: entry(2000, 3500, 7000, 'E'),
  ERESUME: entry(3000, 4500, 8000, 'E'),
  REFILL: entry(0, 3000, 15_000, 'E'),
  ADD_SW: entry(4000, 6500, 12_000, 'B'),
  ADD_USER: entry(4000, 8000, 15_000, 'B'),
  NUMA_REMOTE: entry(3000, 5000, 10_000, 'E'),
};

/** Where the numbers of each entry come from, for both parts. */
export const costSources: Readonly<Record<CostName, string>> = {
  COMPUTE: 'unit; the trace gives the number',
  ECREATE: "figures of PIE (ISCA'21) for a Gemini Lake",
  EADD: 'PIE; the server value is bounded by the build times of VXAPPS/sgx-benchmark',
  EEXTEND: 'PIE',
  EINIT: 'PIE',
  EREMOVE: 'PIE; build and destroy times of VXAPPS/sgx-benchmark for the sum',
  EAUG: 'PIE, scaled; clients have no SGX2: their entry is that of the server',
  EACCEPT: 'PIE, scaled; as EAUG',
  EMODT: 'PIE, scaled; as EAUG',
  EMODPR: 'PIE, scaled; as EAUG',
  EMODPE: 'PIE, scaled; as EAUG',
  EPA: 'estimate',
  EBLOCK: 'estimate',
  ETRACK: 'estimate',
  EWB: "Eleos (EuroSys'17): 12,000 per page when batched; rest estimate",
  EWB_REFUSED: 'estimate: as EBLOCK, since tracking is checked before encryption (SDM)',
  ELDU: 'estimate from the fault time of sgxpagefaulttrace-bpf',
  EENTER: "Gramine documentation: 8,000–12,000 with EEXIT; Eleos, sgx-perf (Middleware'18)",
  EEXIT: 'as EENTER',
  AEX: 'estimate',
  ERESUME: 'estimate',
  REFILL: 'estimate from the difference between direct and whole cost of a fault in Eleos',
  FAULT_KERNEL: 'estimate',
  BACKING_NEW: 'first touch of a page measured on a virtual machine without SGX',
  BACKING_OLD: 'estimate',
  RECLAIM_SW: 'remainder of eviction times in VXAPPS/sgx-benchmark',
  ADD_SW: 'remainder of build times in VXAPPS/sgx-benchmark',
  ADD_USER: 'user times in VXAPPS/sgx-benchmark',
  IPI_FIXED: 'TLB shootdown times, unseel.com/cs/tlb-shootdown',
  IPI_CPU: 'as IPI_FIXED',
  LOCK_FAST: 'measured on a virtual machine',
  LOCK_WAIT: 'what the run gives',
  EVENT_WAIT: 'what the run gives',
  WAKEUP: 'estimate',
  CONTEXT_SWITCH: 'estimate',
  NUMA_REMOTE: 'estimate; clients have one node',
  STEP: 'unit',
  LOCK_LOCAL: "David, Guerraoui, Trigonakis (SOSP'13); measured on a virtual machine",
  LOCK_REMOTE: "David, Guerraoui, Trigonakis (SOSP'13)",
  IPI_GUEST: 'membarrier measured on a virtual machine whose IPIs trap',
  IPI_WAIT: 'what the run gives',
  CPU_WAIT: 'what the run gives',
  VM_EXIT: 'estimate; the maximum includes what KVM does on every exit',
  EPT_VIOLATION: 'estimate: look-up of the slot and of the host page, and the entry',
  ERDINFO: 'estimate: as EBLOCK, a leaf that looks one page up and changes a word at most',
  EINCVIRTCHILD: 'estimate: as EBLOCK; an atomic addition to the SECS',
  EDECVIRTCHILD: 'as EINCVIRTCHILD',
  ESETCONTEXT: 'estimate: as EBLOCK; one word of the SECS',
};
