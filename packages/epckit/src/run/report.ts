import type { CpuId, NodeId } from '@epckit/interface';
import type { LockStatistics } from '@epckit/machine';
import type { CostReport } from './costs.js';
import type { FreePageReport } from './free-page-line.js';
import type { EnclaveFailure, GroupReports } from './group-report.js';
import type { LatencySummary } from './histogram.js';
import type { Scenario } from './scenario.js';
import type { VmReport } from './vms/vm-report.js';

/** Counts of one enclave or of the whole run. */
export interface RunCounts {
  /** References by the program. */
  readonly accesses: number;
  /** Page faults, retries included. */
  readonly faults: number;
  /** Faults that ended without a page: the page or free EPC was not to be had yet. */
  readonly faultRetries: number;
  /** EADD executed. */
  readonly eadd: number;
  /** EEXTEND executed: 16 per measured page. */
  readonly eextend: number;
  /** EAUG executed: pages added at run time. */
  readonly eaug: number;
  /** EACCEPT executed. */
  readonly eaccept: number;
  /** ELDU executed. */
  readonly eldu: number;
  /** EWB that wrote a page out. */
  readonly ewb: number;
  /** EWB that was refused because tracking was not complete. */
  readonly ewbNotTracked: number;
  /** EBLOCK executed. */
  readonly eblock: number;
  /** ETRACK executed. */
  readonly etrack: number;
  /** EREMOVE executed on pages of enclaves. */
  readonly eremove: number;
  /** Asynchronous exits. */
  readonly aex: number;
  /** ERESUME executed. */
  readonly eresume: number;
}

/**
 * Latencies of accesses that faulted, retries included: from the exit out of the enclave until the page is
 * accessible and the thread inside again.
 */
export interface FaultLatencies {
  /** The page was loaded back (ELDU). */
  readonly load: LatencySummary;
  /** The page was added at run time (EAUG). */
  readonly eaug: LatencySummary;
  /** The page was in the EPC, or came there by another thread: only its page-table entry was missing. */
  readonly firstTouch: LatencySummary;
}

/** What happened to one thread of an enclave. */
export interface ThreadReport {
  /** CPU that it ran on. */
  readonly cpu: CpuId;
  /** References by this thread. */
  readonly accesses: number;
  /** Cycles from its first access to the end of its part of the trace. */
  readonly runCycles: number;
  /** Its throughput: {@link accesses} by {@link runCycles}, in references per second. */
  readonly accessesPerSecond: number;
  /** Cycles of the thread by cause. */
  readonly cyclesByCause: Readonly<Record<string, number>>;
  /** Cycles that it has waited for locks, by name; together its `LOCK_WAIT`. */
  readonly lockWaitCycles: Readonly<Record<string, number>>;
}

/** What happened to one enclave. */
export interface EnclaveReport extends RunCounts {
  /** Name from the scenario. */
  readonly name: string;
  /** Pages of its range that were added. */
  readonly pages: number;
  /** Version array pages. */
  readonly vaPages: number;
  /** Most EPC pages it held at once, SECS and version arrays included. */
  readonly peakEpcPages: number;
  /** Cycles from the first access until its last thread has ended its part of the trace. */
  readonly runCycles: number;
  /** Cycles for building it; 0 if building is no part of the run. */
  readonly buildCycles: number;
  /**
   * Cycles of its threads by cause: waiting for the start, build, run, and the release if one of its threads
   * drops the last reference.
   */
  readonly cyclesByCause: Readonly<Record<string, number>>;
  /** Fault latencies of its threads. */
  readonly faultLatency: FaultLatencies;
  /** Its threads, in order of the scenario. */
  readonly threads: readonly ThreadReport[];
  /** Why it could not go on, in a scenario with cgroups; left out if it did. */
  readonly failure?: EnclaveFailure;
}

/** Time of one CPU. Causes and idle time add up to the time of the last event of the run. */
export interface CpuReport {
  /** CPU number; daemons with a CPU of their own have the last ones. */
  readonly cpu: CpuId;
  /** NUMA node of the CPU. */
  readonly node: NodeId;
  /** Cycles without anything to do: waiting for an event, or ended. */
  readonly idleCycles: number;
  /** Other cycles by cause. */
  readonly cyclesByCause: Readonly<Record<string, number>>;
  /** The same cycles by `CauseGroup`. */
  readonly cyclesByGroup: Readonly<Record<string, number>>;
  /** Cycles that the threads of this CPU have waited for locks, by name; the CPU may have been idle meanwhile. */
  readonly lockWaitCycles: Readonly<Record<string, number>>;
}

