import type { CpuId, NodeId } from '@epckit/interface';
import type { DealName } from '../deal.js';
import type { PresetName } from '../scenario.js';

/** An EPC section of a virtual machine. */
export interface ScenarioVmSection {
  /** Pages that the guest is given. */
  readonly pageCount: number;
  /** NUMA node that the guest is told. */
  readonly node: NodeId;
  /** The VMM touches every page before the guest starts. */
  readonly isPreallocated: boolean;
}

/** A further thread of a guest's enclave, with a trace of its own. */
export interface ScenarioGuestThread {
  /** Trace as the user named it. */
  readonly trace: string;
  /** Virtual CPU that it runs on, from 0. */
  readonly vcpu: number;
  /** Earliest time at which it enters the enclave, from the beginning of the run. Default: 0. */
  readonly startCycles?: number;
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
  /**
   * Further threads with traces of their own; {@link vcpus} has one entry then. The threads of an enclave have one address
   * space: the same address in two traces is the same page. Default: none.
   */
  readonly moreThreads?: readonly ScenarioGuestThread[];
  /** Earliest time at which its first thread enters the enclave, from the beginning of the run. Default: 0. */
  readonly enterCycles?: number;
  /** Are the pages measured while they are added? */
  readonly measured: boolean;
  /**
   * Is building part of the run? Otherwise the enclave is there when time begins, and neither time nor counts of building
   * are reported. Default: true.
   */
  readonly buildCost?: boolean;
  /** Earliest time at which it is built, from the beginning of the run. */
  readonly startCycles: number;
  /** Its threads stop at this time; `null`: at the end of the trace. */
  readonly stopCycles: number | null;
}

/** Kernel of a guest, by the preset that has its recipes. */
export type GuestKernelName = Extract<PresetName, 'linux-6' | 'epckit'>;

/** A virtual machine of a scenario. It is up when time begins, and stays up until the end. */
export interface ScenarioVm {
  /** Name in reports; unique. */
  readonly name: string;
  /** CPUs that its virtual CPUs are pinned to, a different one each. Other guests and enclaves may be there: they take turns. */
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
  /** Kernel of the guest: Linux 6.12, or Linux with its known defects repaired. Default: `linux-6`. */
  readonly kernel?: GuestKernelName;
  /**
   * Times at which it is migrated live to a machine like this one, from the beginning of the run, ascending. The EPC of the
   * guest is lost each time, and its enclaves are built again. Default: none.
   */
  readonly migrateCycles?: readonly number[];
  /** Directory of the cgroup tree that its VMM is in; `null`: the root. */
  readonly cgroup: string | null;
  /** Enclaves of the guest. */
  readonly enclaves: readonly ScenarioGuestEnclave[];
}

/** Traces of the threads of a guest's enclave, each once. */
export function guestTraceNames({ trace, moreThreads = [] }: ScenarioGuestEnclave): readonly string[] {
  return [...new Set([trace, ...moreThreads.map((thread) => thread.trace)])];
}

/** Virtual CPU of each thread of a guest's enclave. */
export function guestVcpus({ vcpus, moreThreads = [] }: ScenarioGuestEnclave): readonly number[] {
  return [...vcpus, ...moreThreads.map(({ vcpu }) => vcpu)];
}
