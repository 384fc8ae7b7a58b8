import type { EnclaveDriver } from '@epckit/enclave';
import { createEnclaveDriver } from '@epckit/enclave';
import { checkFrames, createFrameTable } from '@epckit/frames';
import type { HardwareModel } from '@epckit/hardware';
import { checkEpcm, createSgxHardware } from '@epckit/hardware';
import type {
  AddressSpace,
  BackingStore,
  CpuId,
  PageAllocator,
  PageIndex,
  PageOwner,
  Probe,
  ReclaimLists,
  Routine,
  SgxHardware,
} from '@epckit/interface';
import { FrameFlag, InvariantViolation, OwnerKind, Prot } from '@epckit/interface';
import type { Ipi, Machine, MachineThread } from '@epckit/machine';
import { createMachine } from '@epckit/machine';
import { createAddressSpace, createCpuSet } from '@epckit/mm';
import type { NodePools } from '@epckit/numa';
import { checkPools, createNodePools } from '@epckit/numa';
import { PatientAllocator } from '@epckit/numa/recipes';
import { createBackingStore, createEtrack, createVersionSlots, createWriteBack } from '@epckit/paging';
import { LoadBackKeeping } from '@epckit/paging/recipes';
import { createOwnerRegistry, createReclaimLists, secondChance, watermarks } from '@epckit/reclaim';
import { Batch, CountingKsgxd } from '@epckit/reclaim/recipes';
import type {
  EvictionId,
  Oversub,
  OversubInstance,
  OversubPaging,
  OversubPagingParts,
  OversubRecipes,
  Vepc,
  VepcDriver,
  VepcFailures,
  VmPage,
} from '../../src/index.js';
import { checkOversub, checkVepc, createVepcDriver, Eviction } from '../../src/index.js';
import { EvictableVersions } from '../../src/recipes.js';
import { LogProbe } from '../log-probe.js';
import { replaceLeaves } from '../replace-leaves.js';
import { GuestVm } from './guest-vm.js';

/** What a stack with host reclaim is made of. Defaults: 64 pages, 2 virtual CPUs, the default recipes. */
export interface GuestStackOptions {
  readonly epcPages?: number;
  readonly cpus?: number;
  /** Pages of a batch. Default: 16. */
  readonly batchPages?: number;
  readonly recipes?: OversubRecipes;
  readonly failures?: VepcFailures;
  /** Slots of a version array page that can be evicted; left out: all of them stay. */
  readonly versionSlots?: number;
  /** Replaces single leaves. */
  readonly leaves?: (hardware: SgxHardware) => Partial<SgxHardware>;
  /** Asked for every page of every backing file. */
  readonly mayAllocate?: () => boolean;
  readonly checking?: boolean;
  /** There is a native driver, too. */
  readonly native?: boolean;
  /** What the reclaimer is given as owners. */
  readonly wrap?: (owner: PageOwner) => PageOwner;
}

/** A stack of real packages with a VM. */
export class GuestStack {
  readonly machine: Machine;
  readonly frames: ReturnType<typeof createFrameTable>;
  readonly hardware: HardwareModel;
  readonly pools: NodePools;
  readonly lists: ReclaimLists;
  readonly reclaimer: CountingKsgxd;
  readonly allocator: PageAllocator;
  readonly driver: VepcDriver;
  readonly native: EnclaveDriver | null;
  readonly oversub: Oversub;
  readonly ipi: Ipi;
  readonly log = new LogProbe();
  /** One thread per CPU: virtual CPUs, which also run what the VMM does; the last one is the reclaimer's. */
  readonly threads: readonly MachineThread[];
  readonly vm: GuestVm;
  readonly vms: GuestVm[] = [];
  readonly #options: GuestStackOptions;
  #mmCount = 0;

