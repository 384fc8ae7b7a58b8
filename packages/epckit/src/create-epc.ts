import type { EnclaveDriver, EnclavePaging } from '@epckit/enclave';
import { createEnclaveDriver } from '@epckit/enclave';
import { createFrameTable } from '@epckit/frames';
import type { HardwareModel } from '@epckit/hardware';
import { createSgxHardware } from '@epckit/hardware';
import type {
  FrameTable,
  IpiSender,
  OwnerId,
  PagePool,
  Probe,
  ReclaimLists,
  SgxHardware,
} from '@epckit/interface';
import { InvariantViolation, MisuseError } from '@epckit/interface';
import type { InterruptHandler, Ipi, Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createAddressSpace, createCpuSet } from '@epckit/mm';
import type { NodePools } from '@epckit/numa';
import { createNodePools, createPageAllocator, discoverSections } from '@epckit/numa';
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
import { Accesses } from './access.js';
import type { EpcOptions, PagingRecipes } from './options.js';
import { linuxReclaim } from './options.js';
import type { Process } from './process.js';
import { UserCpu } from './user-cpu.js';

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
  /** Batches and the daemon. */
  readonly reclaimer: Ksgxd;
  /** The native enclave driver. */
  readonly driver: EnclaveDriver;
  /** Accesses of user code. */
  readonly accesses: Accesses;
  /** CPUs that run user code; the daemon has one of its own after them. */
  readonly cpus: readonly UserCpu[];
  /** Sender of IPIs, with its counts. */
  readonly ipi: Ipi;
  /** Thread of the daemon. */
  readonly ksgxd: MachineThread;
  /** Makes a process. */
  createProcess(name: string): Process;
  /** Starts the daemon, which sanitizes the EPC first. In the direct world it has finished that on return. */
  boot(): void;
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
  const hardware = createSgxHardware(
    { pageCount: frames.pageCount, cpuCount, tcsState },
    { objects, monitor, probe },
  );
  const cpus = options.machine.cpus.map((_, id) => {
    return new UserCpu(id, machine.createThread({ name: `cpu${id}`, cpu: id }), hardware);
  });
  const ksgxd = machine.createThread({ name: 'ksgxd', cpu: cpuCount - 1, isKernel: true });
  const pools = createNodePools({ ...options.pools }, { frames, locks: machine, hardware, probe });
  const owners = createOwnerRegistry();
  const policy = (options.policy ?? secondChance())({ frames });
  const lists = createReclaimLists({ frames, locks: machine, owners, policy, probe });
  const charge = options.charge ?? null;
  const settings = { ...linuxReclaim, ...options.reclaim };
  const batchParts = { frames, lists, owners, pool: pools as PagePool, charge, probe };
  const batch = options.batch?.(batchParts) ?? new Batch(batchParts);
  const wake = options.wake ?? watermarks({ low: settings.lowPages, high: settings.highPages });
  const reclaimer = createReclaimer(
    { batchPages: settings.batchPages, daemon: ksgxd.id },
    { lists, batch, pool: pools, wake, locks: machine, probe },
  );
  const allocator = createPageAllocator({ frames, pool: pools, reclaimer, charge });
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
    createPaging,
  };
  const driver = createEnclaveDriver(driverParts, options.enclave);
  owners.register(driver.owner);
  machine.changes = () => frames.changes + hardware.changes;
  let processCount = 0;
  return {
    options,
    machine,
    frames,
    hardware,
    pools,
    lists,
    reclaimer,
    driver,
    ipi,
    cpus,
    ksgxd,
    accesses: new Accesses({ machine, hardware, driver }),
    createProcess: (name) => {
      const mm = createAddressSpace(
        { id: processCount++, name, cpuCount },
        { locks: machine, objects, monitor, probe },
      );
      return { name, mm };
    },
    boot: () => {
      if (ksgxd.routine !== null) throw new InvariantViolation('The stack is booted already.');
      machine.start(ksgxd, reclaimer.main(ksgxd, pools.sanitize(ksgxd)));
      machine.runKernelThreads();
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
}

/** Each enclave has slots, a backing file and the ladders over them. */
function pagingFactory(parts: PagingParts) {
  const { hardware, probe, ipi, machine } = parts;
  const tracker = createEtrack(hardware);
  const monitor = machine.checking;
  return (owner: OwnerId, pageCount: number, isBeingWritten: (index: number) => boolean): EnclavePaging => {
    const slots = createVersionSlots();
    const backing = createBackingStore({ pageCount }, { probe, monitor, objects: machine.objects, owner });
    const cpus = createCpuSet(parts.cpuCount);
    const out = { hardware, tracker, ipi, probe, slots, backing, cpus };
    const writeBack = parts.recipes.writeBack?.(out) ?? createWriteBack(out);
    const back = { hardware, probe, slots, backing, isBeingWritten };
    const loadBack = parts.recipes.loadBack?.(back) ?? createLoadBack(back);
    return { slots, backing, writeBack, loadBack };
  };
}
