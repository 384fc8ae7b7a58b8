import type { GuestHost, VirtualMachine, VirtualMachineOptions } from '@epckit/guest';
import { createVirtualMachine, kvmHostOf } from '@epckit/guest';
import type { CpuId } from '@epckit/interface';
import { Cost, MisuseError } from '@epckit/interface';
import type { InterruptHandler, MachineThread } from '@epckit/machine';
import type { Process } from './process.js';

/** What virtual machines of a stack run on. */
export interface VirtualMachineHost extends Omit<GuestHost, 'kvm' | 'createAddressSpace' | 'vepc'> {
  /** The virtual EPC device; null: the processor has no VMX. */
  readonly vepc: GuestHost['vepc'] | null;
  /** Makes the process of a VMM, in a cgroup or in the root. */
  createProcess(name: string, cgroup?: string): Process;
  /** The thread runs for the process from now on. */
  enter(thread: MachineThread, process: Process): void;
}

/** The virtual machines of a stack: who is told of interrupts, and who leaves a CPU that another thread gets. */
export class VirtualMachines {
  readonly #host: () => VirtualMachineHost;
  readonly #all: VirtualMachine[] = [];
  readonly #processes = new Map<VirtualMachine, Process>();

  /** @param host - asked when the first virtual machine is made */
  constructor(host: () => VirtualMachineHost) {
    this.#host = host;
  }

  /** All that were made, in order. */
  get all(): readonly VirtualMachine[] {
    return this.#all;
  }

  /**
   * Makes a virtual machine, which then has to be started.
   *
   * @param cgroup - directory that its VMM is in, such as `/tenants/a`; the root unless given
   * @returns null: no memory for an instance
   * @throws MisuseError on a processor without VMX
   */
  create(options: VirtualMachineOptions, cgroup?: string): VirtualMachine | null {
    const host = this.#host();
    const { vepc } = host;
    if (vepc === null) throw new MisuseError('A virtual machine needs a processor with VMX.');
    const kvm = kvmHostOf(host.hardware);
    const processes: Process[] = [];
    // Called when all instances are open, and not if one cannot be.
    const createAddressSpace = (name: string) => {
      processes.push(host.createProcess(name, cgroup));
      return (processes[0] as Process).mm;
    };
    const vm = createVirtualMachine(options, { ...host, vepc, kvm, createAddressSpace });
    if (vm === null) return null;
    const [process] = processes as [Process];
    this.#all.push(vm);
    this.#processes.set(vm, process);
    for (const { thread } of vm.cpus) host.enter(thread, process);
    host.enter(vm.daemon, process);
    return vm;
  }

  /**
   * A thread of the VMM runs for its process from now on, as those of virtual CPUs do: what it allocates is charged there.
   *
   * @throws MisuseError if the virtual machine was not made here
   */
  enter(thread: MachineThread, vm: VirtualMachine): void {
    const process = this.#processes.get(vm);
    if (process === undefined) throw new MisuseError(`Virtual machine '${vm.name}' was made elsewhere.`);
    this.#host().enter(thread, process);
  }

  /** Interrupts of a CPU, with those of virtual CPUs; `native` gets what concerns no guest. */
  interrupts(native: InterruptHandler): InterruptHandler {
    return {
      arrive: (by, cpu) => {
        const isOfGuest = this.#all.some((vm) => vm.interrupts.arrive(by, cpu));
        return isOfGuest || native.arrive(by, cpu);
      },
      leave: (by, cpu) => {
        for (const vm of this.#all) vm.interrupts.leave(by, cpu);
        native.leave(by, cpu);
      },
    };
  }

  /**
   * Thread `to` gets the CPU: an enclave thread of a guest leaves, and resumes when its virtual CPU runs again. Unless `to`
   * is the guest's own daemon, the CPU leaves the guest, too.
   */
  leave(cpu: CpuId, to: MachineThread): void {
    const vm = this.#inside(cpu);
    const thread = vm?.cpu(cpu)?.thread;
    if (vm === undefined || thread === undefined) return;
    const { machine, hardware } = this.#host();
    if (machine.currentOf(cpu) === thread) {
      thread.spend(Cost.AEX);
      if (to !== vm.daemon) thread.spend(Cost.VM_EXIT);
    }
    hardware.aex(cpu);
  }

  /** Virtual machine whose virtual CPU is inside an enclave on `cpu`. */
  #inside(cpu: CpuId): VirtualMachine | undefined {
    return this.#all.find((vm) => vm.cpu(cpu)?.isInside === true);
  }
}