  constructor(options: GuestStackOptions = {}) {
    const { epcPages = 64, cpus = 2, batchPages = 16, checking = false } = options;
    const { wrap = (owner: PageOwner) => owner } = options;
    this.#options = options;
    const nodes = Array.from({ length: cpus + 1 }, () => ({ node: 0 }));
    this.machine = createMachine({ cpus: nodes, checking });
    this.threads = nodes.map((_, cpu) =>
      this.machine.createThread({ name: cpu === cpus ? 'reclaimer' : `vcpu ${cpu}`, cpu }),
    );
    const { machine, log: probe } = this;
    const { objects, checking: monitor } = machine;
    this.frames = createFrameTable({ sections: [{ node: 0, pageCount: epcPages }] }, { objects, monitor });
    const { frames } = this;
    const real = createSgxHardware({ pageCount: epcPages, cpuCount: cpus + 1 }, { objects, monitor, probe });
    this.hardware = options.leaves === undefined ? real : replaceLeaves(real, options.leaves(real));
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
    const wake = watermarks({ low: 0, high: 0 });
    const daemons = [{ thread: (this.threads[cpus] as MachineThread).id }];
    this.reclaimer = new CountingKsgxd(
      { batchPages, daemons },
      { lists, batch, pool, wake, locks: machine, probe },
    );
    this.allocator = new PatientAllocator({ frames, pool, reclaimer: this.reclaimer, charge: null });
    const interrupts = { arrive: (_: unknown, cpu: CpuId) => this.hardware.aex(cpu), leave: () => {} };
    this.ipi = machine.createIpi(interrupts, probe);
    this.vm = this.addVm();
    this.driver = this.#createVepc();
    this.oversub = this.driver.oversub as Oversub;
    owners.register(wrap(this.oversub.owner));
    this.native = options.native === true ? this.#createNative() : null;
    if (this.native !== null) owners.register(wrap(this.native.owner));
    machine.changes = () => frames.changes + hardware.changes;
    for (let cpu = 0; cpu < cpus; cpu++) this.vm.mm.load(cpu);
    this.run(this.pools.sanitize(this.thread()));
    this.log.clear();
  }

  /** Thread of a CPU; `-1`: the reclaimer's. */
  thread(cpu = 0): MachineThread {
    return this.threads.at(cpu) as MachineThread;
  }

  /** Direct world: runs a routine on the thread of a CPU. */
  run<T>(routine: Routine<T>, cpu = 0): T {
    return this.machine.run(this.thread(cpu), routine);
  }

  /** A new address space. */
  process(): AddressSpace {
    const { objects, checking: monitor } = this.machine;
    const id = this.#mmCount++;
    return createAddressSpace(
      { id, name: `process ${id}`, cpuCount: this.machine.cpuCount },
      { locks: this.machine, objects, monitor, probe: this.log },
    );
  }

  /** Address space of the first VMM. */
  get mm(): AddressSpace {
    return this.vm.mm;
  }

  /** EPC sections of the first VM. */
  get sections(): readonly Vepc[] {
    return this.vm.sections;
  }

  /** Another VM, without EPC. */
  addVm(): GuestVm {
    const vm = new GuestVm(this.process());
    this.vms.push(vm);
    return vm;
  }

  /** An EPC section of the guest with reclaim enabled, mapped by the VMM. */
  section(pageCount = 8, vm = this.vm): Vepc {
    const vepc = this.driver.open(pageCount);
    if (vepc === null) throw new Error('open: ENOMEM');
    vm.sections.push(vepc);
    const error = this.run(this.oversub.enabler.enable(this.thread(), vepc, vm));
    if (error !== 0) throw new Error(`enable: ${error}`);
    const mapped = this.map(vepc, vm.mm);
    if (mapped !== 0) throw new Error(`mmap: ${mapped}`);
    return vepc;
  }

  /** mmap of the whole file. */
  map(vepc: Vepc, mm = this.mm): number {
    const range = { start: 0, end: vepc.pageCount, prot: Prot.R | Prot.W };
    return this.run(this.driver.mapper.map(this.thread(), mm, vepc, range));
  }

  /** munmap and last close. */
  close(vepc: Vepc): void {
    this.unmap(vepc);
    this.run(this.driver.release(this.thread(), vepc));
  }

  /** munmap everywhere. */
  unmap(vepc: Vepc): void {
    for (const mm of vepc.addressSpaces()) {
      this.run(this.driver.mapper.unmap(this.thread(), mm, vepc, 0, vepc.pageCount));
      mm.forget(vepc.id);
    }
  }

  /** The VMs are destroyed, and their files closed. */
  end(): void {
    for (const { sections } of this.vms) {
      for (const vepc of sections) this.run(this.oversub.enabler.disable(this.thread(), vepc));
      for (const vepc of sections) this.close(vepc);
    }
  }

  /** Instance with reclaim. */
  instance(vepc: Vepc): OversubInstance {
    return this.oversub.instance(vepc.id) as OversubInstance;
  }

  /** State of a page. */
  state({ vepc, page }: VmPage): number {
    return this.instance(vepc).records.state(page);
  }

  /** Evicts one page. */
  evict(at: VmPage): EvictionId {
    return this.run(this.oversub.evict(this.thread(-1), at), -1);
  }

  /** Page of an instance that an EPC page belongs to. */
  placeOf(page: PageIndex): VmPage {
    return { vepc: this.driver.instance(this.frames.owner(page)) as Vepc, page: this.frames.record(page) };
  }

  /** Evicts every page that can be: children first, then their SECS pages. @returns guest pages that stay reclaimable */
  evictAll(): number {
    let left = 0;
    for (let round = 0; round < 2; round++) {
      left = 0;
      for (let page = 0; page < this.frames.pageCount; page++) {
        const isGuest = this.frames.kind(page) === OwnerKind.GUEST;
        if (!isGuest || (this.frames.flags(page) & FrameFlag.TRACKED) === 0) continue;
        if (this.evict(this.placeOf(page)) !== Eviction.EVICTED) left++;
      }
    }
    return left;
  }

