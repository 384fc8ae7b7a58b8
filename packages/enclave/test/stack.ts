// biome-ignore-all lint/correctness/useYield: the daemon has nothing to do first
import { checkFrames, createFrameTable } from '@epckit/frames';
import type { HardwareModel } from '@epckit/hardware';
import { checkEpcm, createSgxHardware } from '@epckit/hardware';
import type { AddressSpace, Probe, ReclaimLists, Routine, SgxHardware } from '@epckit/interface';
import { Access, Attribute, NONE, PageType, Prot, SecInfo, Walk } from '@epckit/interface';
import type { Ipi, Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createAddressSpace, createCpuSet } from '@epckit/mm';
import type { NodePools } from '@epckit/numa';
import { checkPools, createNodePools, createPageAllocator } from '@epckit/numa';
import { createEtrack } from '@epckit/paging';
import type { Ksgxd } from '@epckit/reclaim';
import {
  createOwnerRegistry,
  createReclaimer,
  createReclaimLists,
  secondChance,
  watermarks,
} from '@epckit/reclaim';
import { Batch } from '@epckit/reclaim/recipes';
import type { Enclave, EnclaveDriver, EnclaveDriverRecipes, KernelCall } from '../src/index.js';
import { checkEnclaves, createEnclaveDriver, FaultResult } from '../src/index.js';
import { createPaging } from './create-paging.js';
import { LogProbe } from './log-probe.js';
import { replaceLeaves } from './replace-leaves.js';

/** What a test stack is made of. Defaults: 64 pages, 2 user CPUs, batches of 16, a daemon that is never woken. */
export interface StackOptions {
  readonly epcPages?: number;
  readonly cpus?: number;
  readonly batchPages?: number;
  readonly lowPages?: number;
  readonly highPages?: number;
  /** Replaces single leaves. */
  readonly leaves?: (hardware: SgxHardware) => Partial<SgxHardware>;
  /** Asked for every page of every backing file. */
  readonly mayAllocate?: () => boolean;
  readonly recipes?: EnclaveDriverRecipes;
  /** The processor has SGX2. Default: false. */
  readonly dynamic?: boolean;
  readonly checking?: boolean;
}

/** What {@link Stack.build} builds. */
export interface BuildOptions {
  /** Pages to add, from page 0. */
  readonly pages: number;
  /** Page 0 is a TCS. Default: false. */
  readonly tcs?: boolean;
  readonly isMeasured?: boolean;
  /** Pages of the range. Default: the next power of two. */
  readonly range?: number;
  /** Attribute DEBUG. Default: false. */
  readonly debug?: boolean;
  /** Default: true. */
  readonly init?: boolean;
  /** Default: all pages are mapped R and W, none is present. */
  readonly map?: boolean;
}

/** A stack of real packages in the direct world. */
export class Stack {
  readonly machine: Machine;
  readonly frames: ReturnType<typeof createFrameTable>;
  readonly hardware: HardwareModel;
  readonly pools: NodePools;
  readonly lists: ReclaimLists;
  readonly reclaimer: Ksgxd;
  readonly driver: EnclaveDriver;
  readonly ipi: Ipi;
  readonly log = new LogProbe();
  /** One thread per user CPU. */
  readonly threads: readonly MachineThread[];
  readonly ksgxd: MachineThread;
  readonly #cpuCount: number;
  readonly #options: StackOptions;
  /** Calls into the kernel that fail, in this order per kind. */
  readonly #failing: KernelCall[] = [];
  #mmCount = 0;

