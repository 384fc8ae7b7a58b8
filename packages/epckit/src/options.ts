import type { EnclaveDriverRecipes, KernelCall } from '@epckit/enclave';
import type { HardwareModel } from '@epckit/hardware';
import type {
  ChargeController,
  CostTable,
  EvictionPolicy,
  FrameTable,
  NodeId,
  PageAllocator,
  Probe,
  ReclaimLists,
  WakePolicy,
} from '@epckit/interface';
import type { TimedOptions } from '@epckit/machine';
import type { NodePoolsOptions, PageAllocatorComponents, SectionConfig } from '@epckit/numa';
import type { LoadBack, LoadBackComponents, WriteBack, WriteBackComponents } from '@epckit/paging';
import type { Ksgxd, ReclaimerComponents, ReclaimerOptions, ReclaimListsComponents } from '@epckit/reclaim';
import type { Batch, BatchComponents } from '@epckit/reclaim/recipes';
import type { VepcDriverRecipes } from '@epckit/vepc';
import type { CgroupSettings } from './cgroups/settings.js';

/** The machine below an EPC. */
export interface MachineDescription {
  /** Node of each CPU; index = CPU. */
  readonly cpus: readonly {
    /** NUMA node of the CPU. */
    readonly node: NodeId;
  }[];
  /** EPC sections in order of discovery. */
  readonly sections: readonly SectionConfig[];
  /**
   * Distances between nodes as in the firmware's SLIT: row and column are node ids, 10 is local, 11 to 254 elsewhere.
   * Default: unknown; every other node is equally far.
   */
  readonly distances?: readonly (readonly number[])[];
}

/**
 * Which free pages daemons watch, and which pages they reclaim. `all`: every daemon those of the machine, from one list,
 * as Linux. `perNode`: a daemon per node with EPC, each with a list of its own and its part of the marks.
 */
export type DaemonNodes = 'all' | 'perNode';

/** Where daemons run: each on a CPU of its own beside those of the user, or on CPUs of the user, taking turns. */
export type DaemonPlacement = 'own' | 'shared';

/** Which node is tried after the caller's own: ids ascending, as Linux, or the nearest if distances are given. */
export type Fallback = 'ascending' | 'byDistance';

/** Settings of the reclaimer. Units: pages. */
export interface ReclaimSettings {
  /** Pages per batch. */
  readonly batchPages: number;
  /** An allocation that leaves fewer free pages wakes the daemon. */
  readonly lowPages: number;
  /** The daemon works until this many are free. */
  readonly highPages: number;
  /** Number of daemons. Per node, 1 stands for one per node. Default: 1. */
  readonly daemons?: number;
  /** Where daemons run. Default: `own`. */
  readonly daemonPlacement?: DaemonPlacement;
  /** What daemons watch. Default: `all`. */
  readonly daemonNodes?: DaemonNodes;
}

/** Do version array pages of the host for pages of guests stay in the EPC? */
export type GuestVersionArrays = 'fixed' | 'evictable';

/** What happens to a thread that an IPI has thrown out of its enclave. */
export type ResumePolicy = 'auto' | 'manual';

/** Recipes of the paging between EPC and backing store. */
export interface PagingRecipes {
  /** Makes the write-back of an enclave. */
  readonly writeBack?: (components: WriteBackComponents) => WriteBack;
  /** Makes the load of an enclave. */
  readonly loadBack?: (components: LoadBackComponents) => LoadBack;
}

/** Says which calls fail for want of memory: those of the driver, and pages of backing files. */
export interface FailureSource {
  /** Does this call fail? */
  fails(call: KernelCall | 'shmem_page'): boolean;
}

