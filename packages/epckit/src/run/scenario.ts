import type { CpuId, NodeId } from '@epckit/interface';
import type { SectionConfig } from '@epckit/numa';
import type { ReclaimSettings } from '../options.js';
import type { DealName } from './deal.js';

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
  /** Are the pages measured while they are added (16 EEXTEND per page)? */
  readonly measured: boolean;
  /**
   * Is building part of the run? Otherwise the enclave is there when time begins, and neither time nor counts
   * of building are reported. Default: true.
   */
  readonly buildCost?: boolean;
  /** Time at which its program starts, from the end of the boot. Default: 0. */
  readonly startCycles?: number;
}

/** Names of presets; each is a documented set of policies and recipes. */
export type PresetName = 'linux-6' | 'epckit';

/** Names of cost tables. */
export type CostPresetName = 'client' | 'server';

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
  };
  /** Settings and policy of the reclaimer. */
  readonly reclaim: ReclaimSettings & {
    /** How victims are chosen. */
    readonly policy: 'second-chance';
  };
  /** What operations cost. */
  readonly costs: {
    /** Table that gives the cycles. */
    readonly table: CostPresetName;
    /** Cycles by entry name that differ from the table. */
    readonly overrides: Readonly<Record<string, number>>;
    /** Core clock, to give times in seconds. */
    readonly clockGhz: number;
  };
  /** The enclaves, each with a trace. */
  readonly enclaves: readonly ScenarioEnclave[];
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
