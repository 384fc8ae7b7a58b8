import type { Enclave } from '@epckit/enclave';
import type { AddressSpace, CpuId, LeafResult, PageIndex, Routine, Thread } from '@epckit/interface';
import { Cost, Errno, MisuseError, NONE } from '@epckit/interface';
import type { InterruptHandler, MachineThread } from '@epckit/machine';
import type { KvmVcpu, OversubVm, Vepc, VepcAddress } from '@epckit/vepc';
import { GuestState, KvmVm, offeredCpuid } from '@epckit/vepc';
import { EpcBacking } from './epc-backing.js';
import type { GuestExit } from './exit.js';
import { GuestHalted } from './exit.js';
import { ExitGate } from './exit-gate.js';
import { ExitHandler } from './exit-handler.js';
import { guestCpuid } from './guest-cpuid.js';
import { GuestEpc } from './guest-epc.js';
import { GuestHardware } from './guest-hardware.js';
import { GuestKernel } from './guest-kernel.js';
import { enableSgx, guestLaunchControl } from './guest-msrs.js';
import type { GuestHost } from './host.js';
import { VirtualCpu } from './virtual-cpu.js';
import type { VirtualMachineOptions } from './virtual-machine-options.js';
import { requireSound, sectionsOf } from './virtual-machine-options.js';

/** Where a virtual machine is in its life. */
export type VirtualMachineState = 'new' | 'running' | 'stopped' | 'ended';

/** 4 GiB in pages: where the EPC of a guest with less memory begins. */
const DEFAULT_BASE_PAGE = 2 ** 20;

/**
 * A virtual machine with SGX: virtual CPUs on CPUs of the machine, sections of guest-physical EPC with an instance of the
 * virtual EPC device behind each, and the guest's kernel.
 *
 * Routines of the guest run on the threads of its virtual CPUs, wrapped by {@link onCpu}: if the VMM has to stop the
 * virtual machine, they end where they are.
 */
export class VirtualMachine implements OversubVm {
  /** Name for reports. */
  readonly name: string;
  /** Address space of the VMM. */
  readonly mm: AddressSpace;
  /** Guest-physical EPC. */
  readonly epc: GuestEpc;
  /** Virtual CPUs. */
  readonly cpus: readonly VirtualCpu[];
  /** What KVM keeps of the virtual machine. */
  readonly kvm: KvmVm;
  /** Thread of the guest's daemon. */
  readonly daemon: MachineThread;
  readonly #host: GuestHost;
  readonly #options: VirtualMachineOptions;
  readonly #backing: EpcBacking;
  readonly #exits: ExitHandler;
  readonly #gate: ExitGate;
  #kernel: GuestKernel;
  #state: VirtualMachineState = 'new';
  #stopReason = '';

  /** @internal */
  constructor(options: VirtualMachineOptions, host: GuestHost, instances: readonly Vepc[]) {
    const { name, cpus, sections, epcBasePage = DEFAULT_BASE_PAGE } = options;
    const { machine } = host;
    this.name = name;
    this.#host = host;
    this.#options = options;
    this.mm = host.createAddressSpace(name);
    this.epc = new GuestEpc(this.mm, sectionsOf(sections, instances), epcBasePage, host.frames);
    this.kvm = new KvmVm(host.kvm);
    if (options.isProvisioningAllowed === true) this.kvm.enableAttribute('sgx_provision');
    const { epc } = this;
    const cpuid = guestCpuid(options.cpuid ?? offeredCpuid(host.kvm), epc);
    this.cpus = cpus.map((cpu) => {
      const thread = machine.createThread({ name: `${name} vcpu${cpu}`, cpu });
      this.kvm.createVcpu(cpuid);
      return new VirtualCpu(cpu, thread, { hardware: () => this.#kernel.hardware, epc });
    });
    const daemonCpu = options.daemonCpu ?? (cpus[0] as CpuId);
    this.daemon = machine.createThread({ name: `${name} ksgxd`, cpu: daemonCpu, isKernel: true });
    this.#backing = new EpcBacking(this.mm, host);
    this.#gate = new ExitGate(machine, name);
    this.#exits = new ExitHandler({
      host,
      vm: this,
      epc,
      backing: this.#backing,
      vcpuOf: (cpu) => this.vcpuOf(cpu),
      stop: (reason) => this.stop(reason),
    });
    this.#kernel = this.#createKernel();
  }

