import type { Enclave, EnclaveDriver, EnclavePaging } from '@epckit/enclave';
import { createEnclaveDriver } from '@epckit/enclave';
import { createFrameTable } from '@epckit/frames';
import type { HardwareModel } from '@epckit/hardware';
import { createSgxHardware } from '@epckit/hardware';
import type {
  FrameTable,
  IpiSender,
  MemoryFailure,
  OwnerId,
  PageAllocator,
  PageIndex,
  PagePool,
  Probe,
  ReclaimLists,
  SgxHardware,
} from '@epckit/interface';
import { InvariantViolation, MisuseError, NONE } from '@epckit/interface';
import type { InterruptHandler, Ipi, Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createAddressSpace, createCpuSet } from '@epckit/mm';
import type { NodePools } from '@epckit/numa';
import { createMemoryFailure, createNodePools, createPageAllocator, discoverSections } from '@epckit/numa';
import {
  createBackingStore,
  createEtrack,
  createLoadBack,
  createVersionSlots,
  createWriteBack,
} from '@epckit/paging';
import type { Ksgxd } from '@epckit/reclaim';
import {
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '@epckit/reclaim';
import { Batch } from '@epckit/reclaim/recipes';
import type { VepcDriver } from '@epckit/vepc';
import { createVepcDriver } from '@epckit/vepc';
import { Accesses } from './access.js';
import type { EpcOptions, FailureSource, PagingRecipes } from './options.js';
import { linuxReclaim } from './options.js';
import type { Process } from './process.js';
import { Processes } from './processes.js';
import { UserCpu } from './user-cpu.js';

/** Owner ids from here on are instances of the virtual EPC device; enclaves have those below. */
const FIRST_VEPC_OWNER = 2 ** 30;

/** A composed EPC stack. Everything in it belongs to it alone. */
export interface Epc {
  /** What the stack was composed of. */
  readonly options: EpcOptions;
  /** CPUs, threads, locks and drivers. */
  readonly machine: Machine;
  /** Software columns of the EPC pages. */
  readonly frames: FrameTable;
  /** EPCM and leaves. */
  readonly hardware: HardwareModel;
  /** Free pages. */
  readonly pools: NodePools;
  /** Reclaimable pages. */
  readonly lists: ReclaimLists;
  /** Gives pages to owners and takes them back. */
  readonly allocator: PageAllocator;
  /** Batches and the daemon. */
  readonly reclaimer: Ksgxd;
  /** The native enclave driver. */
  readonly driver: EnclaveDriver;
  /** The virtual EPC device for guests; null: the processor has no VMX. */
  readonly vepc: VepcDriver | null;
  /** Accesses of user code. */
  readonly accesses: Accesses;
  /** CPUs that run user code; the daemon has one of its own after them. */
  readonly cpus: readonly UserCpu[];
  /** Sender of IPIs, with its counts. */
  readonly ipi: Ipi;
  /** Thread of the daemon. */
  readonly ksgxd: MachineThread;
  /** Handles reports of memory errors. */
  readonly memoryFailure: MemoryFailure;
  /** Processes with their descriptors and mappings. */
  readonly processes: Processes;
  /** Makes a process. */
  createProcess(name: string): Process;
  /**
   * Starts the daemon, which sanitizes the EPC first. In the direct world it has finished that on return, unless
   * `isDaemonRun` is false.
   */
  boot(isDaemonRun?: boolean): void;
  /** Power is lost: the EPC is empty, every CPU outside; the driver does not know. */
  losePower(): void;
  /** Did the enclave lose its EPC pages with the power? */
  hasLostPower(enclave: Enclave): boolean;
}

/**
 * Composes a stack from the packages.
 *
 * @throws MisuseError if the machine has no CPU or no usable EPC section
 */
export function createEpc(options: EpcOptions): Epc {
  const probe = options.probe ?? null;
  requireCpus(options.machine.cpus);
  const { sections } = discoverSections(options.machine.sections);
  if (sections.length === 0) {
    throw new MisuseError('The machine has no usable EPC section.', [
      'Linux refuses to initialise SGX then.',
    ]);
  }
  const machine = createEpcMachine(options);
  const { objects } = machine;
  const monitor = machine.checking;
  const frames = createFrameTable({ sections }, { objects, monitor });
  const cpuCount = machine.cpuCount;
  const tcsState = options.tcsState ?? true;
  const model = createSgxHardware(
    { pageCount: frames.pageCount, cpuCount, tcsState },
    { objects, monitor, probe },
  );
  machine.overlaps = model.overlaps;
  const hardware = options.hardware?.(model) ?? model;
  const failures = options.failures ?? null;
  const cpus = options.machine.cpus.map((_, id) => {
    return new UserCpu(id, machine.createThread({ name: `cpu${id}`, cpu: id }), hardware);
  });
  const ksgxd = machine.createThread({ name: 'ksgxd', cpu: cpuCount - 1, isKernel: true });
  const pools = createNodePools({ ...options.pools }, { frames, locks: machine, hardware, probe });
  const owners = createOwnerRegistry();
  const policy = (options.policy ?? secondChance())({ frames });
  const listParts = { frames, locks: machine, owners, policy, probe };
  const lists = options.lists?.(listParts) ?? createReclaimLists(listParts);
  const charge = options.charge ?? null;
  const settings = { ...linuxReclaim, ...options.reclaim };
  const batchParts = { frames, lists, owners, pool: pools as PagePool, charge, probe };
  const batch = options.batch?.(batchParts) ?? new Batch(batchParts);
  const wake = options.wake ?? watermarks({ low: settings.lowPages, high: settings.highPages });
  const daemon = { batchPages: settings.batchPages, daemon: ksgxd.id };
  const reclaimerParts = { lists, batch, pool: pools, wake, locks: machine, probe };
  const reclaimer = options.reclaimer?.(daemon, reclaimerParts) ?? createReclaimer(daemon, reclaimerParts);
  const allocatorParts = { frames, pool: pools, reclaimer, charge };
  const allocator = options.allocator?.(allocatorParts) ?? createPageAllocator(allocatorParts);
  const interrupts: InterruptHandler = {
    arrive: (_, cpu) => cpus[cpu]?.interrupt() ?? false,
    leave: (_, cpu) => {
      if (options.resume !== 'manual') cpus[cpu]?.resumeAfterInterrupt();
    },
  };
  const ipi = machine.createIpi(interrupts, probe);
  const createPaging = pagingFactory({
    hardware,
    probe,
    ipi,
    machine,
    cpuCount,
    recipes: options.paging ?? {},
    failures,
  });
  const driverParts = {
    frames,
    hardware,
    allocator,
    lists,
    locks: machine,
    objects,
    monitor,
    probe,
    failures,
    createPaging,
    dynamic:
      options.dynamicMemory === false
        ? null
        : { tracker: createEtrack(hardware), ipi, createCpuSet: () => createCpuSet(cpuCount) },
  };
  const driver = createEnclaveDriver(driverParts, options.enclave);
  owners.register(driver.owner);
  machine.changes = () => frames.changes + hardware.changes;
  const vepc = createVepcDriver(
    { hasVmx: options.vmx ?? true, firstOwner: FIRST_VEPC_OWNER },
    // The hardware takes every signer for the one of the hash MSRs: nobody writes them.
    { frames, hardware, allocator, locks: machine, objects, monitor, probe, failures, launchControl: null },
    options.vepc,
  );
  const frameOf = (owner: OwnerId, page: number): PageIndex => {
    if (owner >= FIRST_VEPC_OWNER) return vepc?.instance(owner)?.pages.get(page) ?? NONE;
    return driver.enclave(owner).records.epc(page);
  };
  const memoryFailure = createMemoryFailure({ frames, pools, reclaimLists: () => lists });
  const powerless = new WeakSet<Enclave>();
  let processCount = 0;
  const processes = new Processes(driver, (name) => {
    return createAddressSpace(
      { id: processCount++, name, cpuCount },
      { locks: machine, objects, monitor, probe, frameOf },
    );
  });
  return {
    options,
    machine,
    frames,
    hardware,
    pools,
    lists,
    allocator,
    reclaimer,
    driver,
    vepc,
    ipi,
    cpus,
    ksgxd,
    accesses: new Accesses({ machine, hardware, driver }),
    memoryFailure,
    processes,
    createProcess: (name) => processes.create(name),
    losePower: () => {
      hardware.powerCycle();
      for (const cpu of cpus) cpu.entry = null;
      for (const enclave of driver.enclaves()) powerless.add(enclave);
    },
    hasLostPower: (enclave) => powerless.has(enclave),
    boot: (isDaemonRun = true) => {
      if (ksgxd.routine !== null) throw new InvariantViolation('The stack is booted already.');
      machine.start(ksgxd, reclaimer.main(ksgxd, pools.sanitize(ksgxd)));
      if (isDaemonRun) machine.runKernelThreads();
    },
  };
}

/** The daemon's own CPU does not count: somebody must run user code. */
function requireCpus(cpus: EpcOptions['machine']['cpus']): void {
  if (cpus.length > 0 && cpus.every(({ node }) => Number.isInteger(node) && node >= 0)) return;
  throw new MisuseError('A machine needs at least one CPU, each on a node.', [
    `given: ${JSON.stringify(cpus)}`,
  ]);
}

/** One CPU more than the user has: the daemon's own. */
function createEpcMachine(options: EpcOptions): Machine {
  const { cpus } = options.machine;
  const daemonNode = cpus[0]?.node ?? 0;
  return createMachine({
    cpus: [...cpus, { node: daemonNode }],
    ...(options.costs === undefined ? {} : { costs: options.costs }),
    checking: options.checking ?? false,
    probe: options.probe ?? null,
  });
}

interface PagingParts {
  readonly hardware: SgxHardware;
  readonly probe: Probe | null;
  readonly ipi: IpiSender;
  readonly machine: Machine;
  readonly cpuCount: number;
  readonly recipes: PagingRecipes;
  readonly failures: FailureSource | null;
}

/** Each enclave has slots, a backing file and the ladders over them. */
function pagingFactory(parts: PagingParts) {
  const { hardware, probe, ipi, machine, failures } = parts;
  const mayAllocate = () => !failures?.fails('shmem_page');
  const tracker = createEtrack(hardware);
  const monitor = machine.checking;
  return (owner: OwnerId, pageCount: number, isBeingWritten: (index: number) => boolean): EnclavePaging => {
    const slots = createVersionSlots();
    const backing = createBackingStore(
      { pageCount, mayAllocate },
      { probe, monitor, objects: machine.objects, owner },
    );
    const cpus = createCpuSet(parts.cpuCount);
    const out = { hardware, tracker, ipi, probe, slots, backing, cpus };
    const writeBack = parts.recipes.writeBack?.(out) ?? createWriteBack(out);
    const back = { hardware, probe, slots, backing, isBeingWritten };
    const loadBack = parts.recipes.loadBack?.(back) ?? createLoadBack(back);
    return { slots, backing, writeBack, loadBack };
  };
}
