/** A step of a replay script: `["t", enclave, page, cpu, write]`, or an object with `op`. */
export type ScriptStep =
  | readonly ['t', string, number, number?, number?]
  | (Readonly<Record<string, unknown>> & {
      /** Operation. */
      readonly op: string;
    });

/** Machine of a replay script. */
export interface ScriptMachine {
  /** NUMA nodes; index = node. */
  readonly nodes: readonly {
    /** `false`: a node without memory. */
    readonly memory?: boolean;
  }[];
  /** CPUs; index = CPU. */
  readonly cpus: readonly {
    /** Node of the CPU. */
    readonly node: number;
  }[];
  /** EPC sections in order of discovery. */
  readonly sections: readonly {
    /** Node, `-1` if the firmware gives none. */
    readonly node: number;
    /** Size in pages. */
    readonly pages: number;
    /** Announced with a type that is not EPC. */
    readonly bad_type?: boolean;
    /** Number of its first physical page; names only. */
    readonly base_page?: number;
    /** Physical pages between it and the section before; names only. */
    readonly gap_pages?: number;
  }[];
  /** `auto` (default): runs whenever it was woken; `manual`: only by the step `ksgxd`. */
  readonly ksgxd?: 'auto' | 'manual';
  /** `auto` (default): a thread that an IPI threw out enters again at once; `manual`: it stays out. */
  readonly resume?: 'auto' | 'manual';
  /** Has the processor SGX? Default: true. */
  readonly sgx?: boolean;
  /** Has it SGX2, that is dynamic memory? Default: true. */
  readonly sgx2?: boolean;
  /** Has it VMX, that is can there be guests? Default: true. */
  readonly vmx?: boolean;
  /** Can the kernel choose whose enclaves may start? Without it there is no native driver. Default: true. */
  readonly launch_control?: boolean;
  /** Are accessed bits that are looked at part of the records? Default: false. */
  readonly trace_age?: boolean;
  /** Are dropped pages of backing files part of the records? Default: false. */
  readonly trace_backing?: boolean;
}

/** Replay script, format 1: a machine, steps, and (for checking) the record that each step must give. */
export interface Script {
  /** Version of the format. */
  readonly format: 1;
  /** Name of the scenario. */
  readonly name: string;
  /** What it is about. */
  readonly about?: string;
  /** Machine that the steps run on. */
  readonly machine: ScriptMachine;
  /** Steps in order. */
  readonly steps: readonly ScriptStep[];
  /** Record that each step must give; same length as {@link steps}. */
  readonly expect?: readonly StepRecord[];
  /** Totals of the recorder. */
  readonly summary?: unknown;
}

/** What a step did. Keys that would be empty or unchanged are left out. */
export type StepRecord = Readonly<Record<string, unknown>>;

/** One replayed step. */
export interface ReplayedStep {
  /** Position in {@link Script.steps}. */
  readonly index: number;
  /** The step as the script has it. */
  readonly step: ScriptStep;
  /** What it did. */
  readonly record: StepRecord;
  /** The operation is not supported (yet): the record is empty and the replay counts as failed. */
  readonly unsupported?: string;
}