  /** The guest's kernel; a reboot makes another one. */
  get kernel(): GuestKernel {
    return this.#kernel;
  }

  /** Where it is in its life. */
  get state(): VirtualMachineState {
    return this.#state;
  }

  /** Why the VMM has stopped it, or the empty string. */
  get stopReason(): string {
    return this.#stopReason;
  }

  /** EPT violations that the host has handled. */
  get violations(): number {
    return this.#exits.violations;
  }

  /** Leaves that the host has executed or refused. */
  get trappedLeaves(): number {
    return this.#exits.trappedLeaves;
  }

  /** Conflict exits. */
  get conflicts(): number {
    return this.#exits.conflicts;
  }

  /** Instances behind the sections, in their order. */
  get instances(): readonly Vepc[] {
    return this.epc.sections.map(({ vepc }) => vepc);
  }

  /** Interrupts of the host that arrive at its CPUs: they make a virtual CPU leave the guest, and an enclave with it. */
  get interrupts(): InterruptHandler {
    return {
      arrive: (_, cpu) => this.#kicked(cpu),
      leave: (_, cpu) => this.cpu(cpu)?.resumeAfterInterrupt(),
    };
  }

  /** Where a guest-physical address in bytes lies in the VMM (KVM `gfn_to_hva`), or null: not in the EPC. Plain. */
  resolve(address: number): VepcAddress | null {
    return this.epc.resolve(address);
  }

  /** Virtual CPU that is pinned to `cpu`, or undefined. */
  cpu(cpu: CpuId): VirtualCpu | undefined {
    return this.cpus.find(({ id }) => id === cpu);
  }

  /**
   * The VMM starts the virtual machine: it maps the instances, touches what is preallocated, and the guest's kernel
   * begins.
   *
   * @returns 0, or a negated errno: the VMM has ended again, and nothing of it is left
   */
  *start(thread: Thread): Routine<number> {
    this.#require('new', 'start');
    const mapped = yield* this.#mapAll(thread);
    if (mapped !== 0) {
      yield* this.end(thread);
      return mapped;
    }
    for (const { id } of this.#threads()) {
      if (thread.clock > thread.limit) yield this.mm.cpusWriting;
      this.mm.load(id);
    }
    this.#state = 'running';
    this.#boot();
    return 0;
  }

  /**
   * A routine of the guest on one of its CPUs. If the virtual machine is stopped, or reset, it ends early.
   *
   * @returns its result, or undefined if it has ended early
   */
  *onCpu<T>(thread: MachineThread, routine: Routine<T>): Routine<T | undefined> {
    const kernel = this.#kernel;
    try {
      return yield* routine;
    } catch (error) {
      // What a kernel does that is stopped in the middle means nothing.
      if (!kernel.isHalted) throw error;
      thread.giveBackLocks();
      return undefined;
    }
  }

  /**
   * The guest reboots, or is reset: every thread of it ends, those that are in the host after what the host does for them,
   * and the VMM makes all pages unused again, with a second round for instances that had a SECS left.
   *
   * @returns pages that the second round has left, which is a defect; or `-EBUSY`: the virtual machine is stopped
   */
  *reboot(thread: Thread): Routine<number> {
    this.#require('running', 'reboot');
    this.#halt('reset');
    yield* this.#gate.close(thread);
    const left = yield* this.#backing.removeAll(thread, this.instances);
    if (left < 0) this.#state = 'stopped';
    else this.#kernel = this.#createKernel();
    yield* this.#gate.open(thread);
    if (left >= 0) this.#boot();
    return left;
  }

