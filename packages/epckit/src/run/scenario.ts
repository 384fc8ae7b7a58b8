import type { NodeId } from '@epckit/interface';
import type { SectionConfig } from '@epckit/numa';
import type { ReclaimSettings } from '../options.js';

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

/** An enclave of a scenario, with every default spelled out. */
export interface ScenarioEnclave {
  /** Name in reports; unique. */
  readonly name: string;
  /** Trace file as the user named it; which columns belong to it is the caller's business. */
  readonly trace: string;
  /** Runs of the trace to replay; `null`: all. */
  readonly runs: number | null;
  /** How often the trace is replayed one after the other. */
  readonly repeat: number;
  /** CPU that its thread runs on. */
  readonly cpu: number;
  /** Are the pages measured while they are added (16 EEXTEND per page)? */
  readonly measured: boolean;
}

/** Names of presets; each is a documented set of policies and recipes. */
export type PresetName = 'linux-6' | 'epckit';

/** Names of cost tables. */
export type CostPresetName = 'client' | 'server';

/** A scenario with every default spelled out: what `run` executes and reports. */
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
  /** Seed of every random choice. Nothing draws from it while policies and traces are deterministic. */
  readonly seed: number;
}

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
  /** Cycles from the first access to the end of the trace. */
  readonly runCycles: number;
  /** Cycles for building it. */
  readonly buildCycles: number;
  /** Cycles of its thread by cause: build, run, and the release if its thread drops the last reference. */
  readonly cyclesByCause: Readonly<Record<string, number>>;
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
  };
  /** One report per enclave, in order of the scenario. */
  readonly enclaves: readonly EnclaveReport[];
  /** The daemon. */
  readonly ksgxd: {
    /** Cycles of the daemon by cause, from the end of the boot on. */
    readonly cyclesByCause: Readonly<Record<string, number>>;
  };
}

/** Progress of a run: called now and then with references done and in all. */
export type RunProgress = (done: number, total: number) => void;
