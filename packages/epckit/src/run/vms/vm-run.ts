import type { VirtualCpu, VirtualMachine } from '@epckit/guest';
import { GuestProgramFailure } from '@epckit/guest';
import type { Routine } from '@epckit/interface';
import { errnoNames } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Epc } from '../../create-epc.js';
import { RunFailure } from '../run-failure.js';
import type { TraceColumns } from '../scenario.js';
import type { GuestCounters } from './guest-counters.js';
import { GuestProbe } from './guest-counters.js';
import type { GuestRunParts } from './guest-enclave.js';
import { GuestEnclave } from './guest-enclave.js';
import { GuestThread, guestFailure } from './guest-thread.js';
import type { ScenarioVm } from './scenario-vms.js';

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

  /**
   * Makes the virtual machine and starts it, in the direct world; its kernel has cleaned its EPC then.
   *
   * @param traces - columns of each enclave
   * @throws RunFailure if there is not enough EPC for that
   */
  constructor(
    epc: Epc,
    settings: ScenarioVm,
    traces: readonly TraceColumns[],
    parts: Pick<GuestRunParts, 'counters' | 'onProgress'>,
  ) {
    this.#epc = epc;
    this.settings = settings;
    this.vm = createVm(epc, settings, this.probe);
    parts.counters.add(this.vm, this.probe);
    this.#boot();
    const run: GuestRunParts = { ...parts, machine: epc.machine, probe: this.probe };
    this.enclaves = settings.enclaves.map((enclave, index) => {
      return new GuestEnclave(this.vm, enclave, traces[index] as TraceColumns, run);
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

  /** Time at which the programs of the guest had ended. */
  get endOfWork(): number {
    return this.vm.state === 'stopped' ? this.ended : Math.max(0, ...this.enclaves.map(({ ended }) => ended));
  }

  /** The run begins. @param horizon - programs stop at this time */
  start(began: number, horizon: number): void {
    const { violations, trappedLeaves, conflicts } = this.vm;
    Object.assign(this.#before, { violations, trappedLeaves, conflicts });
    for (const enclave of this.enclaves) {
      const { startCycles, stopCycles } = enclave.settings;
      enclave.startAt = began + startCycles;
      enclave.stopAt = began + Math.min(horizon, stopCycles ?? Number.POSITIVE_INFINITY);
    }
    for (const [vcpu, cpu] of this.vm.cpus.entries()) {
      this.#epc.machine.start(cpu.thread, this.#main(cpu, vcpu));
    }
  }

  /** What a virtual CPU does, one thing after the other. */
  *#main(cpu: VirtualCpu, vcpu: number): Routine<void> {
    yield* this.vm.onCpu(cpu.thread, this.#programs(cpu, vcpu));
    this.ended = Math.max(this.ended, cpu.thread.clock);
  }

  *#programs(cpu: VirtualCpu, vcpu: number): Routine<void> {
    for (const enclave of this.enclaves) {
      for (const [index, place] of enclave.settings.vcpus.entries()) {
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
    return guestFailure(this.vm.name, settings.name, 'building', error.message);
  }

  #boot(): void {
    const { vm } = this;
    const [{ thread }] = vm.cpus as [VirtualCpu];
    const result = this.#epc.machine.run(thread, vm.start(thread));
    if (result === 0 && vm.state === 'running') return;
    const why = result === 0 ? vm.stopReason : (errnoNames[-result] ?? `result ${result}`);
    throw notStarted(vm.name, why, this.#epc);
  }
}

function createVm(epc: Epc, settings: ScenarioVm, probe: GuestProbe): VirtualMachine {
  const { name, cpus, sections, reclaim, cgroup } = settings;
  const vm = epc.vms.create({ name, cpus, sections, kernel: reclaim, probe }, cgroup ?? undefined);
  if (vm === null) throw notStarted(name, 'ENOMEM', epc);
  return vm;
}

function notStarted(name: string, why: string, epc: Epc): RunFailure {
  const pages = epc.frames.pageCount;
  return new RunFailure(
    name,
    `Virtual machine '${name}' cannot start (${why}).`,
    [`EPC: ${pages} pages`, 'the kernel of a guest touches all of its EPC when it starts'],
    'Give the machine more EPC, or let the host reclaim from guests.',
  );
}

/** Makes and starts the virtual machines of a scenario. */
export function startVms(
  epc: Epc,
  vms: readonly ScenarioVm[],
  traceOf: (name: string) => TraceColumns,
  parts: { readonly counters: GuestCounters; readonly onProgress: (references: number) => void },
): readonly VmRun[] {
  return vms.map((settings) => {
    const traces = settings.enclaves.map(({ trace }) => traceOf(trace));
    return new VmRun(epc, settings, traces, parts);
  });
}
