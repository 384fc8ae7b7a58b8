import type { GuestFaultLatencies } from './guest-latency.js';

/** What happened to one enclave of a guest. */
export interface GuestEnclaveReport {
  /** Name from the scenario. */
  readonly name: string;
  /** Pages of its range that were added. */
  readonly pages: number;
  /** References of its threads. */
  readonly accesses: number;
  /** Page faults that the guest's kernel has handled, retries included. */
  readonly faults: number;
  /** Its pages that the guest's own kernel has evicted. */
  readonly evictions: number;
  /** Its pages that the guest's own kernel has loaded back (ELDU). */
  readonly loads: number;
  /** How often it was built again, because the EPC of the guest was lost. */
  readonly rebuilds: number;
  /** Cycles for building it for the first time. */
  readonly buildCycles: number;
  /** Cycles from the first access until its last thread has ended its part of the trace. */
  readonly runCycles: number;
  /** Its throughput: {@link accesses} by {@link runCycles}, in references per second. */
  readonly accessesPerSecond: number;
  /** Latencies of its faults, as the guest feels them. */
  readonly faultLatency: GuestFaultLatencies;
}

/** Version array pages that the host has for pages of a guest; not among the pages of the guest. */
export interface VersionArrayReport {
  /** In the EPC of the host when the run ended. */
  readonly resident: number;
  /** Most in the EPC of the host at once, from the start of the virtual machine; a sum over the instances that it has at a time. */
  readonly peak: number;
  /** Out of the EPC when the run ended. */
  readonly evicted: number;
  /** How often one has left the EPC, those of instances before a migration included. */
  readonly evictions: number;
  /** How often one has come back, those of instances before a migration included. */
  readonly loads: number;
}

/** Why virtual CPUs left the guest, besides interrupts. */
export interface VmExits {
  /** EPT violations: the host had to make a page present. */
  readonly eptViolations: number;
  /** ENCLS leaves that KVM traps. */
  readonly encls: number;
  /** Conflicts of SGX leaves (exit reason 71). */
  readonly conflicts: number;
}

/** What happened to one virtual machine, from the beginning of the run on. */
export interface VmReport {
  /** Name from the scenario. */
  readonly name: string;
  /** EPC pages that its guest was given. */
  readonly epcPages: number;
  /** Of these, pages that were in the EPC of the host when the run ended. */
  readonly residentPages: number;
  /** Most of its pages that were in the EPC of the host at once. */
  readonly peakPages: number;
  /** Pages that the host has taken from the guest, those that the guest did not use included. */
  readonly hostEvictions: number;
  /** Pages that the host has loaded back. */
  readonly hostReloads: number;
  /** Version array pages that the host has for pages of the guest. */
  readonly versionArrays: VersionArrayReport;
  /** How often it was migrated; the EPC of the guest was lost each time. */
  readonly migrations: number;
  /** How often there was no memory for the instances that a migration needs, and it went on where it was. */
  readonly failedMigrations: number;
  /** Page faults that the guest's kernel has handled, retries included. */
  readonly guestFaults: number;
  /** Pages that the guest's own kernel has evicted. */
  readonly guestEvictions: number;
  /** Pages that the guest's own kernel has loaded back (ELDU, ELDB), SECS pages included. */
  readonly guestLoads: number;
  /** Exits to the host. */
  readonly exits: VmExits;
  /** References of all its enclaves. */
  readonly accesses: number;
  /** Sum of the throughput of its enclaves, in references per second. */
  readonly accessesPerSecond: number;
  /** Cycles of its virtual CPUs and of the guest's daemon by cause. */
  readonly cyclesByCause: Readonly<Record<string, number>>;
  /** Latencies of faults of all its enclaves, as the guest feels them. */
  readonly faultLatency: GuestFaultLatencies;
  /** Its enclaves, in order of the scenario. */
  readonly enclaves: readonly GuestEnclaveReport[];
  /** Why the VMM has stopped it in the middle; `null`: it did not. */
  readonly stopReason: string | null;
}
