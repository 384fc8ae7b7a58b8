import type { Enclave } from '@epckit/enclave';
import type { VirtualCpu, VirtualMachine } from '@epckit/guest';
import { GuestProgram } from '@epckit/guest';
import type { Routine } from '@epckit/interface';
import type { Machine } from '@epckit/machine';
import type { TracePart } from '../deal.js';
import { dealTrace } from '../deal.js';
import type { TraceColumns } from '../scenario.js';
import type { SharedTrace } from '../thread-traces.js';
import { shareTraces } from '../thread-traces.js';
import type { GuestCounters, GuestEnclaveCounts, GuestProbe } from './guest-counters.js';
import { sumOfCounts } from './guest-counters.js';
import type { GuestFailures } from './guest-failure.js';
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
  /** Makes the errors. */
  readonly failures: GuestFailures;
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
  /** What each thread replays. */
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
  /** Earliest time at which each thread enters. */
  enterAt: readonly number[] = [];
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
  /** Counts of each enclave that was built. */
  readonly #counts: GuestEnclaveCounts[] = [];
  #running: number;

  /** @param traces - the first is that of the first thread, or of all; then those of the further threads */
  constructor(
    vm: VirtualMachine,
    settings: ScenarioGuestEnclave,
    traces: readonly TraceColumns[],
    parts: GuestRunParts,
  ) {
    this.vm = vm;
    this.settings = settings;
    this.parts = parts;
    const { name, measured } = settings;
    const { machine, probe } = parts;
    const { pageNumber, parts: traceParts } = partsOf(settings, traces);
    this.dataPages = pageNumber.length;
    this.traceParts = traceParts;
    this.#running = traceParts.length;
    const onOpened = ({ id }: Enclave) => void this.#counts.push(probe.begins(id));
    this.program = new GuestProgram(
      vm,
      { name, dataPages: this.dataPages, threads: traceParts.length, isMeasured: measured, onOpened },
      machine,
    );
    this.building = machine.waitQueue(`building of ${vm.name}: ${name}`);
  }

  /** Pages of its range: those of its trace and one TCS per thread. */
  get pageCount(): number {
    return this.dataPages + this.traceParts.length;
  }

  /** What happened to it, however often it was built; zero before that. */
  get counts(): Readonly<GuestEnclaveCounts> {
    return sumOfCounts(this.#counts);
  }

  /** Builds it for the first time. */
  *build(cpu: VirtualCpu): Routine<void> {
    this.began = cpu.thread.clock;
    yield* this.program.build(cpu);
    this.built = cpu.thread.clock;
    this.isBuilt = true;
    this.building.wake(cpu.thread);
  }

  /** Building was no part of the run, which begins now. */
  forgetBuilding(now: number): void {
    this.began = now;
    this.built = now;
  }

  /** A thread has ended. @returns whether it was the last one */
  threadEnds(clock: number): boolean {
    this.ended = Math.max(this.ended, clock);
    this.#running--;
    return this.#running === 0;
  }
}

/** The part of each thread, and the pages of all: dealt from one trace, or a trace for each. */
function partsOf(
  { runs, deal, vcpus, moreThreads = [] }: ScenarioGuestEnclave,
  traces: readonly TraceColumns[],
): Pick<SharedTrace, 'pageNumber' | 'parts'> {
  if (moreThreads.length > 0) return shareTraces(traces, runs ?? Number.POSITIVE_INFINITY);
  const [trace] = traces as readonly [TraceColumns];
  const length = Math.min(runs ?? trace.length, trace.length);
  return { pageNumber: trace.pageNumber, parts: dealTrace(trace, length, vcpus.length, deal) };
}
