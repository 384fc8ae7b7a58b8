import type { VirtualCpu, VirtualMachine } from '@epckit/guest';
import { GuestProgramFailure } from '@epckit/guest';
import type { Routine } from '@epckit/interface';
import { Cost, errnoNames, Mode, op } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { OversubInstance } from '@epckit/vepc';
import type { Epc } from '../../create-epc.js';
import type { Preset } from '../../presets.js';
import { presets } from '../../presets.js';
import type { RunFailure } from '../run-failure.js';
import type { TraceColumns } from '../scenario.js';
import type { GuestCounters } from './guest-counters.js';
import { GuestProbe } from './guest-counters.js';
import type { GuestRunParts } from './guest-enclave.js';
import { GuestEnclave } from './guest-enclave.js';
import { GuestFailures } from './guest-failure.js';
import { GuestThread } from './guest-thread.js';
import type { ScenarioVm } from './scenario-vms.js';
import { guestVcpus } from './scenario-vms.js';
import type { VersionArrayReport } from './vm-report.js';

/** A virtual machine of a run: started before time begins, with the programs of its guest on its virtual CPUs. */
export class VmRun {
  /** What the scenario says of it. */
  readonly settings: ScenarioVm;
  /** The virtual machine. */
  readonly vm: VirtualMachine;
  /** Enclaves of the guest, in order of the scenario. */
  readonly enclaves: readonly GuestEnclave[];
  /** What the guest's kernel has told. */
  readonly probe = new GuestProbe();
  /** Exits before the run has begun. */
  readonly #before = { violations: 0, trappedLeaves: 0, conflicts: 0 };
  readonly #epc: Epc;
  /** Time at which the last virtual CPU had nothing to do any more. */
  ended = 0;
  /** Migrations so far. */
  migrations = 0;
  /** Migrations so far that there was no memory for: the guest has stayed where it was. */
  failedMigrations = 0;
  /** Version array pages of instances before the last migration. */
  readonly #versionsBefore = { peak: 0, evictions: 0, loads: 0 };
  readonly #counters: GuestCounters;
  readonly #failures: GuestFailures;

  /**
   * Makes the virtual machine and starts it, in the direct world; its kernel has cleaned its EPC then.
   *
   * @param traces - columns of each enclave: of the first thread, or of all, and of the further threads
   * @throws RunFailure if there is not enough EPC for that
   */
  constructor(
    epc: Epc,
    settings: ScenarioVm,
    traces: readonly (readonly TraceColumns[])[],
    parts: Pick<GuestRunParts, 'counters' | 'onProgress'>,
  ) {
    this.#epc = epc;
    this.settings = settings;
    this.#failures = new GuestFailures(epc, settings);
    this.vm = this.#create(epc, settings);
    this.#counters = parts.counters;
    this.#counters.add(this.vm, this.probe);
    this.#boot();
    const run: GuestRunParts = {
      ...parts,
      machine: epc.machine,
      probe: this.probe,
      failures: this.#failures,
    };
    this.enclaves = settings.enclaves.map((enclave, index) => {
      return new GuestEnclave(this.vm, enclave, traces[index] as readonly TraceColumns[], run);
    });
  }

  /** Threads of virtual CPUs, and the guest's daemon. */
  get threads(): readonly MachineThread[] {
    return [...this.vm.cpus.map(({ thread }) => thread), this.vm.daemon];
  }

  /** Exits since the run has begun. */
  get exits(): Pick<VirtualMachine, 'violations' | 'trappedLeaves' | 'conflicts'> {
    const { vm } = this;
    const before = this.#before;
    return {
      violations: vm.violations - before.violations,
      trappedLeaves: vm.trappedLeaves - before.trappedLeaves,
      conflicts: vm.conflicts - before.conflicts,
    };
  }

  /** Version array pages that the host has, and had, for its instances. */
  versionArrays(): VersionArrayReport {
    const { peak, evictions, loads } = this.#versionsBefore;
    const counts = this.#versionsOf(this.#oversubInstances());
    return {
      ...counts,
      peak: Math.max(peak, counts.peak),
      evictions: evictions + counts.evictions,
      loads: loads + counts.loads,
    };
  }