  /** The VMM ends, by itself or killed: nothing of the virtual machine is left. Zombies may be, of other instances. */
  *end(thread: Thread): Routine<void> {
    if (this.#state === 'ended') return;
    this.#halt('the VMM has ended');
    this.#state = 'ended';
    yield* this.#gate.close(thread);
    yield* this.#backing.close(thread, this.instances);
    for (const { id } of this.#threads()) {
      if (thread.clock > thread.limit) yield this.mm.cpusWriting;
      this.mm.unload(id);
    }
    yield* this.#gate.open(thread);
  }

  /**
   * Live migration to a machine with as much EPC, which is this one: instances are new and unused, the guest goes on and
   * finds its EPC lost. It is paused while its instances are exchanged.
   *
   * @returns 0; or `-ENOMEM`, and the guest goes on here as if nothing had been; or `-EBUSY`: it was stopped or has ended
   *   meanwhile, with the instances that it had
   */
  *migrate(thread: Thread): Routine<number> {
    this.#require('running', 'migrate');
    const before = this.instances;
    const after = yield* this.#backing.replace(thread, this, before);
    if (typeof after === 'number') return after;
    yield* this.#gate.close(thread);
    // Who ends it meanwhile closes the instances that it has then.
    const isRunning = this.#state === 'running';
    if (isRunning) this.#exchange(after);
    // Before the guest goes on, because this machine does not have the EPC twice.
    yield* this.#backing.close(thread, isRunning ? before : after);
    yield* this.#gate.open(thread);
    return isRunning ? 0 : -Errno.EBUSY;
  }

  /** It has these instances from now on, all unused, and no CPU is inside an enclave. */
  #exchange(instances: readonly Vepc[]): void {
    for (const cpu of this.cpus) if (cpu.isInside) this.#host.hardware.aex(cpu.id);
    for (const [index, section] of this.epc.sections.entries()) section.vepc = instances[index] as Vepc;
    this.#kernel.noteEpcLoss();
  }

  /** The machine was asleep and has lost the EPC (S3): the caller has lost power for all, the guest finds out. */
  *wakeFromSleep(thread: Thread): Routine<void> {
    this.#kernel.noteEpcLoss();
    const { oversub } = this.#host.vepc;
    if (oversub === null) return;
    for (const vepc of this.instances) yield* oversub.resume.run(thread, vepc);
  }

  /** The VMM touches a page of the guest's EPC, and so makes it present. @returns false: it cannot be had (SIGBUS) */
  populate(thread: Thread, page: PageIndex): Routine<boolean> {
    return this.#backing.faultIn(thread, this.epc.addressOf(page));
  }

  /** The VMM stops the virtual machine, as after an error that it cannot handle. Plain. */
  stop(reason: string): void {
    if (this.#state !== 'running') return;
    this.#halt(reason);
    this.#state = 'stopped';
  }

  /** Has the guest's enclave lost its EPC pages? */
  hasLostEpc(enclave: Enclave): boolean {
    return this.#kernel.hasLostEpc(enclave);
  }

  /** KVM's state of the virtual CPU on `cpu`; the daemon shares that of the first one if it has a CPU of its own. */
  vcpuOf(cpu: CpuId): KvmVcpu {
    const index = this.cpus.findIndex(({ id }) => id === cpu);
    return this.kvm.vcpus[Math.max(index, 0)] as KvmVcpu;
  }

  #createKernel(): GuestKernel {
    const { name, cpus, daemon, epc } = this;
    const { machine, hardware: host } = this.#host;
    const hardware: GuestHardware = new GuestHardware({
      host,
      epc,
      objects: machine.objects,
      name,
      isExtended: this.#isReclaimed,
      isIntercepted: (cpu, leaf) => this.vcpuOf(cpu).intercepts(leaf),
      isHalted: () => kernel.isHalted,
      serve: (thread, exit) => this.#serve(thread, exit, kernel),
    });
    const { kernel: options = {}, probe = null } = this.#options;
    const parts = {
      name,
      machine,
      hardware,
      epc,
      cpus,
      daemon,
      probe,
      launchControl: guestLaunchControl((cpu) => this.vcpuOf(cpu)),
      machineCheck: (cpu: VirtualCpu, page: PageIndex) => this.#machineCheck(cpu, page, kernel),
    };
    const kernel: GuestKernel = new GuestKernel(options, parts);
    return kernel;
  }

