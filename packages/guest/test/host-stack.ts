import type { Enclave, EnclaveDriver } from '@epckit/enclave';
import { checkEnclaves, createEnclaveDriver } from '@epckit/enclave';
import { checkFrames, createFrameTable } from '@epckit/frames';
import type { HardwareModel, SgxFeatureOptions } from '@epckit/hardware';
import { checkEpcm, createSgxHardware, launchControlOf } from '@epckit/hardware';
import type {
  AddressSpace,
  ChargeController,
  MemoryFailure,
  PageAllocator,
  PageIndex,
  Probe,
  Routine,
} from '@epckit/interface';
import { Attribute, NONE, PageType, Prot } from '@epckit/interface';
import type { Ipi, Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createAddressSpace, createCpuSet } from '@epckit/mm';
import type { NodePools } from '@epckit/numa';
import { checkPools, createMemoryFailure, createNodePools, createPageAllocator } from '@epckit/numa';
import {
  createBackingStore,
  createEtrack,
  createLoadBack,
  createVersionSlots,
  createWriteBack,
} from '@epckit/paging';
import { LoadBackKeeping } from '@epckit/paging/recipes';
import type { Ksgxd } from '@epckit/reclaim';
import {
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '@epckit/reclaim';
import { Batch } from '@epckit/reclaim/recipes';
import type { OversubRecipes, VepcDriver, VmPage } from '@epckit/vepc';
import { checkOversub, checkVepc, createVepcDriver } from '@epckit/vepc';
import type { GuestHost, VirtualMachine, VirtualMachineOptions } from '../src/index.js';
import { checkGuest, createVirtualMachine, kvmHostOf } from '../src/index.js';

export interface HostOptions {
  readonly epcPages?: number;
  /** CPUs besides that of the host's daemon. */
  readonly cpus?: number;
  readonly lowPages?: number;
  readonly highPages?: number;
  readonly checking?: boolean;
  readonly features?: SgxFeatureOptions;
  /** The host reclaims pages of guests. */
  readonly oversub?: boolean;
  /** Slots of a version array page of the host that can be evicted; left out: all of them stay. */
  readonly versionSlots?: number;
  /** Steps of host reclaim to replace. */
  readonly recipes?: OversubRecipes;
  /** Limits what owners may have. */
  readonly charge?: ChargeController;
  /** Sees every leaf of the processor. */
  readonly probe?: Probe;
}

const FIRST_VEPC_OWNER = 2 ** 30;

/** A host of real packages: native enclaves, and the virtual EPC device of mainline Linux. */
export class HostStack {
  readonly machine: Machine;
  readonly frames: ReturnType<typeof createFrameTable>;
  readonly hardware: HardwareModel;
  readonly pools: NodePools;
  readonly allocator: PageAllocator;
  readonly reclaimer: Ksgxd;
  readonly driver: EnclaveDriver;
  readonly vepc: VepcDriver;
  readonly ipi: Ipi;
  readonly memoryFailure: MemoryFailure;
  readonly host: GuestHost;
  readonly vms: VirtualMachine[] = [];
  /** A thread of the host per CPU, for system calls of VMMs. */
  readonly threads: readonly MachineThread[];
  #mmCount = 0;

  constructor(options: HostOptions = {}) {
    const { epcPages = 64, cpus: cpuCount = 4, lowPages = 4, highPages = 8, checking = false } = options;
    const machine = createMachine({
      cpus: Array.from({ length: cpuCount + 1 }, () => ({ node: 0 })),
      checking,
    });
    this.machine = machine;
    const { objects } = machine;
    const monitor = machine.checking;
    const { probe = null, charge = null, versionSlots: slotsPerPage } = options;
    this.threads = Array.from({ length: cpuCount }, (_, cpu) =>
      machine.createThread({ name: `qemu${cpu}`, cpu }),
    );
    const ksgxd = machine.createThread({ name: 'ksgxd', cpu: cpuCount, isKernel: true });
    const frames = createFrameTable({ sections: [{ node: 0, pageCount: epcPages }] }, { objects, monitor });
    this.frames = frames;
    const { features } = options;
    const hardware = createSgxHardware(
      { pageCount: epcPages, cpuCount: cpuCount + 1, features },
      { objects, monitor, probe },
    );
    this.hardware = hardware;
    machine.overlaps = hardware.overlaps;
    const locks = machine;
    this.pools = createNodePools({}, { frames, locks, hardware, probe });
    const pool = this.pools;
    const owners = createOwnerRegistry();
    const lists = createReclaimLists({ frames, locks, owners, policy: secondChance()({ frames }), probe });
    const batch = new Batch({ frames, lists, owners, pool, charge, probe });
    this.reclaimer = createReclaimer(
      { batchPages: 16, daemons: [{ thread: ksgxd.id }] },
      { lists, batch, pool, wake: watermarks({ low: lowPages, high: highPages }), locks, probe },
    );
    const { reclaimer } = this;
    this.allocator = createPageAllocator({ frames, pool, reclaimer, charge });
    const { allocator } = this;
    this.ipi = machine.createIpi(
      {
        arrive: (by, cpu) => this.vms.map((vm) => vm.interrupts.arrive(by, cpu)).some(Boolean),
        leave: (by, cpu) => {
          for (const vm of this.vms) vm.interrupts.leave(by, cpu);
        },
      },
      probe,
    );
    const { ipi } = this;
    this.driver = createEnclaveDriver({
      frames,
      hardware,
      allocator,
      lists,
      locks,
      objects,
      monitor,
      probe,
      launchControl: launchControlOf(hardware),
      createPaging: (owner, pageCount, isBeingWritten) => {
        const slots = createVersionSlots();
        const backing = createBackingStore({ pageCount }, { probe, monitor, objects, owner });
        const cpus = createCpuSet(machine.cpuCount);
        const tracker = createEtrack(hardware);
        const writeBack = createWriteBack({ hardware, tracker, ipi, probe, slots, backing, cpus });
        return {
          slots,
          backing,
          writeBack,
          loadBack: createLoadBack({ hardware, probe, slots, backing, isBeingWritten }),
        };
      },
    });
    owners.register(this.driver.owner);
    this.vepc = createVepcDriver(
      { hasVmx: true, firstOwner: FIRST_VEPC_OWNER },
      {
        frames,
        hardware,
        allocator,
        locks,
        objects,
        monitor,
        probe,
        launchControl: launchControlOf(hardware),
        oversub:
          options.oversub === true
            ? {
                lists,
                reclaimer,
                ipi,
                createCpuSet: () => createCpuSet(machine.cpuCount),
                createPaging: (parts) => {
                  const { owner, pageCount, isBeingWritten } = parts;
                  const slots = parts.slots ?? createVersionSlots();
                  const backing = createBackingStore({ pageCount }, { probe, monitor, objects, owner });
                  const cpus = createCpuSet(machine.cpuCount);
                  const writeBack = createWriteBack({ ...parts, ipi, probe, slots, backing, cpus });
                  const back = { hardware: parts.hardware, probe, slots, backing, isBeingWritten };
                  return { slots, backing, writeBack, loadBack: new LoadBackKeeping(back) };
                },
                versionArrays:
                  slotsPerPage === undefined
                    ? null
                    : {
                        slotsPerPage,
                        createBacking: (owner, pageCount) =>
                          createBackingStore({ pageCount }, { probe: null, monitor, objects, owner }),
                      },
              }
            : null,
      },
      options.recipes === undefined ? {} : { oversub: options.recipes },
    ) as VepcDriver;
    if (this.vepc.oversub !== null) owners.register(this.vepc.oversub.owner);
    machine.changes = () => frames.changes + hardware.changes;
    this.memoryFailure = createMemoryFailure({ frames, pools: pool, reclaimLists: () => lists });
    this.host = {
      machine,
      hardware,
      frames,
      vepc: this.vepc,
      memoryFailure: this.memoryFailure,
      kvm: kvmHostOf(hardware),
      probe,
      createAddressSpace: (name) => this.process(name),
    };
    machine.start(ksgxd, reclaimer.main(ksgxd, pool.sanitize(ksgxd)));
    machine.runKernelThreads();
  }

  process(name: string): AddressSpace {
    const { objects, checking: monitor } = this.machine;
    return createAddressSpace(
      { id: this.#mmCount++, name, cpuCount: this.machine.cpuCount },
      {
        locks: this.machine,
        objects,
        monitor,
        probe: null,
        frameOf: (owner, page) => {
          if (owner >= FIRST_VEPC_OWNER) return this.vepc.instance(owner)?.pages.get(page) ?? NONE;
          return this.driver.enclave(owner).records.epc(page);
        },
      },
    );
  }

  /** Runs a system call of a VMM, or anything else of the host. */
  run<T>(routine: (thread: MachineThread) => Routine<T>, cpu = 0): T {
    const thread = this.threads[cpu] as MachineThread;
    return this.machine.run(thread, routine(thread));
  }

  /** Runs a routine of a guest on one of its virtual CPUs. */
  guest<T>(vm: VirtualMachine, routine: Routine<T>, cpu = 0): T | undefined {
    const { thread } = vm.cpus[cpu] as (typeof vm.cpus)[number];
    return this.machine.run(thread, vm.onCpu(thread, routine));
  }

  /** A virtual machine that runs. */
  vm(options: Partial<VirtualMachineOptions> = {}): VirtualMachine {
    const vm = createVirtualMachine(
      { name: `vm${this.vms.length}`, cpus: [0], sections: [{ pageCount: 32 }], ...options },
      this.host,
    );
    if (vm === null) throw new Error('open: ENOMEM');
    this.vms.push(vm);
    const result = this.run((thread) => vm.start(thread));
    if (result !== 0) throw new Error(`start: ${result}`);
    return vm;
  }

  /** A native enclave of so many pages, all resident and reclaimable. */
  nativeEnclave(pages: number): { enclave: Enclave; mm: AddressSpace } {
    const mm = this.process('native');
    const { driver } = this;
    const enclave = driver.open();
    const pageCount = 2 ** Math.ceil(Math.log2(pages + 1));
    const basePage = driver.chooseBasePage(pageCount);
    const build = this.run((thread) =>
      driver.create.run(thread, enclave, { pageCount, basePage, attributes: Attribute.MODE64BIT }),
    );
    if (build !== 0) throw new Error(`CREATE: ${build}`);
    const argument = { page: 0, count: pages, type: PageType.REG, prot: Prot.R | Prot.W, isMeasured: false };
    const { result } = this.run((thread) => driver.addPages.run(thread, mm, enclave, argument));
    if (result !== 0) throw new Error(`ADD_PAGES: ${result}`);
    this.run((thread) =>
      driver.mapper.map(thread, mm, enclave, { start: 0, end: pages, prot: Prot.R | Prot.W }),
    );
    return { enclave, mm };
  }

  /** Page of a VM that an EPC page of the host belongs to. */
  placeOf(page: PageIndex): VmPage {
    const vepc = this.vepc.instance(this.frames.owner(page)) as VmPage['vepc'];
    return { vepc, page: this.frames.record(page) };
  }

  /** Broken invariants of host and guests, in words. */
  violations(): string[] {
    const inGuests = this.vms.flatMap((vm) => checkGuest(vm).map((found) => ({ ...found, vm: vm.name })));
    return [...this.hostViolations(), ...inGuests.map(({ vm, rule, message }) => `${vm} ${rule} ${message}`)];
  }

  /** Broken invariants of the host, in words. */
  hostViolations(): string[] {
    const { frames, hardware } = this;
    return [
      ...checkVepc(this.vepc, frames, hardware).map(({ rule, message }) => `${rule} ${message}`),
      ...(this.vepc.oversub === null ? [] : checkOversub(this.vepc.oversub, frames, hardware)).map(
        ({ rule, message }) => `${rule} ${message}`,
      ),
      ...checkEnclaves(this.driver, frames, hardware).map(({ rule, message }) => `${rule} ${message}`),
      ...checkFrames(frames).map(({ page, problem }) => `frame ${page}: ${problem}`),
      ...checkPools(this.pools, frames),
      ...checkEpcm(hardware).map(({ page, message }) => `EPCM ${page}: ${message}`),
      ...this.machine.threads
        .filter(({ held }) => held.length > 0)
        .map(({ name }) => `${name} holds a lock.`),
    ];
  }
}
