import type { Enclave, EnclaveDriver, EnclaveDriverRecipes, EnclavePaging } from '@epckit/enclave';
import { createEnclaveDriver } from '@epckit/enclave';
import { createFrameTable } from '@epckit/frames';
import type {
  AddressSpace,
  FrameTable,
  LaunchControl,
  LockFactory,
  OwnerId,
  PageAllocator,
  PageIndex,
  Probe,
  ReclaimLists,
  Routine,
} from '@epckit/interface';
import type { Ipi, Machine, MachineThread } from '@epckit/machine';
import { createAddressSpace, createCpuSet } from '@epckit/mm';
import type { NodePools, NodePoolsOptions, PageAllocatorComponents } from '@epckit/numa';
import { createNodePools, createPageAllocator } from '@epckit/numa';
import type { LoadBack, LoadBackComponents, WriteBack, WriteBackComponents } from '@epckit/paging';
import {
  createBackingStore,
  createEtrack,
  createLoadBack,
  createVersionSlots,
  createWriteBack,
} from '@epckit/paging';
import type { Ksgxd, ReclaimerComponents, ReclaimerOptions, ReclaimListsComponents } from '@epckit/reclaim';
import {
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '@epckit/reclaim';
import type { BatchComponents } from '@epckit/reclaim/recipes';
import { Batch } from '@epckit/reclaim/recipes';
import { GuestAccesses } from './accesses.js';
import type { GuestEpc } from './guest-epc.js';
import type { GuestHardware } from './guest-hardware.js';
import { guestLocks } from './locks.js';
import type { VirtualCpu } from './virtual-cpu.js';

/** Recipes of paging in a guest's kernel to replace; the default is Linux 6.12. */
export interface GuestPagingRecipes {
  /** Makes the write-back of an enclave. */
  readonly writeBack?: (components: WriteBackComponents) => WriteBack;
  /** Makes the load of an enclave. */
  readonly loadBack?: (components: LoadBackComponents) => LoadBack;
}

/** Settings and recipes of a guest's kernel. The defaults are those of Linux 6.12; a preset of `epckit` has the recipes. */
export interface GuestKernelOptions {
  /** Free pages below which the daemon is woken. Default: 32. */
  readonly lowPages?: number;
  /** Free pages up to which it works. Default: 64. */
  readonly highPages?: number;
  /** Pages per batch. Default: 16. */
  readonly batchPages?: number;
  /** The guest's driver uses SGX2. Default: true. */
  readonly hasDynamicMemory?: boolean;
  /** Recipes of the guest's driver. Default: Linux 6.12. */
  readonly enclave?: EnclaveDriverRecipes;
  /** Recipes of the guest's paging. Default: Linux 6.12. */
  readonly paging?: GuestPagingRecipes;
  /** Recipes of the guest's pools. Default: Linux 6.12. */
  readonly pools?: NodePoolsOptions;
  /** Makes the list of reclaimable pages. Default: Linux 6.12. */
  readonly lists?: (components: ReclaimListsComponents) => ReclaimLists;
  /** Makes the batch. Default: Linux 6.12. */
  readonly batch?: (components: BatchComponents) => Batch;
  /** Makes the reclaimer. Default: Linux 6.12. */
  readonly reclaimer?: (options: ReclaimerOptions, components: ReclaimerComponents) => Ksgxd;
  /** Makes the allocator. Default: Linux 6.12. */
  readonly allocator?: (components: PageAllocatorComponents) => PageAllocator;
}

/** What a guest's kernel runs on. */
export interface GuestKernelParts {
  /** Name of the guest. */
  readonly name: string;
  /** CPUs, threads and drivers; those of the host. */
  readonly machine: Machine;
  /** The guest's view of the processor. */
  readonly hardware: GuestHardware;
  /** Guest-physical EPC. */
  readonly epc: GuestEpc;
  /** Virtual CPUs. */
  readonly cpus: readonly VirtualCpu[];
  /** Thread of the guest's daemon. */
  readonly daemon: MachineThread;
  /** Trace points of the guest, or `null`. */
  readonly probe: Probe | null;
  /** Hash MSRs of the virtual CPUs. */
  readonly launchControl: LaunchControl;
  /** Guest code has touched a page whose memory is broken. */
  machineCheck(cpu: VirtualCpu, page: PageIndex): Routine<void>;
}

/**
 * The kernel of a guest: the same packages as natively, one level down, on the guest's own EPC page numbers. A reboot
 * makes another one.
 */
export class GuestKernel {
  /** Software columns of the guest's EPC pages. */
  readonly frames: FrameTable;
  /** The guest's view of the processor. */
  readonly hardware: GuestHardware;
  /** Free pages. */
  readonly pools: NodePools;
  /** Reclaimable pages. */
  readonly lists: ReclaimLists;
  /** Gives pages to enclaves. */
  readonly allocator: PageAllocator;
  /** Batches and the daemon. */
  readonly reclaimer: Ksgxd;
  /** The enclave driver. */
  readonly driver: EnclaveDriver;
  /** IPIs between virtual CPUs. */
  readonly ipi: Ipi;
  /** Accesses of guest code. */
  readonly accesses: GuestAccesses;
  /** It was stopped or reset: none of its leaves completes any more. */
  isHalted = false;
  readonly #parts: GuestKernelParts;
  readonly #paging: GuestPagingRecipes;
  readonly #locks: LockFactory;
  readonly #powerless = new WeakSet<Enclave>();
  #processCount = 0;

  constructor(options: GuestKernelOptions, parts: GuestKernelParts) {
    const { name, machine, hardware, epc, cpus, daemon, probe, launchControl } = parts;
    const { objects, checking: monitor } = machine;
    const { lowPages = 32, highPages = 64, batchPages = 16, hasDynamicMemory = true } = options;
    this.#parts = parts;
    this.#paging = options.paging ?? {};
    this.hardware = hardware;
    this.#locks = guestLocks(machine, name);
    const locks = this.#locks;
    const sections = epc.sections.map(({ node, pageCount }) => ({ node, pageCount }));
    const frames = createFrameTable({ sections }, { objects, monitor });
    this.frames = frames;
    this.pools = createNodePools(options.pools ?? {}, { frames, locks, hardware, probe });
    const owners = createOwnerRegistry();
    const policy = secondChance()({ frames });
    const listParts = { frames, locks, owners, policy, probe };
    const lists = options.lists?.(listParts) ?? createReclaimLists(listParts);
    this.lists = lists;
    const { pools: pool } = this;
    const batchParts = { frames, lists, owners, pool, charge: null, probe };
    const batch = options.batch?.(batchParts) ?? new Batch(batchParts);
    const reclaim = { batchPages, daemons: [{ thread: daemon.id }] };
    const wake = watermarks({ low: lowPages, high: highPages });
    const reclaimParts = { lists, batch, pool, wake, locks, probe };
    const reclaimer = options.reclaimer?.(reclaim, reclaimParts) ?? createReclaimer(reclaim, reclaimParts);
    this.reclaimer = reclaimer;
    const allocatorParts = { frames, pool, reclaimer, charge: null };
    this.allocator = options.allocator?.(allocatorParts) ?? createPageAllocator(allocatorParts);
    const cpuAt = (id: number) => cpus.find((cpu) => cpu.id === id);
    this.ipi = machine.createIpi(
      {
        arrive: (_, cpu) => cpuAt(cpu)?.interrupt() ?? false,
        leave: (_, cpu) => cpuAt(cpu)?.resumeAfterInterrupt(),
      },
      probe,
      true,
    );
    const { ipi, allocator } = this;
    const createCpus = () => createCpuSet(machine.cpuCount);
    const dynamic = hasDynamicMemory
      ? { tracker: createEtrack(hardware), ipi, createCpuSet: createCpus }
      : null;
    this.driver = createEnclaveDriver(
      {
        frames,
        hardware,
        allocator,
        lists,
        locks,
        objects,
        monitor,
        probe,
        launchControl,
        dynamic,
        createPaging: (...enclave) => this.#createPaging(...enclave),
      },
      options.enclave,
    );
    owners.register(this.driver.owner);
    const { driver } = this;
    this.accesses = new GuestAccesses({
      machine,
      hardware,
      epc,
      driver,
      machineCheck: (cpu, page) => parts.machineCheck(cpu, page),
    });
  }

  /** What the daemon's thread does: cleans the EPC, then reclaims. */
  main(): Routine<void> {
    const { daemon } = this.#parts;
    return this.reclaimer.main(daemon, this.pools.sanitize(daemon));
  }

  /** A new process of the guest. */
  createProcess(name: string): AddressSpace {
    const { machine, probe } = this.#parts;
    const frameOf = (owner: OwnerId, page: number) => this.driver.enclave(owner).records.epc(page);
    return createAddressSpace(
      { id: this.#processCount++, name: `${this.#parts.name}: ${name}`, cpuCount: machine.cpuCount },
      { locks: this.#locks, objects: machine.objects, monitor: machine.checking, probe, frameOf },
    );
  }

  /** The EPC of all enclaves is gone: sleep, or migration. The driver does not know. */
  noteEpcLoss(): void {
    for (const enclave of this.driver.enclaves()) this.#powerless.add(enclave);
  }

  /** Has the enclave lost its EPC pages? */
  hasLostEpc(enclave: Enclave): boolean {
    return this.#powerless.has(enclave);
  }

  /** Each enclave has slots, a backing file and the ladders over them. */
  #createPaging(
    owner: OwnerId,
    pageCount: number,
    isBeingWritten: (index: number) => boolean,
  ): EnclavePaging {
    const { machine, hardware, probe } = this.#parts;
    const { objects, checking: monitor } = machine;
    const slots = createVersionSlots();
    const backing = createBackingStore({ pageCount }, { probe, monitor, objects, owner });
    const cpus = createCpuSet(machine.cpuCount);
    const tracker = createEtrack(hardware);
    const out = { hardware, tracker, ipi: this.ipi, probe, slots, backing, cpus };
    const writeBack = this.#paging.writeBack?.(out) ?? createWriteBack(out);
    const back = { hardware, probe, slots, backing, isBeingWritten };
    const loadBack = this.#paging.loadBack?.(back) ?? createLoadBack(back);
    return { slots, backing, writeBack, loadBack };
  }
}
