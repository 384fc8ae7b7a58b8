import type { Enclave, EnclaveDriver, EnclavePaging } from '@epckit/enclave';
import { createEnclaveDriver } from '@epckit/enclave';
import { createFrameTable } from '@epckit/frames';
import type { HardwareModel } from '@epckit/hardware';
import { createSgxHardware, launchControlOf } from '@epckit/hardware';
import type {
  CpuId,
  FrameTable,
  IpiSender,
  MemoryFailure,
  NodeId,
  OwnerId,
  PageAllocator,
  PageIndex,
  PagePool,
  Probe,
  ReclaimLists,
  SgxHardware,
  Thread,
} from '@epckit/interface';
import { InvariantViolation, MisuseError, NONE } from '@epckit/interface';
import type { InterruptHandler, Ipi, Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createAddressSpace, createCpuSet } from '@epckit/mm';
import type { NodePools } from '@epckit/numa';
import {
  byDistance,
  checkDistances,
  createMemoryFailure,
  createNodePools,
  createPageAllocator,
  discoverSections,
  requireNodes,
} from '@epckit/numa';
import {
  createBackingStore,
  createEtrack,
  createLoadBack,
  createVersionSlots,
  createWriteBack,
} from '@epckit/paging';
import type { Ksgxd } from '@epckit/reclaim';
import {
  createNodeReclaimLists,
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '@epckit/reclaim';
import { Batch } from '@epckit/reclaim/recipes';
import type { VepcDriver } from '@epckit/vepc';
import { Accesses } from './access.js';
import type { CgroupComponents } from './cgroups/cgroups.js';
import { Cgroups, workerCount } from './cgroups/cgroups.js';
import { DaemonPlans, nodesOf, nothing, takesCpu } from './daemons.js';
import { createGuestDriver, FIRST_VEPC_OWNER } from './guest-reclaim.js';
import type { EpcOptions, FailureSource, PagingRecipes } from './options.js';
import { linuxReclaim } from './options.js';
import type { Process } from './process.js';
import { Processes } from './processes.js';
import { chargeRemotePages } from './remote-pages.js';
import { SharedCpu } from './shared-cpu.js';
import { timedHardware } from './timed-hardware.js';
import { UserCpu } from './user-cpu.js';
import { type VirtualMachineHost, VirtualMachines } from './virtual-machines.js';

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
  /** CPUs that run user code, each as its first thread has it; the daemon has one of its own after them. */
  readonly cpus: readonly UserCpu[];
  /** Sender of IPIs, with its counts. */
  readonly ipi: Ipi;
  /** Thread of the first daemon, which cleans the EPC. */
  readonly ksgxd: MachineThread;
  /** Threads of the daemons. */
  readonly daemons: readonly MachineThread[];
  /** Handles reports of memory errors. */
  readonly memoryFailure: MemoryFailure;
  /** Processes with their descriptors and mappings. */
  readonly processes: Processes;
  /** Who may use how much EPC; null: there is no controller. */
  readonly cgroups: Cgroups | null;
  /** Virtual machines. */
  readonly vms: VirtualMachines;
  /**
   * A user thread that no call has given before: the first one of the CPU, then further ones. The threads of a CPU take
   * turns in the timed world.
   *
   * @throws MisuseError if there is no such CPU for user code
   */
  userThread(cpu: CpuId): UserCpu;
  /**
   * Makes a process.
   *
   * @param cgroup - its directory from the mount point, such as `/tenants/a`; the root unless given
   * @throws MisuseError for a directory that does not exist, or without a controller
   */
  createProcess(name: string, cgroup?: string): Process;
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
  const settings = { ...linuxReclaim, ...options.reclaim };
  const nodes = nodesOf(sections);
  requireDistances(options.machine, nodes);
  const plans = new DaemonPlans(settings, options.machine.cpus, nodes);
  const machine = createEpcMachine(options, plans);
  const { objects } = machine;
  const monitor = machine.checking;
  const frames = createFrameTable({ sections }, { objects, monitor });
  const cpuCount = machine.cpuCount;
  const tcsState = options.tcsState ?? true;
  const model = createSgxHardware(
    { pageCount: frames.pageCount, cpuCount, tcsState },
    { objects, monitor, probe, ...timedHardware(machine, frames) },
  );
  machine.overlaps = model.overlaps;
  const distances = options.machine.distances ?? null;
  const nodeOfCpu = [...options.machine.cpus, ...kernelCpus(options, plans)].map(({ node }) => node);
  chargeRemotePages(model, { machine, frames, nodeOfCpu, distances });
  const hardware = options.hardware?.(model) ?? model;
  const launchControl = launchControlOf(model);
  const failures = options.failures ?? null;
  const shared = options.machine.cpus.map((_, id) => new SharedCpu(id, hardware, machine));
  const cpus = shared.map((cpu) => {
    return new UserCpu(machine.createThread({ name: `cpu${cpu.id}`, cpu: cpu.id }), hardware, cpu);
  });
  const threadCounts = cpus.map(() => 0);
  const userThread = (cpu: CpuId): UserCpu => {
    const [first, place] = [cpus[cpu], shared[cpu]];
    if (first === undefined || place === undefined)
      throw new MisuseError(`There is no CPU ${cpu} for user code.`, [`CPUs: 0 … ${cpus.length - 1}`]);
    const count = threadCounts[cpu] as number;
    threadCounts[cpu] = count + 1;
    if (count === 0) return first;
    const thread = machine.createThread({ name: `cpu${cpu}/${count}`, cpu });
    return followed(new UserCpu(thread, hardware, place), cgroups);
  };
  const daemonThreads = plans.createThreads(machine, cpus.length);
  const [ksgxd] = daemonThreads;
  const isPerNode = settings.daemonNodes === 'perNode';
  const order = distances !== null && options.fallback === 'byDistance' ? byDistance(distances) : null;
  const poolOptions = { ...(order === null ? {} : { createOrder: order }), countsPerNode: isPerNode };
  const pools = createNodePools(
    { ...poolOptions, ...options.pools },
    { frames, locks: machine, hardware, probe },
  );
  const owners = createOwnerRegistry();
  const createPolicy = options.policy ?? secondChance();
  const createLists = options.lists ?? createReclaimLists;
  const listParts = { frames, locks: machine, owners, probe };
  const firstWorkerCpu = cpus.length + plans.ownCpus.length;
  const cgroups = createCgroups(options, {
    ...{ machine, frames, owners, probe, policy: createPolicy, firstCpu: firstWorkerCpu },
  });
  for (const cpu of cpus) followed(cpu, cgroups);
  const lists =
    cgroups !== null
      ? cgroups.engine.lists
      : isPerNode
        ? createNodeReclaimLists({ ...listParts, createPolicy, createLists })
        : createLists({ ...listParts, policy: createPolicy({ frames }) });
  const charge = cgroups?.engine.charge ?? options.charge ?? null;
  const batchParts = { frames, lists, owners, pool: pools as PagePool, charge, probe };
  const batch = options.batch?.(batchParts) ?? new Batch(batchParts);
  const wake =
    options.wake ?? watermarks({ low: settings.lowPages, high: settings.highPages, nodeCount: nodes.length });
  const scanPages = cgroups?.settings.design.roundPages;
  const daemon = {
    ...{ batchPages: settings.batchPages, daemons: plans.optionsOf(daemonThreads) },
    ...(scanPages === undefined ? {} : { scanPages }),
  };
  const onDaemon = takesCpu(machine, shared);
  const reclaimerParts = { lists, batch, pool: pools, wake, locks: machine, probe, onDaemon };
  const reclaimer = options.reclaimer?.(daemon, reclaimerParts) ?? createReclaimer(daemon, reclaimerParts);
  const allocatorParts = { frames, pool: pools, reclaimer, charge };
  cgroups?.engine.connect(reclaimer);
  const allocator =
    (cgroups === null ? undefined : cgroups.settings.allocator?.(allocatorParts, cgroups)) ??
    options.allocator?.(allocatorParts) ??
    createPageAllocator(allocatorParts);
  const interrupts: InterruptHandler = {
    arrive: (_, cpu) => shared[cpu]?.interrupt() ?? false,
    leave: (_, cpu) => {
      if (options.resume !== 'manual') shared[cpu]?.resumeAfterInterrupt();
    },
  };
  const vms = new VirtualMachines(() => vmHost);
  const ipi = machine.createIpi(vms.interrupts(interrupts), probe);
  const createPaging = pagingFactory({
    hardware,
    probe,
    ipi,
    machine,
    cpuCount,
    recipes: options.paging ?? {},
    failures,
  });
  const sender = { ipi, createCpuSet: () => createCpuSet(cpuCount) };
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
    launchControl,
    createPaging,
    dynamic: options.dynamicMemory === false ? null : { tracker: createEtrack(hardware), ...sender },
    interrupts: sender,
  };
  const driver = createEnclaveDriver(driverParts, options.enclave);
  owners.register(driver.owner);
  machine.changes = () => frames.changes + hardware.changes + (cgroups?.controller.changes ?? 0);
  const vepc = createGuestDriver(options, {
    ...{ frames, hardware, allocator, machine, lists, reclaimer, ipi, probe, launchControl },
    interrupts: charge === null ? null : sender,
  });
  const guests = vepc?.oversub?.owner ?? vepc?.owner ?? null;
  if (guests !== null) owners.register(guests);
  const frameOf = (owner: OwnerId, page: number): PageIndex => {
    if (owner >= FIRST_VEPC_OWNER) return vepc?.instance(owner)?.pages.get(page) ?? NONE;
    return driver.enclave(owner).records.epc(page);
  };
  const memoryFailure = createMemoryFailure({ frames, pools, reclaimLists: () => lists });
  const powerless = new WeakSet<Enclave>();
  let processCount = 0;
  const catchUp = (thread: Thread, owner: OwnerId) => machine.catchUp(thread as MachineThread, owner);
  const createSpace = (name: string) => {
    return createAddressSpace(
      { id: processCount++, name, cpuCount },
      { locks: machine, objects, monitor, probe, frameOf, catchUp },
    );
  };
  const processes = new Processes(driver, createSpace, cgroups);
  const vmHost = {
    ...{ machine, hardware, frames, vepc, memoryFailure, probe },
    createProcess: (name, cgroup) => processes.create(name, cgroup),
    enter: (thread, process) => cgroups?.setCurrent(thread, process),
  } satisfies VirtualMachineHost;
  machine.onSwitch = (cpu, _, to) => {
    vms.leave(cpu, to);
    shared[cpu]?.switchTo(to);
  };
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
    userThread,
    ksgxd,
    daemons: daemonThreads,
    accesses: new Accesses({ machine, hardware, driver }),
    memoryFailure,
    processes,
    cgroups,
    vms,
    createProcess: (name, cgroup) => processes.create(name, cgroup),
    losePower: () => {
      hardware.powerCycle();
      for (const cpu of cpus) cpu.entry = null;
      for (const enclave of driver.enclaves()) powerless.add(enclave);
    },
    hasLostPower: (enclave) => powerless.has(enclave),
    boot: (isDaemonRun = true) => {
      if (ksgxd.routine !== null) throw new InvariantViolation('The stack is booted already.');
      for (const thread of daemonThreads) {
        machine.start(thread, reclaimer.main(thread, thread === ksgxd ? pools.sanitize(ksgxd) : nothing()));
      }
      cgroups?.start();
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

/** @throws MisuseError if there are distances that are impossible, or some are missing */
function requireDistances({ cpus, distances }: EpcOptions['machine'], nodes: readonly NodeId[]): void {
  if (distances === undefined) return;
  checkDistances(distances);
  requireNodes(distances, [...nodes, ...cpus.map(({ node }) => node)]);
}

/** CPUs that the user has not: those of the daemons, and then those of the workers for cgroups. */
function kernelCpus(
  { machine, cgroups = null }: EpcOptions,
  plans: DaemonPlans,
): EpcOptions['machine']['cpus'] {
  const [first] = machine.cpus as [EpcOptions['machine']['cpus'][number]];
  const workers = cgroups === null ? 0 : workerCount(cgroups) + (cgroups.spareCpus ?? 0);
  return [...plans.ownCpus, ...Array.from({ length: workers }, () => ({ node: first.node }))];
}

/** The controller, if there is to be one. @throws MisuseError for options that exclude it */
function createCgroups(options: EpcOptions, components: CgroupComponents): Cgroups | null {
  const { cgroups = null, charge = null, reclaim } = options;
  if (cgroups === null) return null;
  if (charge !== null) throw new MisuseError('The options cgroups and charge exclude each other.');
  if (reclaim?.daemonNodes === 'perNode') {
    throw new MisuseError('With cgroups there is one list per group, and none per node.', [
      'given: reclaim.daemonNodes perNode',
    ]);
  }
  return new Cgroups(cgroups, components);
}

/** The controller hears which process the threads of a CPU run for. @returns `cpu` */
function followed(cpu: UserCpu, cgroups: Cgroups | null): UserCpu {
  if (cgroups !== null) cpu.onProcess = (thread, process) => cgroups.setCurrent(thread, process);
  return cpu;
}

/** More CPUs than the user has: those of kernel threads. */
function createEpcMachine(options: EpcOptions, plans: DaemonPlans): Machine {
  const { cpus } = options.machine;
  return createMachine({
    cpus: [...cpus, ...kernelCpus(options, plans)],
    ...(options.costs === undefined ? {} : { costs: options.costs }),
    checking: options.checking ?? false,
    probe: options.probe ?? null,
    ...(options.timed === undefined ? {} : { timed: options.timed }),
    hasTrappedIpis: options.hasTrappedIpis ?? false,
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