  /** Evicts every version array page of the host that can be. @returns how many */
  shrink(): number {
    return this.run(this.shrinkAll(this.thread(-1)), -1);
  }

  /** The routine of {@link shrink}. */
  *shrinkAll(thread: MachineThread): Routine<number> {
    const { versions, instances } = this.oversub;
    let count = 0;
    if (!(versions instanceof EvictableVersions)) return count;
    for (const instance of instances.all()) count += yield* versions.shrink(thread, instance);
    return count;
  }

  /** Figures of all instances together. */
  versionCounts(): { evictions: number; loads: number } {
    const counts = this.oversub.instances.all().map((it) => this.oversub.versions.counts(it));
    return {
      evictions: counts.reduce((sum, { evictions }) => sum + evictions, 0),
      loads: counts.reduce((sum, { loads }) => sum + loads, 0),
    };
  }

  /** Broken invariants of every table, in words. */
  violations(): string[] {
    const { driver, frames, hardware } = this;
    return [
      ...checkVepc(driver, frames, hardware).map(({ rule, message }) => `${rule} ${message}`),
      ...checkOversub(this.oversub, frames, hardware).map(({ rule, message }) => `${rule} ${message}`),
      ...checkFrames(frames).map(({ page, problem }) => `frame ${page}: ${problem}`),
      ...checkPools(this.pools, frames),
      ...checkEpcm(hardware).map(({ page, message }) => `EPCM ${page}: ${message}`),
      ...this.machine.threads
        .filter(({ held }) => held.length > 0)
        .map((thread) => `${thread.name} holds a lock.`),
    ];
  }

  /** The laws of host reclaim that hold after every step of every thread. @throws InvariantViolation */
  checkStep(): void {
    const found = checkOversub(this.oversub, this.frames, this.hardware, false);
    if (found.length === 0) return;
    const words = found.map(({ rule, message }) => `${rule} ${message}`);
    throw new InvariantViolation(words[0] as string, words);
  }

  #createVepc(): VepcDriver {
    const { frames, hardware, allocator, machine, lists, reclaimer, ipi, log: probe } = this;
    const { failures = null, recipes = {}, versionSlots: slotsPerPage } = this.#options;
    const { objects, checking: monitor, cpuCount } = machine;
    const createPaging = (parts: OversubPagingParts) => this.#createPaging(parts);
    const createBacking = (owner: number, pageCount: number) => this.#createBacking(owner, pageCount, null);
    const versionArrays = slotsPerPage === undefined ? null : { slotsPerPage, createBacking };
    const createCpus = () => createCpuSet(cpuCount);
    const oversub = { lists, reclaimer, ipi, createCpuSet: createCpus, createPaging, versionArrays };
    const driver = createVepcDriver(
      { hasVmx: true, firstOwner: 1000 },
      {
        frames,
        hardware,
        allocator,
        locks: machine,
        objects,
        monitor,
        probe,
        failures,
        launchControl: null,
        oversub,
      },
      { oversub: recipes },
    );
    if (driver === null) throw new Error('no device');
    return driver;
  }

  #createPaging(parts: OversubPagingParts): OversubPaging {
    const { machine, ipi, log: probe } = this;
    const { owner, pageCount, hardware, tracker, isBeingWritten } = parts;
    const slots = parts.slots ?? createVersionSlots();
    const backing = this.#createBacking(owner, pageCount, probe);
    const cpus = createCpuSet(machine.cpuCount);
    return {
      slots,
      backing,
      writeBack: createWriteBack({ hardware, tracker, ipi, probe, slots, backing, cpus }),
      loadBack: new LoadBackKeeping({ hardware, probe, slots, backing, isBeingWritten }),
    };
  }

  #createBacking(owner: number, pageCount: number, probe: Probe | null): BackingStore {
    const { objects, checking: monitor } = this.machine;
    const { mayAllocate } = this.#options;
    const file = { pageCount, ...(mayAllocate === undefined ? {} : { mayAllocate }) };
    return createBackingStore(file, { probe, monitor, objects, owner });
  }

  #createNative(): EnclaveDriver {
    const { frames, hardware, allocator, machine, lists, log: probe } = this;
    const { objects, checking: monitor } = machine;
    return createEnclaveDriver({
      frames,
      hardware,
      allocator,
      lists,
      locks: machine,
      objects,
      monitor,
      probe: probe as Probe,
      createPaging: (owner, pageCount, isBeingWritten) =>
        this.#createPaging({
          ...{ owner, pageCount, hardware, isBeingWritten },
          ...{ tracker: createEtrack(hardware), slots: null },
        }),
    });
  }
}
