import type { CpuId, NodeId } from '@epckit/interface';
import type { DealName } from '../deal.js';

/** An EPC section of a virtual machine. */
export interface ScenarioVmSection {
  /** Pages that the guest is given. */
  readonly pageCount: number;
  /** NUMA node that the guest is told. */
  readonly node: NodeId;
  /** The VMM touches every page before the guest starts. */
  readonly isPreallocated: boolean;
}

/** An enclave in a guest: built at its start by its first thread, and gone with its last. */
export interface ScenarioGuestEnclave {
  /** Name in reports; unique in its guest. */
  readonly name: string;
  /** Trace as the user named it. */
  readonly trace: string;
  /** Runs of the trace to replay; `null`: all. */
  readonly runs: number | null;
  /** How often the trace is replayed one after the other. */
  readonly repeat: number;
  /** Virtual CPU of each thread, from 0. Those of one virtual CPU run one after the other, in order of the list. */
  readonly vcpus: readonly number[];
  /** How several threads share the trace. */
  readonly deal: DealName;
  /** Are the pages measured while they are added? */
  readonly measured: boolean;
  /** Earliest time at which it is built, from the beginning of the run. */
  readonly startCycles: number;
  /** Its threads stop at this time; `null`: at the end of the trace. */
  readonly stopCycles: number | null;
}

/** A virtual machine of a scenario. It is up when time begins, and stays up until the end. */
export interface ScenarioVm {
  /** Name in reports; unique. */
  readonly name: string;
  /** CPUs that its virtual CPUs are pinned to; nobody else of the scenario is there. */
  readonly cpus: readonly CpuId[];
  /** EPC of the guest. */
  readonly sections: readonly ScenarioVmSection[];
  /** Reclaimer of the guest's own kernel, with one daemon on the first virtual CPU. Units: pages. */
  readonly reclaim: {
    /** Pages per batch. */
    readonly batchPages: number;
    /** An allocation in the guest that leaves fewer free pages wakes the daemon. */
    readonly lowPages: number;
    /** The daemon works until this many are free. */
    readonly highPages: number;
  };
  /** Directory of the cgroup tree that its VMM is in; `null`: the root. */
  readonly cgroup: string | null;
  /** Enclaves of the guest. */
  readonly enclaves: readonly ScenarioGuestEnclave[];
}