/** What one reclaim daemon has done from the end of the boot on. */
export interface DaemonReport {
  /** Name of its thread. */
  readonly name: string;
  /** CPU that it runs on. */
  readonly cpu: CpuId;
  /** NUMA node of the CPU. */
  readonly node: NodeId;
  /** Part of the elapsed time in which it was awake. */
  readonly duty: number;
  /** Cycles in which it was awake until the last enclave had ended. */
  readonly awakeCycles: number;
  /** Wake-ups that found it asleep. */
  readonly wakeups: number;
  /** Its batches. */
  readonly batches: number;
  /** Pages that they evicted. */
  readonly evictions: number;
  /** Its cycles by cause. */
  readonly cyclesByCause: Readonly<Record<string, number>>;
}

/** What an evicted page (EWB) takes on average; 0 if none was evicted. */
export interface PerEviction {
  /** Tracking cycles. */
  readonly etrack: number;
  /** IPI rounds. */
  readonly ipiRounds: number;
  /** CPUs that IPIs threw out of an enclave. */
  readonly ipiInterruptedCpus: number;
}

/** Result of a run. Byte-identical for equal scenario, traces and versions. */
export interface RunReport {
  /** Version of the format. */
  readonly format: 'epckit-run-1';
  /** Package versions by name. */
  readonly versions: Readonly<Record<string, string>>;
  /** Seed from the scenario. */
  readonly seed: number;
  /** Scenario with every default spelled out. */
  readonly scenario: Scenario;
  /** Facts of each trace file, by its name in the scenario. */
  readonly traces: Readonly<
    Record<
      string,
      {
        /** Runs in the file. */
        readonly runs: number;
        /** Distinct pages. */
        readonly uniquePages: number;
      }
    >
  >;
  /** Counts over all enclaves, and what belongs to the machine. */
  readonly total: RunCounts & {
    /** IPI rounds. */
    readonly ipiRounds: number;
    /** CPUs that IPIs threw out of an enclave. */
    readonly ipiInterruptedCpus: number;
    /** Wake-ups that found the daemon asleep. */
    readonly ksgxdWakeups: number;
    /** Batches of the daemon. */
    readonly ksgxdBatches: number;
    /** Batches in the context of an allocation. */
    readonly directReclaims: number;
    /** Version array pages of all enclaves. */
    readonly vaPages: number;
    /** EPC pages of the machine. */
    readonly epcPages: number;
    /** Most EPC pages in use at once. */
    readonly peakEpcPages: number;
    /** Cycles until the last enclave has ended. */
    readonly elapsedCycles: number;
    /** EPC pages that were allocated. */
    readonly allocations: number;
    /** Of these, pages of another node than that of the allocating CPU. */
    readonly remoteAllocations: number;
    /** Changes of a CPU from one thread to another, from idleness included. */
    readonly contextSwitches: number;
    /** Pages that batches of the daemon evicted. */
    readonly ksgxdEvictions: number;
    /** Pages that batches in the context of an allocation evicted. */
    readonly directEvictions: number;
  };
  /** Shares from 0 to 1; 0 where there is nothing to share. */
  readonly shares: {
    /** Part of the elapsed time in which the daemon was awake; of several daemons, the mean. */
    readonly ksgxdDuty: number;
    /** Part of the evicted pages that were evicted in the context of an allocation. */
    readonly directReclaim: number;
    /** Part of the allocations that got a page of another node. */
    readonly remoteNode: number;
  };
  /** What an evicted page takes on average. */
  readonly perEviction: PerEviction;
  /** Fault latencies over all enclaves. */
  readonly faultLatency: FaultLatencies;
  /** Free EPC pages over time, from the end of the boot. */
  readonly freePages: FreePageReport;
  /** One report per enclave, in order of the scenario. */
  readonly enclaves: readonly EnclaveReport[];
  /** One report per virtual machine, in order of the scenario; left out if it has none. */
  readonly vms?: readonly VmReport[];
  /** What happened to cgroups; left out if the scenario has none. */
  readonly cgroups?: GroupReports;
  /** All daemons together. */
  readonly ksgxd: {
    /** Cycles of the daemons by cause, from the end of the boot on. */
    readonly cyclesByCause: Readonly<Record<string, number>>;
    /** Cycles in which they were awake until the last enclave had ended, summed. */
    readonly awakeCycles: number;
  };
  /** Each daemon. */
  readonly daemons: readonly DaemonReport[];
  /** One report per CPU. */
  readonly cpus: readonly CpuReport[];
  /** What the locks have seen, by name and in order of their first lock; those never taken are left out. */
  readonly locks: readonly LockStatistics[];
  /** What each operation has cost, where that comes from, and whether it is an assumption. */
  readonly costs: readonly CostReport[];
}