  /** What the host knows of its instances to reclaim from them. */
  #oversubInstances(): OversubInstance[] {
    const oversub = this.#epc.vepc?.oversub ?? null;
    return this.vm.instances.flatMap(({ id }) => oversub?.instance(id) ?? []);
  }

  #versionsOf(instances: readonly OversubInstance[]): VersionArrayReport {
    const sum = { resident: 0, peak: 0, evicted: 0, evictions: 0, loads: 0 };
    for (const instance of instances) {
      const counts = this.#epc.vepc?.oversub?.versions.counts(instance) ?? sum;
      for (const key of ['resident', 'peak', 'evicted', 'evictions', 'loads'] as const)
        sum[key] += counts[key];
    }
    return sum;
  }

  /** Time at which the programs of the guest had ended. */
  get endOfWork(): number {
    return this.vm.state === 'stopped' ? this.ended : Math.max(0, ...this.enclaves.map(({ ended }) => ended));
  }

  /** Builds what is no part of the run. @throws RunFailure if the guest cannot have the EPC for that */
  prepare(): void {
    const { machine } = this.#epc;
    for (const enclave of this.enclaves.filter(({ settings }) => settings.buildCost === false)) {
      const cpu = this.vm.cpus[enclave.settings.vcpus[0] as number] as VirtualCpu;
      machine.run(cpu.thread, this.vm.onCpu(cpu.thread, this.#built(enclave, cpu)));
      if (this.vm.state !== 'running') throw this.#notStarted(this.vm.stopReason);
    }
  }

  *#built(enclave: GuestEnclave, cpu: VirtualCpu): Routine<void> {
    try {
      yield* enclave.build(cpu);
    } catch (error) {
      throw this.#named(enclave, error);
    }
  }

  /** The run begins. @param horizon - programs stop at this time */
  start(began: number, horizon: number): void {
    const { violations, trappedLeaves, conflicts } = this.vm;
    Object.assign(this.#before, { violations, trappedLeaves, conflicts });
    this.probe.begin();
    for (const enclave of this.enclaves) {
      const { startCycles, stopCycles, vcpus, moreThreads = [], enterCycles = 0 } = enclave.settings;
      if (enclave.isBuilt) enclave.forgetBuilding(began);
      const own = moreThreads.map((thread) => began + (thread.startCycles ?? 0));
      enclave.enterAt = [...vcpus.map(() => began + enterCycles), ...own];
      enclave.startAt = began + startCycles;
      enclave.stopAt = began + Math.min(horizon, stopCycles ?? Number.POSITIVE_INFINITY);
    }
    for (const [vcpu, cpu] of this.vm.cpus.entries()) {
      this.#epc.machine.start(cpu.thread, this.#main(cpu, vcpu));
    }
    this.#startMigrations(began);
  }

  /** Who migrates it runs on the last CPU, beside daemons. */
  #startMigrations(began: number): void {
    const { migrateCycles = [] } = this.settings;
    if (migrateCycles.length === 0) return;
    const { machine } = this.#epc;
    const thread = machine.createThread({ name: `${this.vm.name} migration`, cpu: machine.cpuCount - 1 });
    this.#epc.vms.enter(thread, this.vm);
    thread.startAt(began);
    machine.start(
      thread,
      this.#migrate(
        thread,
        migrateCycles.map((cycles) => began + cycles),
      ),
    );
  }

  /** Migrates at each of these times, until the virtual machine is stopped. */
  *#migrate(thread: MachineThread, times: readonly number[]): Routine<void> {
    const name = `time of the migrations of ${this.vm.name}`;
    const waiting = op(this.#epc.machine.objects.range(name, 1), Mode.ADD);
    for (const time of times) {
      thread.waitUntil(time, Cost.EVENT_WAIT);
      if (thread.clock > thread.limit) yield waiting;
      if (this.vm.state !== 'running') return;
      const before = this.#oversubInstances();
      if ((yield* this.vm.migrate(thread)) === 0) this.#migrated(before);
      else if (this.vm.state === 'running') this.failedMigrations++;
    }
  }

  /** It has other instances than `before`. */
  #migrated(before: readonly OversubInstance[]): void {
    this.migrations++;
    this.#counters.follow(this.vm);
    const { peak, evictions, loads } = this.#versionsOf(before);
    const sum = this.#versionsBefore;
    sum.peak = Math.max(sum.peak, peak);
    sum.evictions += evictions;
    sum.loads += loads;
  }

  /** What a virtual CPU does, one thing after the other. */
  *#main(cpu: VirtualCpu, vcpu: number): Routine<void> {
    yield* this.vm.onCpu(cpu.thread, this.#programs(cpu, vcpu));
    this.ended = Math.max(this.ended, cpu.thread.clock);
    if (this.vm.state !== 'stopped') return;
    // Nobody builds any more.
    for (const { building } of this.enclaves) building.wake(cpu.thread);
  }

  *#programs(cpu: VirtualCpu, vcpu: number): Routine<void> {
    for (const enclave of this.enclaves) {
      for (const [index, place] of guestVcpus(enclave.settings).entries()) {
        if (place !== vcpu) continue;
        try {
          yield* new GuestThread(enclave, cpu, index).main();
        } catch (error) {
          throw this.#named(enclave, error);
        }
      }
    }
  }

  /** An error of the guest's program as one of the scenario. */
  #named({ settings }: GuestEnclave, error: unknown): unknown {
    if (!(error instanceof GuestProgramFailure) || this.vm.kernel.isHalted) return error;
    const { step, what } = error;
    return this.#failures.program(settings.name, step, {
      trouble: what === 'ENOMEM' ? 'space' : 'loss',
      result: what,
    });
  }

  #boot(): void {
    const { vm } = this;
    const [{ thread }] = vm.cpus as [VirtualCpu];
    const result = this.#epc.machine.run(thread, vm.start(thread));
    if (result === 0 && vm.state === 'running') return;
    const why = result === 0 ? vm.stopReason : (errnoNames[-result] ?? `result ${result}`);
    throw this.#notStarted(why);
  }

  #create(epc: Epc, settings: ScenarioVm): VirtualMachine {
    const { name, cpus, sections, reclaim, cgroup } = settings;
    const { probe } = this;
    const kernel = { ...(presets[settings.kernel ?? 'linux-6'] as Preset), ...reclaim };
    const vm = epc.vms.create({ name, cpus, sections, kernel, probe }, cgroup ?? undefined);
    if (vm === null) throw this.#failures.start('ENOMEM', []);
    return vm;
  }

  #notStarted(why: string): RunFailure {
    return this.#failures.start(why, this.threads);
  }
}

/** Makes and starts the virtual machines of a scenario. */
export function startVms(
  epc: Epc,
  vms: readonly ScenarioVm[],
  traceOf: (name: string) => TraceColumns,
  parts: { readonly counters: GuestCounters; readonly onProgress: (references: number) => void },
): readonly VmRun[] {
  return vms.map((settings) => {
    const traces = settings.enclaves.map(({ trace, moreThreads = [] }) => {
      return [trace, ...moreThreads.map((thread) => thread.trace)].map(traceOf);
    });
    return new VmRun(epc, settings, traces, parts);
  });
}
