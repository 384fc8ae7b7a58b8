import type { EpcUsage } from '@epckit/cgroup';
import type { CpuId } from '@epckit/interface';

/** EPC pages that are charged over time, in buckets of equal length. */
export interface UsageReport {
  /** Length of a bucket; a power of two. */
  readonly intervalCycles: number;
  /** Most pages in each bucket; at most 128 entries. */
  readonly highest: readonly number[];
  /** Pages after the last change in each bucket, or before it. */
  readonly last: readonly number[];
}

/** Pages that batches dealt with. */
export interface ReclaimedPages {
  /** Pages that batches took off a list. */
  readonly lookedAt: number;
  /** Of these, pages that were evicted. */
  readonly evicted: number;
}

/** Allocations that failed because their page could not be charged, by reason; those that are tried again too. */
export interface RefusalCounts {
  /** The limit of a group. */
  readonly limit: number;
  /** The capacity of the machine. */
  readonly machine: number;
  /** There were pages to reclaim, but backing memory for none of them. */
  readonly backing: number;
}

/** What happened to a cgroup. Everything includes the groups below it, except {@link eventsLocal}. */
export interface GroupReport {
  /** Directory from the mount point; `/` is the root. */
  readonly path: string;
  /** Its limit at the end, in bytes; `null`: none. */
  readonly maxBytes: number | null;
  /** Enclaves in it and below, by name. */
  readonly enclaves: readonly string[];
  /** Pages charged to it over time, from the beginning of the run. */
  readonly usage: UsageReport;
  /** Most pages at once since the beginning of the run. */
  readonly peakPages: number;
  /** `misc.peak` in bytes: since boot, charges that failed further up included. */
  readonly miscPeakBytes: number;
  /** What the pages were used for when there were most of them. */
  readonly useAtPeak: EpcUsage;
  /** Charges that failed at its limit or at one below, since boot (`misc.events`). */
  readonly events: number;
  /** Charges that failed at its own limit, since boot (`misc.events.local`). */
  readonly eventsLocal: number;
  /** Allocations of its processes that were refused, by reason. */
  readonly refusals: RefusalCounts;
  /** Pages of the group that batches dealt with, whoever ran these. */
  readonly reclaimedFrom: ReclaimedPages;
  /** Pages that batches of its own processes dealt with, whosever pages these were. */
  readonly reclaimedBy: ReclaimedPages;
  /** Pages that workers dealt with on its behalf. */
  readonly reclaimedByWorkers: ReclaimedPages;
  /** References by its enclaves. */
  readonly accesses: number;
  /** Page faults of its enclaves, retries included. */
  readonly faults: number;
  /** Of these, faults that ended without a page. */
  readonly faultRetries: number;
  /** Pages of its enclaves that were loaded back. */
  readonly eldu: number;
  /** Enclaves that were killed because this group or one below needed room, by name, in order. */
  readonly victims: readonly string[];
  /** Enclaves of it that could not go on, by name. */
  readonly failed: readonly string[];
}

/** Why an enclave of a scenario with cgroups could not go on. */
export interface EnclaveFailure {
  /** What failed, such as `ADD_PAGES` or `an access`. */
  readonly call: string;
  /** With what, such as `ENOMEM`. */
  readonly result: string;
  /** Who refused its last charge that failed: a limit, the machine or the backing store; `null`: nobody did. */
  readonly refusedFor: 'limit' | 'machine' | 'backing' | null;
  /** Group whose limit it was, or in which nothing could be written; `null`: none. */
  readonly refusedBy: string | null;
  /** When, in cycles from the beginning of the run; negative: while it was built before. */
  readonly cycle: number;
}

/** A kernel thread of the controller. */
export interface WorkerReport {
  /** Name of the thread. */
  readonly name: string;
  /** CPU that it has for itself. */
  readonly cpu: CpuId;
}

/** All that a run with cgroups says besides. */
export interface GroupReports {
  /** Name of the design. */
  readonly design: string;
  /** The root, then the groups of the scenario in its order. */
  readonly groups: readonly GroupReport[];
  /**
   * Jain index of the throughputs of the enclaves: 1 if all have the same, 1 by their number if one has everything. An
   * enclave that could not go on has what it got until then, over the whole time.
   */
  readonly fairness: number;
  /** Background reclaim. */
  readonly workers: {
    /** Work items that were run since boot. */
    readonly runs: number;
    /** Its threads, and the one that writes later limits. */
    readonly threads: readonly WorkerReport[];
    /** Their cycles by cause, those of the thread that writes later limits included. */
    readonly cyclesByCause: Readonly<Record<string, number>>;
  };
}
