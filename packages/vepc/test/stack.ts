import { checkFrames, createFrameTable } from '@epckit/frames';
import type { HardwareModel, SgxFeatureOptions } from '@epckit/hardware';
import { checkEpcm, createSgxHardware } from '@epckit/hardware';
import type {
  AddressSpace,
  ChargeController,
  OwnerRegistry,
  PageAllocator,
  Routine,
  SecsSource,
  SgxHardware,
} from '@epckit/interface';
import { NONE, OwnerKind, PageType, Prot, SecInfo } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createAddressSpace } from '@epckit/mm';
import type { NodePools } from '@epckit/numa';
import { checkPools, createNodePools, createPageAllocator } from '@epckit/numa';
import type { Ksgxd } from '@epckit/reclaim';
import {
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '@epckit/reclaim';
import { Batch } from '@epckit/reclaim/recipes';
import type { Trap, Vepc, VepcAddress, VepcDriver, VepcDriverRecipes, VepcFailures } from '../src/index.js';
import { checkVepc, createVepcDriver, VEPC_REMOVE_ALL, VepcFaultResult } from '../src/index.js';
import { LogProbe } from './log-probe.js';
import { replaceLeaves } from './replace-leaves.js';
import { WillingOwner } from './willing-owner.js';

/** What a test stack is made of. Defaults: 40 pages, 4 user CPUs, a daemon that is never woken. */
export interface StackOptions {
  readonly epcPages?: number;
  readonly cpus?: number;
  readonly lowPages?: number;
  /** Replaces single leaves. */
  readonly leaves?: (hardware: SgxHardware) => Partial<SgxHardware>;
  readonly failures?: VepcFailures;
  readonly recipes?: VepcDriverRecipes;
  readonly checking?: boolean;
  /** Features of the processor. */
  readonly features?: SgxFeatureOptions;
  /** Hash MSRs are written into this. */
  readonly launchKeyHashes?: string[];
  readonly probe?: LogProbe;
  /** Makes a controller that is charged for pages. */
  readonly charge?: (parts: StackParts) => ChargeController;
}

/** What a charge controller is made from. */
export interface StackParts {
  readonly machine: Machine;
  readonly frames: ReturnType<typeof createFrameTable>;
  readonly owners: OwnerRegistry;
  readonly reclaimer: Ksgxd;
}

/** Attributes of a 64-bit debug enclave. */
const ATTRIBUTES = 6;
const FIRST_OWNER = 1000;

/** A stack of real packages without native enclaves, and one VMM. */
export class Stack {
  readonly machine: Machine;
  readonly frames: ReturnType<typeof createFrameTable>;
  readonly hardware: HardwareModel;
  readonly pools: NodePools;
  readonly lists: ReturnType<typeof createReclaimLists>;
  readonly reclaimer: Ksgxd;
  readonly allocator: PageAllocator;
  readonly driver: VepcDriver;
  readonly log: LogProbe;
  /** One thread per user CPU; each is a virtual CPU and runs system calls of the VMM. */
  readonly threads: readonly MachineThread[];
  readonly ksgxd: MachineThread;
  /** Address space of the VMM. */
  readonly vmm: AddressSpace;
  readonly trap: Trap = { vector: 0 };
  readonly #options: StackOptions;
  #mmCount = 0;
  #nextBasePage = 0x1000;

  constructor(options: StackOptions = {}) {
    const { epcPages = 40, cpus: userCpus = 4, lowPages = 0 } = options;
    this.#options = options;
    this.log = options.probe ?? new LogProbe();
    const cpus = Array.from({ length: userCpus + 1 }, () => ({ node: 0 }));
    this.machine = createMachine({ cpus, checking: options.checking ?? false });
    this.threads = Array.from({ length: userCpus }, (_, cpu) =>
      this.machine.createThread({ name: `vcpu ${cpu}`, cpu }),
    );
    this.ksgxd = this.machine.createThread({ name: 'ksgxd', cpu: userCpus, isKernel: true });
    const { machine, log: probe } = this;
    const { objects, checking: monitor } = machine;
    this.frames = createFrameTable({ sections: [{ node: 0, pageCount: epcPages }] }, { objects, monitor });
    const { frames } = this;
    const real = createSgxHardware(
      { pageCount: epcPages, cpuCount: userCpus + 1, tcsState: false, features: options.features },
      { objects, monitor, probe },
    );
    this.hardware = replaceLeaves(real, options.leaves?.(real) ?? {});
    const { hardware } = this;
    this.pools = createNodePools({}, { frames, locks: machine, hardware, probe });
    const { pools: pool } = this;
    const owners = createOwnerRegistry();
    this.lists = createReclaimLists({
      frames,
      locks: machine,
      owners,
      policy: secondChance()({ frames }),
      probe,
    });
    const { lists } = this;
    const batch = new Batch({ frames, lists, owners, pool, charge: null, probe });
    this.reclaimer = createReclaimer(
      { batchPages: 16, daemons: [{ thread: this.ksgxd.id }] },
      { lists, batch, pool, wake: watermarks({ low: lowPages, high: lowPages }), locks: machine, probe },
    );
    owners.register(new WillingOwner());
    const { reclaimer } = this;
    const charge = options.charge?.({ machine, frames, owners, reclaimer }) ?? null;
    this.allocator = createPageAllocator({ frames, pool, reclaimer, charge });
    this.driver = this.#createDriver();
    machine.changes = () => frames.changes + hardware.changes;
    this.vmm = this.process();
    this.run(this.pools.sanitize(this.thread()));
    this.log.clear();
  }

  /** Thread of a user CPU. */
  thread(cpu = 0): MachineThread {
    return this.threads[cpu] as MachineThread;
  }

  /** Direct world: runs a routine on the thread of a CPU. */
  run<T>(routine: Routine<T>, cpu = 0): T {
    return this.machine.run(this.thread(cpu), routine);
  }

  /** A new process. */
  process(): AddressSpace {
    const { objects, checking: monitor } = this.machine;
    const id = this.#mmCount++;
    return createAddressSpace(
      { id, name: `process ${id}`, cpuCount: this.machine.cpuCount },
      {
        locks: this.machine,
        objects,
        monitor,
        probe: this.log,
        frameOf: (owner, page) => this.driver.instance(owner)?.pages.get(page) ?? NONE,
      },
    );
  }

  /** open and, unless told otherwise, mmap of everything by the VMM. */
  open(pageCount = 16, isMapped = true): Vepc {
    const vepc = this.driver.open(pageCount);
    if (vepc === null) throw new Error('open: ENOMEM');
    if (isMapped) this.map(vepc);
    return vepc;
  }

  /** mmap. */
  map(vepc: Vepc, mm = this.vmm, start = 0, end = vepc.pageCount, isShared = true): number {
    const argument = { start, end, prot: Prot.R | Prot.W, isShared };
    return this.run(this.driver.mapper.map(this.thread(), mm, vepc, argument));
  }

  /** munmap. */
  unmap(vepc: Vepc, mm = this.vmm, start = 0, end = vepc.pageCount): void {
    this.run(this.driver.mapper.unmap(this.thread(), mm, vepc, start, end));
  }

  /** One page fault. @returns result of the handler, or NONE without a mapping */
  fault(vepc: Vepc, page: number, mm = this.vmm, mayRetry = true, cpu = 0): number {
    return this.run(this.faultOn(this.thread(cpu), vepc, page, mm, mayRetry), cpu);
  }

  /** The routine of {@link fault}: finds the mapping, as the kernel's page-fault entry does. */
  *faultOn(thread: MachineThread, vepc: Vepc, page: number, mm = this.vmm, mayRetry = true): Routine<number> {
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const vma = mm.table(vepc.id)?.vmaOf(page);
    if (vma === undefined) {
      mm.lock.releaseRead(thread);
      return NONE;
    }
    const result = yield* this.driver.faults.fault(thread, mm, vma, vepc, page, mayRetry);
    if (result !== VepcFaultResult.RETRY) mm.lock.releaseRead(thread);
    return result;
  }

  /** Faults pages in. @returns their EPC pages */
  populate(vepc: Vepc, ...pages: number[]): number[] {
    return pages.map((page) => {
      if (this.fault(vepc, page) !== VepcFaultResult.NOPAGE) throw new Error(`no EPC for page ${page}`);
      return vepc.pages.get(page);
    });
  }

  /** Page of an instance as the VMM has it mapped. */
  at(vepc: Vepc, page: number): VepcAddress {
    return { mm: this.vmm, vepc, page };
  }

  /** What a guest puts into a SECS: a fresh range of 16 pages. */
  source(): SecsSource {
    const basePage = this.#nextBasePage;
    this.#nextBasePage += 16;
    return { basePage, pageCount: 16, attributes: ATTRIBUTES, ssaFrameSize: 1 };
  }

  /** Guest ECREATE. @returns the source, whose range the enclave has */
  ecreate(vepc: Vepc, page: number): SecsSource {
    const source = this.source();
    const result = this.run(this.driver.guest.ecreate(this.thread(), this.at(vepc, page), source, this.trap));
    if (result !== 0) throw new Error(`ECREATE: ${result}`);
    return source;
  }

  /** Guest EINIT. */
  einit(vepc: Vepc, page: number): void {
    const { guest } = this.driver;
    const result = this.run(guest.einit(this.thread(), this.at(vepc, page), { signature: {} }, this.trap));
    if (result !== 0) throw new Error(`EINIT: ${result}`);
  }

  /** Guest EADD of a REG or TCS page at `basePage + linear`. */
  eadd(target: VepcAddress, secs: VepcAddress, source: SecsSource, linear: number, isTcs = false): number {
    const secinfo = isTcs
      ? PageType.TCS << SecInfo.TYPE_SHIFT
      : SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
    const { guest } = this.driver;
    return this.run(guest.eadd(this.thread(), target, secs, source.basePage + linear, secinfo));
  }

  /** `SGX_IOC_VEPC_REMOVE_ALL`. */
  removeAll(vepc: Vepc, argument = 0, command: number = VEPC_REMOVE_ALL): number {
    return this.run(this.driver.removeAll.ioctl(this.thread(), vepc, command, argument));
  }

  /** munmap everywhere and last close. */
  release(vepc: Vepc): void {
    for (const mm of vepc.addressSpaces()) {
      this.unmap(vepc, mm);
      mm.forget(vepc.id);
    }
    this.run(this.driver.release(this.thread(), vepc));
  }

  /** Gives pages to an owner who lets the reclaimer have them. */
  fillReclaimable(count: number): void {
    for (let i = 0; i < count; i++) {
      const page = this.run(this.allocator.alloc(this.thread(), OwnerKind.FIRST_CUSTOM, 1, i, false));
      if (page < 0) throw new Error(`alloc: ${page}`);
      this.run(this.lists.mark(this.thread(), page));
    }
  }

  /** Broken invariants of every table, in words. */
  violations(): string[] {
    const { driver, frames, hardware } = this;
    return [
      ...checkVepc(driver, frames, hardware).map(({ rule, message }) => `${rule} ${message}`),
      ...checkFrames(frames).map(({ page, problem }) => `frame ${page}: ${problem}`),
      ...checkPools(this.pools, frames),
      ...checkEpcm(hardware).map(({ page, message }) => `EPCM ${page}: ${message}`),
      ...this.machine.threads
        .filter(({ held }) => held.length > 0)
        .map((thread) => `${thread.name} holds a lock.`),
    ];
  }

  /** Pages on the free list, head to tail. */
  free(): number[] {
    const pages: number[] = [];
    const list = this.pools.lists.free(0);
    for (let page = this.frames.first(list); page !== NONE; page = this.frames.next(page)) pages.push(page);
    return pages;
  }

  #createDriver(): VepcDriver {
    const { frames, hardware, allocator, machine, log: probe } = this;
    const { launchKeyHashes, failures = null, recipes } = this.#options;
    const { objects, checking: monitor } = machine;
    const driver = createVepcDriver(
      { hasVmx: true, firstOwner: FIRST_OWNER },
      {
        frames,
        hardware,
        allocator,
        locks: machine,
        objects,
        monitor,
        probe,
        failures,
        launchControl:
          launchKeyHashes === undefined
            ? null
            : { writeHash: (cpu, hash) => void launchKeyHashes.push(`${cpu} ${hash}`) },
      },
      recipes,
    );
    if (driver === null) throw new Error('no device');
    return driver;
  }
}