  /** Firmware enables SGX, and the kernel's daemon begins. */
  #boot(): void {
    const { machine } = this.#host;
    for (const vcpu of this.kvm.vcpus) enableSgx(vcpu);
    // A daemon that is still ending goes on with the new kernel by itself.
    if (this.daemon.routine === null) machine.start(this.daemon, this.#daemonMain());
    if (machine.world === 'direct') machine.runKernelThreads();
  }

  /** What the daemon's thread does: the daemon of one kernel after the other. */
  *#daemonMain(): Routine<void> {
    for (let kernel: GuestKernel | null = null; kernel !== this.#kernel; ) {
      kernel = this.#kernel;
      yield* this.onCpu(this.daemon, this.#switched(kernel));
    }
  }

  /**
   * Whenever the daemon gets the CPU of a virtual CPU, the enclave thread there has been thrown out. The daemon of a
   * kernel that is halted ends instead of sleeping.
   */
  *#switched(kernel: GuestKernel): Routine<void> {
    const { daemon } = this;
    const cpu = this.cpu(daemon.cpu);
    const routine = kernel.main();
    for (let step = routine.next(); step.done !== true; step = routine.next()) {
      if (kernel.isHalted && this.#isAsleep()) {
        daemon.blockedOn = null;
        return;
      }
      yield step.value;
      if (cpu?.isInside !== true) continue;
      daemon.spend(Cost.AEX);
      this.#host.hardware.aex(cpu.id);
    }
  }

  /** Does the daemon wait for an event of its kernel? */
  #isAsleep(): boolean {
    const { daemon } = this;
    return daemon.blockedOn?.isIdle === true && !daemon.isEnabled && !this.#gate.isInside(daemon);
  }

  /** No leaf of the kernel completes from now on; no CPU is inside an enclave; its daemon ends. */
  #halt(reason: string): void {
    this.#kernel.isHalted = true;
    this.#stopReason = reason;
    for (const cpu of this.cpus) cpu.reset();
    for (const vcpu of this.kvm.vcpus) vcpu.reset();
    // A daemon that does something ends by itself, as virtual CPUs do: what the host does for it, it does to the end.
    if (!this.#isAsleep()) return;
    this.daemon.routine = null;
    this.daemon.blockedOn = null;
  }

  /** What the host does about an exit. @returns result for the guest, or null: the leaf is repeated */
  *#serve(thread: Thread, exit: GuestExit, kernel: GuestKernel): Routine<LeafResult | null> {
    this.#requireRunning(kernel);
    yield* this.#gate.enter(thread);
    const result = kernel.isHalted ? null : yield* this.#exits.handle(thread, exit, kernel.hardware);
    yield* this.#gate.leave(thread);
    this.#requireRunning(kernel);
    return result;
  }

  #requireRunning(kernel: GuestKernel): void {
    if (kernel.isHalted) throw new GuestHalted(this.#stopReason);
  }

  /** An interrupt of the host: the CPU leaves the guest, and an enclave before that. */
  #kicked(id: CpuId): boolean {
    const cpu = this.cpu(id);
    const wasInside = cpu?.interrupt() === true;
    const thread = wasInside ? cpu?.thread : this.#executing(id);
    thread?.spend(Cost.VM_EXIT);
    return wasInside;
  }

  /** Thread that executes the guest on the CPU at the moment, not the host for it. Others may see it in the timed world. */
  #executing(id: CpuId): MachineThread | undefined {
    const { machine } = this.#host;
    if (machine.world !== 'timed' || this.#state !== 'running') return undefined;
    const current = machine.currentOf(id);
    if (current === null || this.#gate.isInside(current)) return undefined;
    return current === this.daemon || current === this.cpu(id)?.thread ? current : undefined;
  }

  /** Pages of the guest that the host has evicted, for reports. Reads every record. */
  evictedPages(): number {
    let count = 0;
    for (const vepc of this.instances) {
      const records = this.#host.vepc.oversub?.instance(vepc.id)?.records;
      if (records === undefined) continue;
      for (let page = records.next(0); page !== NONE; page = records.next(page + 1)) {
        if (records.state(page) === GuestState.EVICTED) count++;
      }
    }
    return count;
  }

  /** Does the host evict pages of the guest? */
  get #isReclaimed(): boolean {
    return this.#host.vepc.oversub !== null;
  }

  /**
   * Guest code has met broken memory: the host takes the page out of use, and the thread of the virtual CPU gets SIGBUS.
   * No machine check is injected for EPC: the VMM stops.
   */
  *#machineCheck(cpu: VirtualCpu, page: PageIndex, kernel: GuestKernel): Routine<void> {
    const { thread } = cpu;
    if (cpu.isInside) yield* cpu.exitAsynchronously();
    thread.spend(Cost.VM_EXIT);
    yield* this.#gate.enter(thread);
    const { memoryFailure } = this.#host;
    const hostPage = this.epc.resident(page);
    if (memoryFailure !== null && hostPage !== NONE) yield* memoryFailure.report(thread, hostPage);
    if (!kernel.isHalted) this.stop('memory failure in the EPC of the guest');
    yield* this.#gate.leave(thread);
    throw new GuestHalted(this.#stopReason);
  }

  /** Maps every instance, and touches what is preallocated. @returns 0 or a negated errno */
  *#mapAll(thread: Thread): Routine<number> {
    for (const [index, { vepc }] of this.epc.sections.entries()) {
      const result = yield* this.#backing.map(thread, this, vepc);
      if (result !== 0) return result;
      if (this.#options.sections[index]?.isPreallocated !== true) continue;
      const touched = yield* this.#backing.touchAll(thread, vepc);
      if (touched !== 0) return touched;
    }
    return 0;
  }

  /** CPUs that may execute the guest. */
  *#threads(): Iterable<{ readonly id: CpuId }> {
    yield* this.cpus;
    if (this.cpu(this.daemon.cpu) === undefined) yield { id: this.daemon.cpu };
  }

  #require(state: VirtualMachineState, what: string): void {
    if (this.#state === state) return;
    throw new MisuseError(`Virtual machine '${this.name}' cannot ${what}.`, [`it is ${this.#state}`]);
  }
}

/**
 * Makes a virtual machine, which then has to be started.
 *
 * @returns null: no memory for an instance of the virtual EPC device (`-ENOMEM`); those before it are closed again
 * @throws MisuseError without virtual CPUs or sections, with two virtual CPUs on one CPU, or with SGX features that KVM
 *   does not support
 */
export function createVirtualMachine(options: VirtualMachineOptions, host: GuestHost): VirtualMachine | null {
  requireSound(options, host.machine.cpuCount);
  // Refuses what it does not support before there is anything that somebody would have to close.
  new KvmVm(host.kvm).createVcpu(options.cpuid);
  const instances: Vepc[] = [];
  for (const { pageCount } of options.sections) {
    const vepc = host.vepc.open(pageCount);
    if (vepc === null) {
      for (const opened of instances) host.vepc.closeUnused(opened);
      return null;
    }
    instances.push(vepc);
  }
  return new VirtualMachine(options, host, instances);
}
