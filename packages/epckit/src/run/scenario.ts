import type { CpuId, NodeId } from '@epckit/interface';
import type { SectionConfig } from '@epckit/numa';
import type { Fallback, GuestVersionArrays, MachineDescription, ReclaimSettings } from '../options.js';
import type { ScenarioCosts } from './costs.js';
import type { DealName } from './deal.js';
import type { ScenarioCgroups } from './scenario-groups.js';
import type { ScenarioVm } from './vms/scenario-vms.js';
import { guestTraceNames } from './vms/scenario-vms.js';

/**
 * A decoded page trace: one entry per run of references to one page. `loadTrace` of `@epckit/trace` and its
 * generators give this shape.
 */
export interface TraceColumns {
  /** Number of runs. */
  readonly length: number;
  /** Dense page index of each run. */
  readonly page: Uint32Array;
  /** 0 read, 1 write, 2 execute. */
  readonly type: Uint8Array;
  /** References of each run. */
  readonly count: Uint32Array;
  /** Virtual page number of each dense index; its length is the number of distinct pages. */
  readonly pageNumber: Float64Array;
}

/** A thread with a trace of its own. */
export interface ScenarioThread {
  /** Trace file as the user named it. */
  readonly trace: string;
  /** CPU that it runs on. */
  readonly cpu: CpuId;
  /** Earliest time at which it enters the enclave, from the end of the boot. Default: 0. */
  readonly startCycles?: number;
}

/** An enclave of a scenario. */
export interface ScenarioEnclave {
  /** Name in reports; unique. */
  readonly name: string;
  /** Trace file as the user named it; which columns belong to it is the caller's business. */
  readonly trace: string;
  /** Runs of the trace to replay; `null`: all. */
  readonly runs: number | null;
  /** How often the trace is replayed one after the other. */
  readonly repeat: number;
  /** CPU of its first thread, the one that builds it. */
  readonly cpu: CpuId;
  /** CPUs of the further threads, one each. Default: none. */
  readonly moreCpus?: readonly CpuId[];
  /** How several threads share the trace. Default: `slices`. */
  readonly deal?: DealName;
  /**
   * Further threads with traces of their own, instead of {@link moreCpus}. The threads of an enclave have one address
   * space: the same address in two traces is the same page. Default: none.
   */
  readonly moreThreads?: readonly ScenarioThread[];
  /** Are the pages measured while they are added (16 EEXTEND per page)? */
  readonly measured: boolean;
  /**
   * Is building part of the run? Otherwise the enclave is there when time begins, and neither time nor counts
   * of building are reported. Default: true.
   */
  readonly buildCost?: boolean;
  /** Time at which its program starts, from the end of the boot. Default: 0. */
  readonly startCycles?: number;
  /** Earliest time at which its first thread enters the enclave, from the end of the boot. Default: 0. */
  readonly enterCycles?: number;
  /**
   * Part of the pages of the trace, from 0 to 1, that are not built but added on first touch (EAUG, EACCEPT): those with
   * the highest addresses. Needs SGX2. Default: 0.
   */
  readonly dynamicShare?: number;
  /** Directory of the cgroup tree that its process is in, such as `/tenants/a`. Default: the root. */
  readonly cgroup?: string;
  /** Its process is ended at this time, from the end of the boot; `null` (default): at the end of its trace. */
  readonly stopCycles?: number | null;
}

/** Traces of the threads of an enclave, each once. */
export function traceNames({ trace, moreThreads = [] }: ScenarioEnclave): readonly string[] {
  return [...new Set([trace, ...moreThreads.map((thread) => thread.trace)])];
}

/** Traces of all enclaves of a scenario, those of guests included, each once. */
export function scenarioTraces({ enclaves, vms = [] }: Scenario): readonly string[] {
  const ofGuests = vms.flatMap((vm) => vm.enclaves.flatMap(guestTraceNames));
  return [...new Set([...enclaves.flatMap(traceNames), ...ofGuests])];
}

/** CPU of each thread of an enclave. */
export function threadCpus({ cpu, moreCpus = [], moreThreads = [] }: ScenarioEnclave): readonly CpuId[] {
  return [cpu, ...moreCpus, ...moreThreads.map((thread) => thread.cpu)];
}

/** Names of presets; each is a documented set of policies and recipes. */
export type PresetName = 'linux-6' | 'epckit' | 'cgroup-2020' | 'cgroup-v5' | 'cgroup-v17' | 'kvm-oversub';

/** A scenario: what `run` executes and reports. The command spells every default out. */
export interface Scenario {
  /** Title of the report. */
  readonly name: string;
  /** Policies and recipes. */
  readonly preset: PresetName;
  /** The machine. */
  readonly machine: {
    /** CPUs; index = CPU. */
    readonly cpus: readonly {
      /** NUMA node of the CPU. */
      readonly node: NodeId;
    }[];
    /** EPC sections in order of discovery. */
    readonly sections: readonly SectionConfig[];
    /** Distances between nodes as in the firmware's SLIT; see `MachineDescription`. Default: unknown. */
    readonly distances?: MachineDescription['distances'] | null;
    /** Cycles for which a thread has its CPU when another one could run. Default: 10,500,000. */
    readonly sliceCycles?: number;
  };
  /** How EPC pages are given out. */
  readonly allocator?: {
    /** Which node is tried after the caller's own; the nearest needs distances. Default: `ascending`. */
    readonly fallback?: Fallback | undefined;
  };
  /** Settings and policy of the reclaimer. */
  readonly reclaim: ReclaimSettings & {
    /** How victims are chosen. */
    readonly policy: 'second-chance';
  };
  /** What operations cost. */
  readonly costs: ScenarioCosts;
  /**
   * Cgroups; an enclave that cannot go on then ends, and the others run on. Default: none, and the whole run ends with
   * the first such enclave.
   */
  readonly cgroups?: ScenarioCgroups | null;
  /** The enclaves, each with a trace. */
  readonly enclaves: readonly ScenarioEnclave[];
  /** Virtual machines with enclaves of their own. Default: none. */
  readonly vms?: readonly ScenarioVm[];
  /** Does the host reclaim pages of guests? `null` (default): as the preset does. */
  readonly hostReclaim?: boolean | null;
  /** Do version array pages of the host for pages of guests stay in the EPC? Default: `fixed`, they do. */
  readonly hostVersionArrays?: GuestVersionArrays;
  /**
   * Seed of every random choice. Start jitter and generated traces draw from it, in whoever makes the scenario;
   * the policies of today do not.
   */
  readonly seed: number;
  /** Programs stop at this time; `null` (default): at the end of their traces. */
  readonly horizonCycles?: number | null;
}

/** Progress of a run: called now and then with references done and in all. */
export type RunProgress = (done: number, total: number) => void;