/** Everything that {@link createEpc} composes. */
export interface EpcOptions {
  /** CPUs and EPC sections. */
  readonly machine: MachineDescription;
  /** Cycles per operation. Default: typical values of the client table. */
  readonly costs?: CostTable;
  /** How the timed world runs. */
  readonly timed?: TimedOptions;
  /** The machine is a guest without IPI virtualisation: a target of an IPI costs `IPI_GUEST`. Default: false. */
  readonly hasTrappedIpis?: boolean;
  /** Checking mode, needed by the explored world. Default: off. */
  readonly checking?: boolean;
  /** Listeners of trace points. Default: none. */
  readonly probe?: Probe | null;
  /** Default: batch 16, marks 32 and 64, one daemon, as Linux; it has a CPU of its own. */
  readonly reclaim?: Partial<ReclaimSettings>;
  /** Makes the eviction policy. Default: second chance. */
  readonly policy?: (components: { readonly frames: FrameTable }) => EvictionPolicy;
  /** When the daemon is woken. Default: the marks of {@link reclaim}. */
  readonly wake?: WakePolicy;
  /** Who may use how much. Default: nobody is limited, at no cost. */
  readonly charge?: ChargeController | null;
  /**
   * An EPC controller with cgroups instead of {@link charge}; its lists are used instead of {@link lists}. Default: none;
   * then nothing of it is composed.
   */
  readonly cgroups?: CgroupSettings | null;
  /** Makes the batch recipe. Default: Linux 6.12. */
  readonly batch?: (components: BatchComponents) => Batch;
  /** Makes the list of reclaimable pages, of each node if daemons are per node. Default: as Linux 6.12. */
  readonly lists?: (components: ReclaimListsComponents) => ReclaimLists;
  /** Makes the reclaimer. Default: Linux 6.12. */
  readonly reclaimer?: (options: ReclaimerOptions, components: ReclaimerComponents) => Ksgxd;
  /** Makes the allocator. Default: Linux 6.12. */
  readonly allocator?: (components: PageAllocatorComponents) => PageAllocator;
  /** Order of nodes. Default: `ascending`. */
  readonly fallback?: Fallback;
  /** Recipes of the pools. Default: Linux 6.12. */
  readonly pools?: NodePoolsOptions;
  /** Recipes of paging. Default: Linux 6.12. */
  readonly paging?: PagingRecipes;
  /** Recipes of the native driver. Default: Linux 6.12. */
  readonly enclave?: EnclaveDriverRecipes;
  /** The processor has VMX, so there is a virtual EPC device for guests. Default: true. */
  readonly vmx?: boolean;
  /**
   * The host reclaims pages of guests that its virtual machines have, on the same lists as those of native enclaves.
   * Default: false, as Linux; what guests have is theirs until they end. Recipes: `vepc.oversub`.
   */
  readonly guestReclaim?: boolean;
  /**
   * Version array pages of the host for {@link guestReclaim}. Default: `fixed`, one per 512 pages of each instance from
   * its start; `evictable`, made when needed, and full ones leave the EPC when it is wanting (2018 branch).
   */
  readonly guestVersionArrays?: GuestVersionArrays;
  /** Recipes of the virtual EPC device. Default: Linux 6.12. */
  readonly vepc?: VepcDriverRecipes;
  /** Wraps the hardware before anything uses it, such as to make leaves fail. Default: as it is. */
  readonly hardware?: (hardware: HardwareModel) => HardwareModel;
  /** Which calls into the kernel fail. Default: none. */
  readonly failures?: FailureSource | null;
  /** Default: `auto`, threads enter again before the IPI call returns. */
  readonly resume?: ResumePolicy;
  /**
   * TCS.STATE and CSSA are kept and checked at every entry. Default: true; recordings were made without.
   */
  readonly tcsState?: boolean;
  /** The driver uses dynamic memory (SGX2): faults add pages, ioctls change them. Default: true. */
  readonly dynamicMemory?: boolean;
}

/** Linux's constants (`SGX_NR_TO_SCAN`, `SGX_NR_LOW_PAGES`, `SGX_NR_HIGH_PAGES`). */
export const linuxReclaim: Required<ReclaimSettings> = {
  batchPages: 16,
  lowPages: 32,
  highPages: 64,
  daemons: 1,
  daemonPlacement: 'own',
  daemonNodes: 'all',
};
