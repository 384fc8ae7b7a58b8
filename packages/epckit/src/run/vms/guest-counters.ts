import type { VirtualMachine } from '@epckit/guest';
import type {
  FrameTable,
  LeafId,
  LeafResult,
  OwnerId,
  PageIndex,
  ThreadId,
  VerdictId,
} from '@epckit/interface';
import { Leaf, SgxCode, Verdict } from '@epckit/interface';
import { SilentProbe } from './silent-probe.js';

/** Counts of one virtual machine. */
export interface VmCounts {
  /** Pages that the host has taken. */
  hostEvictions: number;
  /** Pages that the host has loaded back. */
  hostReloads: number;
  /** Pages that the guest has loaded back. */
  guestLoads: number;
  /** Most pages in the host's EPC at once. */
  peakPages: number;
}

/** Counts of one enclave of a guest. */
export interface GuestEnclaveCounts {
  /** Faults that the guest's kernel has handled. */
  faults: number;
  /** Pages that the guest's kernel has evicted. */
  evictions: number;
  /** Pages that the guest's kernel has loaded back. */
  loads: number;
}

/** Sums of counts. */
export function sumOfCounts(all: readonly Readonly<GuestEnclaveCounts>[]): GuestEnclaveCounts {
  const sum = { faults: 0, evictions: 0, loads: 0 };
  for (const { faults, evictions, loads } of all) {
    sum.faults += faults;
    sum.evictions += evictions;
    sum.loads += loads;
  }
  return sum;
}

/** Listens to the kernel of a guest. */
export class GuestProbe extends SilentProbe {
  /** Set when the virtual machine exists. */
  vm: VirtualMachine | null = null;
  /** Counts of the last enclave with an owner id: the guest's driver uses ids again. */
  readonly #enclaves = new Map<OwnerId, GuestEnclaveCounts>();
  readonly #all: GuestEnclaveCounts[] = [];
  /** Function in which the kernel has warned last, by thread. */
  readonly #warnings = new Map<ThreadId, string>();

  /** Function in which the kernel has warned last on a thread; null: it has not, or that was forgotten. */
  warnedIn(thread: ThreadId): string | null {
    return this.#warnings.get(thread) ?? null;
  }

  /** What comes next is asked about, not what was before. */
  forgetWarning(thread: ThreadId): void {
    this.#warnings.delete(thread);
  }

  /** Counts of the enclave of the guest that had this id last: a batch may end with pages of one that is gone. */
  of(owner: OwnerId): GuestEnclaveCounts {
    return this.#enclaves.get(owner) ?? this.begins(owner);
  }

  /** An enclave was opened, and has the id from now on. @returns its counts, zero now */
  begins(owner: OwnerId): GuestEnclaveCounts {
    const counts = { faults: 0, evictions: 0, loads: 0 };
    this.#all.push(counts);
    this.#enclaves.set(owner, counts);
    return counts;
  }

  /** The run begins now: what was counted before was preparation. */
  begin(): void {
    for (const counts of this.#all) Object.assign(counts, { faults: 0, evictions: 0, loads: 0 });
  }

  /** Sums over all enclaves of the guest. */
  get total(): Readonly<GuestEnclaveCounts> {
    return sumOfCounts(this.#all);
  }

  override faultHandled(_thread: ThreadId, owner: OwnerId): void {
    this.of(owner).faults++;
  }

  override warned(thread: ThreadId, where: string): void {
    this.#warnings.set(thread, where);
  }

  override reclaimVerdict(_thread: ThreadId, page: PageIndex, verdict: VerdictId): void {
    if (verdict !== Verdict.EVICTED || this.vm === null) return;
    this.of(this.vm.kernel.frames.owner(page)).evictions++;
  }
}

/** Counts what happens to pages of guests, on both levels. */
export class GuestCounters {
  readonly #frames: FrameTable;
  readonly #machines = new Map<VirtualMachine, VmCounts>();
  /** Virtual machine of each instance, by owner id. */
  readonly #owners = new Map<OwnerId, VirtualMachine>();
  readonly #probes = new Map<VirtualMachine, GuestProbe>();
  /** Loads by guests, by thread. */
  readonly #loads: number[] = [];

  /** @param frames - of the host */
  constructor(frames: FrameTable) {
    this.#frames = frames;
  }

  /** Counts a virtual machine from now on. */
  add(vm: VirtualMachine, probe: GuestProbe): void {
    probe.vm = vm;
    this.#probes.set(vm, probe);
    this.#machines.set(vm, emptyCounts());
    this.follow(vm);
  }

  /** Knows the instances of a virtual machine from now on; a migration has made others. */
  follow(vm: VirtualMachine): void {
    for (const { id } of vm.instances) this.#owners.set(id, vm);
  }

  /** The run begins now: what was counted before was preparation. */
  begin(): void {
    for (const [vm, counts] of this.#machines) {
      Object.assign(counts, { ...emptyCounts(), peakPages: residentPages(vm) });
    }
  }

  /** Counts of a virtual machine that was added. */
  of(vm: VirtualMachine): Readonly<VmCounts> {
    return this.#machines.get(vm) ?? emptyCounts();
  }

  /** Pages that guests have loaded back on a thread so far. */
  loadsOf(thread: ThreadId): number {
    return this.#loads[thread] ?? 0;
  }

  /** A leaf on a page of a guest, by whomever: only the host executes ELDBC and ELDUC. */
  leaf(thread: ThreadId, leaf: LeafId, page: PageIndex, result: LeafResult): void {
    const vm = this.#owners.get(this.#frames.owner(page));
    const counts = vm === undefined ? undefined : this.#machines.get(vm);
    if (vm === undefined || counts === undefined) return;
    counts.peakPages = Math.max(counts.peakPages, residentPages(vm));
    // Version array pages of the host come back by ELDUC, too.
    if (result !== SgxCode.SUCCESS || this.#frames.record(page) < 0) return;
    if (leaf === Leaf.ELDBC || leaf === Leaf.ELDUC) counts.hostReloads++;
    if (leaf !== Leaf.ELDU && leaf !== Leaf.ELDB) return;
    counts.guestLoads++;
    this.#loads[thread] = this.loadsOf(thread) + 1;
    const owner = vm.kernel.frames.owner(vm.epc.pageOf(page));
    (this.#probes.get(vm) as GuestProbe).of(owner).loads++;
  }

  /** The host's reclaimer has decided about a page of a guest. */
  judged(page: PageIndex, verdict: VerdictId): void {
    const vm = this.#owners.get(this.#frames.owner(page));
    const counts = vm === undefined ? undefined : this.#machines.get(vm);
    if (counts !== undefined && verdict === Verdict.EVICTED) counts.hostEvictions++;
  }
}

/** Pages of a guest that are in the host's EPC. */
export function residentPages(vm: VirtualMachine): number {
  let sum = 0;
  for (const { vepc } of vm.epc.sections) sum += vepc.pages.count;
  return sum;
}

function emptyCounts(): VmCounts {
  return { hostEvictions: 0, hostReloads: 0, guestLoads: 0, peakPages: 0 };
}