  constructor(options: StackOptions = {}) {
    const userCpus = options.cpus ?? 2;
    this.#options = options;
    this.#cpuCount = userCpus + 1;
    const cpus = Array.from({ length: this.#cpuCount }, () => ({ node: 0 }));
    this.machine = createMachine({ cpus, checking: options.checking ?? false });
    this.threads = Array.from({ length: userCpus }, (_, cpu) =>
      this.machine.createThread({ name: `task ${cpu}`, cpu }),
    );
    this.ksgxd = this.machine.createThread({ name: 'ksgxd', cpu: userCpus, isKernel: true });
    const { objects, checking: monitor } = this.machine;
    const probe: Probe = this.log;
    const sections = [{ node: 0, pageCount: options.epcPages ?? 64 }];
    this.frames = createFrameTable({ sections }, { objects, monitor });
    this.hardware = this.#createHardware();
    const { frames, hardware, machine } = this;
    this.pools = createNodePools({}, { frames, locks: machine, hardware, probe });
    const owners = createOwnerRegistry();
    const policy = secondChance()({ frames });
    this.lists = createReclaimLists({ frames, locks: machine, owners, policy, probe });
    this.reclaimer = this.#createReclaimer(owners);
    this.ipi = machine.createIpi({ arrive: (_, cpu) => this.interrupt(cpu), leave: () => {} }, probe);
    const { pools: pool, reclaimer, lists } = this;
    const allocator = createPageAllocator({ frames, pool, reclaimer, charge: null });
    const failures = { fails: (call: KernelCall) => this.#fails(call) };
    const shared = { frames, hardware, allocator, lists, locks: machine, objects, monitor, probe, failures };
    const paging = { machine, hardware, ipi: this.ipi, probe, mayAllocate: options.mayAllocate };
    const sgx2 = {
      tracker: createEtrack(hardware),
      ipi: this.ipi,
      createCpuSet: () => createCpuSet(this.#cpuCount),
    };
    const dynamic = options.dynamic === true ? sgx2 : null;
    this.driver = createEnclaveDriver(
      { ...shared, dynamic, createPaging: (...enclave) => createPaging(paging, ...enclave) },
      options.recipes,
    );
    owners.register(this.driver.owner);
    machine.changes = () => frames.changes + hardware.changes;
    this.run(this.pools.sanitize(this.thread()));
    this.log.clear();
  }

  /** Makes the next call of each of these kinds fail; a kind that stands twice fails twice. */
  failNext(...calls: readonly KernelCall[]): void {
    this.#failing.push(...calls);
  }

  #fails(call: KernelCall): boolean {
    const index = this.#failing.indexOf(call);
    if (index >= 0) this.#failing.splice(index, 1);
    return index >= 0;
  }

  /** Thread of a user CPU. */
  thread(cpu = 0): MachineThread {
    return this.threads[cpu] as MachineThread;
  }

  /** Direct world: runs a routine on the thread of a CPU. */
  run<T>(routine: Routine<T>, cpu = 0): T {
    return this.machine.run(this.thread(cpu), routine);
  }

  /** A new process whose address space is loaded on `cpus`. */
  process(...cpus: number[]): AddressSpace {
    const { objects, checking: monitor } = this.machine;
    const id = this.#mmCount++;
    const mm = createAddressSpace(
      { id, name: `process ${id}`, cpuCount: this.#cpuCount },
      { locks: this.machine, objects, monitor, probe: this.log },
    );
    for (const cpu of cpus) mm.load(cpu);
    return mm;
  }

  /** open and CREATE. @returns the enclave; the test expects CREATE to succeed */
  create(pageCount: number, debug = false): Enclave {
    const enclave = this.driver.open();
    const attributes = Attribute.MODE64BIT | (debug ? Attribute.DEBUG : 0);
    const argument = { pageCount, basePage: this.driver.chooseBasePage(pageCount), attributes };
    const result = this.run(this.driver.create.run(this.thread(), enclave, argument));
    if (result !== 0) throw new Error(`CREATE: ${result}`);
    return enclave;
  }

  /** ADD_PAGES of REG pages. */
  add(mm: AddressSpace, enclave: Enclave, page: number, count = 1, isMeasured = false, cpu = 0) {
    const argument = { page, count, type: PageType.REG, prot: Prot.R | Prot.W, isMeasured };
    return this.run(this.driver.addPages.run(this.thread(cpu), mm, enclave, argument), cpu);
  }

  /** ADD_PAGES of one TCS page. */
  addTcs(mm: AddressSpace, enclave: Enclave, page: number) {
    const argument = { page, count: 1, type: PageType.TCS, prot: 0, isMeasured: false };
    return this.run(this.driver.addPages.run(this.thread(), mm, enclave, argument));
  }

  /** INIT. */
  init(enclave: Enclave): number {
    return this.run(this.driver.init.run(this.thread(), enclave, {}));
  }

  /** mmap. */
  map(
    mm: AddressSpace,
    enclave: Enclave,
    start = 0,
    end = enclave.pageCount,
    prot: number = Prot.R | Prot.W,
  ): number {
    return this.run(this.driver.mapper.map(this.thread(), mm, enclave, { start, end, prot }));
  }

  /** An enclave with pages; forgets what was logged meanwhile. */
  build(mm: AddressSpace, options: BuildOptions): Enclave {
    const first = options.tcs === true ? 1 : 0;
    const pageCount = Math.max(2, 2 ** Math.ceil(Math.log2(options.pages)));
    const enclave = this.create(options.range ?? pageCount, options.debug);
    if (first === 1) this.addTcs(mm, enclave, 0);
    if (options.pages > first) this.add(mm, enclave, first, options.pages - first, options.isMeasured);
    if (options.init !== false) this.init(enclave);
    if (options.map !== false) this.map(mm, enclave);
    this.log.clear();
    return enclave;
  }

  /** One page fault. @returns result of the handler, or NONE without a mapping */
  fault(mm: AddressSpace, enclave: Enclave, page: number, cpu = 0): number {
    return this.run(this.#fault(mm, enclave, page, this.thread(cpu)), cpu);
  }

  /** Accesses a page as user code does, with at most `maxFaults` faults. @returns whether it succeeded */
  touch(mm: AddressSpace, enclave: Enclave, page: number, maxFaults = 1, cpu = 0): boolean {
    for (let faults = 0; ; faults++) {
      if (mm.walk(enclave.id, page, Access.WRITE) === Walk.HIT) return true;
      if (faults === maxFaults || this.fault(mm, enclave, page, cpu) !== FaultResult.NOPAGE) return false;
    }
  }

  /** EENTER on a CPU through TCS page 0. @returns result of the leaf */
  enter(enclave: Enclave, cpu: number): number {
    return this.hardware.eenter(cpu, enclave.records.epc(0), enclave.linearPage(0));
  }

  /** EACCEPT of what the page is now, as code of the enclave would. @returns result of the leaf */
  accept(enclave: Enclave, page: number, cpu = 0): number {
    const epc = enclave.records.epc(page);
    const { flags, type } = this.hardware.entry(epc);
    const secinfo = flags | (type << SecInfo.TYPE_SHIFT);
    return this.hardware.within(cpu, enclave.secs, () => {
      return this.hardware.eaccept(cpu, epc, enclave.linearPage(page), secinfo);
    });
  }

  /** An interrupt: the CPU leaves its enclave and does not come back by itself. */
  interrupt(cpu: number): boolean {
    return this.hardware.aex(cpu);
  }

  /** One batch in the context of a user thread. @returns pages freed */
  reclaim(cpu = 0): number {
    return this.run(this.reclaimer.batch(this.thread(cpu)), cpu);
  }

  /** Batches until nothing was freed twice in a row: once for the age, once for good. */
  reclaimAll(): void {
    for (let vain = 0; vain < 2; ) vain = this.reclaim() === 0 ? vain + 1 : 0;
  }

  /** Unmaps everything and closes the descriptor. */
  release(enclave: Enclave, cpu = 0): void {
    const { mapper } = this.driver;
    for (const mm of enclave.addressSpaces()) {
      this.run(mapper.unmap(this.thread(cpu), mm, enclave, 0, enclave.pageCount), cpu);
      mm.forget(enclave.id);
    }
    this.run(mapper.closeFile(this.thread(cpu), enclave), cpu);
  }

  /** Starts the daemon, which sleeps until it is woken. */
  startDaemon(): void {
    this.machine.start(this.ksgxd, this.reclaimer.main(this.ksgxd, nothing()));
    this.machine.runKernelThreads();
  }

  /** Takes `count` free pages out of everybody's reach. */
  hold(count: number): void {
    for (let i = 0; i < count; i++) this.run(this.pools.take(this.thread()));
  }

  /** Broken invariants of every table, in words. */
  violations(): string[] {
    const { frames, hardware } = this;
    return [
      ...checkEnclaves(this.driver, frames, hardware).map(({ rule, message }) => `${rule} ${message}`),
      ...checkFrames(frames).map(({ page, problem }) => `frame ${page}: ${problem}`),
      ...checkPools(this.pools, frames),
      ...checkEpcm(hardware).map(({ page, message }) => `EPCM ${page}: ${message}`),
      ...this.machine.threads
        .filter(({ held }) => held.length > 0)
        .map((thread) => `${thread.name} holds a lock.`),
    ];
  }

  /** Reclaimable pages from oldest to youngest. */
  reclaimable(): number[] {
    const pages: number[] = [];
    for (let page = this.lists.oldest(0); page !== NONE; page = this.lists.after(page)) pages.push(page);
    return pages;
  }

  /** Pages on the free list, head to tail. */
  free(): number[] {
    const pages: number[] = [];
    const list = this.pools.lists.free(0);
    for (let page = this.frames.first(list); page !== NONE; page = this.frames.next(page)) pages.push(page);
    return pages;
  }

  *#fault(mm: AddressSpace, enclave: Enclave, page: number, thread: MachineThread): Routine<number> {
    while (mm.lock.mustWaitRead(thread)) yield mm.lock.acquireRead;
    const vma = mm.table(enclave.id)?.vmaOf(page);
    const { faults } = this.driver;
    const result = vma === undefined ? NONE : yield* faults.fault(thread, mm, vma, enclave, page);
    mm.lock.releaseRead(thread);
    return result;
  }

  #createHardware(): HardwareModel {
    const options = { pageCount: this.frames.pageCount, cpuCount: this.#cpuCount };
    const { objects, checking: monitor } = this.machine;
    const real = createSgxHardware(options, { objects, monitor, probe: this.log });
    return replaceLeaves(real, this.#options.leaves?.(real) ?? {});
  }

  #createReclaimer(owners: ReturnType<typeof createOwnerRegistry>): Ksgxd {
    const { frames, lists, pools: pool, machine, log: probe } = this;
    const { batchPages = 16, lowPages = 0, highPages = 0 } = this.#options;
    const batch = new Batch({ frames, lists, owners, pool, charge: null, probe });
    const wake = watermarks({ low: lowPages, high: highPages });
    const daemons = [{ thread: this.ksgxd.id }];
    return createReclaimer({ batchPages, daemons }, { lists, batch, pool, wake, locks: machine, probe });
  }
}

function* nothing(): Routine<void> {}
