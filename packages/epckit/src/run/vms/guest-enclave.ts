import type { VirtualCpu, VirtualMachine } from '@epckit/guest';
import { GuestProgram } from '@epckit/guest';
import type { Routine } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import type { TracePart } from '../deal.js';
import { dealTrace } from '../deal.js';
import type { TraceColumns } from '../scenario.js';
import type { GuestCounters, GuestEnclaveCounts, GuestProbe } from './guest-counters.js';
import { createGuestLatencies } from './guest-latency.js';
import type { ScenarioGuestEnclave } from './scenario-vms.js';

/** What enclaves of guests report to. */
export interface GuestRunParts {
  /** The machine of the run. */
  readonly machine: Machine;
  /** Counts of guests. */
  readonly counters: GuestCounters;
  /** What the guest's kernel tells. */
  readonly probe: GuestProbe;
  /** Called with references done since the last call. */
  readonly onProgress: (references: number) => void;
}

/** An enclave of a guest: its process, its part of the run, and what was seen of it. */
export class GuestEnclave {
  /** What the scenario says of it. */
  readonly settings: ScenarioGuestEnclave;
  /** Its virtual machine. */
  readonly vm: VirtualMachine;
  /** The process that builds it. */
  readonly program: GuestProgram;
  /** What it reports to. */
  readonly parts: GuestRunParts;
  /** Part of the trace that each thread replays. */
  readonly traceParts: readonly TracePart[];
  /** Threads that wait until it is built. */
  readonly building: ReturnType<Machine['waitQueue']>;
  /** Latencies of accesses that faulted. */
  readonly latency = createGuestLatencies();
  /** Its pages with data; the TCS pages follow. */
  readonly dataPages: number;
  /** Its threads stop replaying at this time. */
  stopAt = Number.POSITIVE_INFINITY;
  /** Time at which its process starts. */
  startAt = 0;
  /** What happened to it; zero before it is built. */
  counts: Readonly<GuestEnclaveCounts> = { faults: 0, evictions: 0, loads: 0 };
  /** Is it built? */
  isBuilt = false;
  /** Time at which building began. */
  began = 0;
  /** Time at which it was built. */
  built = 0;
  /** Time of the first access; infinite: there was none. */
  entered = Number.POSITIVE_INFINITY;
  /** Time at which the last thread has ended its part; 0: none has. */
  ended = 0;
  /** References done. */
  accesses = 0;
  #running: number;

  constructor(vm: VirtualMachine, settings: ScenarioGuestEnclave, trace: TraceColumns, parts: GuestRunParts) {
    this.vm = vm;
    this.settings = settings;
    this.parts = parts;
    const { name, vcpus, measured, deal, runs } = settings;
    const { machine } = parts;
    this.dataPages = trace.pageNumber.length;
    this.traceParts = dealTrace(trace, Math.min(runs ?? trace.length, trace.length), vcpus.length, deal);
    this.#running = vcpus.length;
    this.program = new GuestProgram(
      vm,
      { name, dataPages: this.dataPages, threads: vcpus.length, isMeasured: measured },
      machine,
    );
    this.building = machine.waitQueue(`building of ${vm.name}: ${name}`);
  }

  /** Pages of its range: those of its trace and one TCS per thread. */
  get pageCount(): number {
    return this.dataPages + this.settings.vcpus.length;
  }

  /** The last thread ends the process. */
  *end(cpu: VirtualCpu): Routine<void> {
    const { id } = this.program.enclave;
    yield* this.program.end(cpu);
    this.parts.probe.gone(id);
  }

  /** A thread has ended. @returns whether it was the last one */
  threadEnds(clock: number): boolean {
    this.ended = Math.max(this.ended, clock);
    this.#running--;
    return this.#running === 0;
  }

  /** The first thread has built it. */
  noteBuilt({ thread }: VirtualCpu): void {
    this.counts = this.parts.probe.of(this.program.enclave.id);
    this.built = thread.clock;
    this.isBuilt = true;
    this.building.wake(thread);
  }
}
