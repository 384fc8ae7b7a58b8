import type {
  CpuId,
  FrameTable,
  GroupId,
  LeafId,
  LeafResult,
  NodeId,
  Op,
  OwnerId,
  OwnerKindId,
  PageIndex,
  Probe,
  ThreadId,
  VerdictId,
} from '@epckit/interface';
import { Leaf, OwnerKind, opObject, SgxCode } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import { FIRST_VEPC_OWNER } from '../guest-reclaim.js';
import type { FaultKind, FaultObserver } from './fault-latency.js';
import { FreePageLine } from './free-page-line.js';
import type { GroupCounters } from './group-counters.js';
import type { RunCounts } from './report.js';
import { emptyTally, fieldOf, fills, forgetEvents, type Tally } from './tally.js';
import type { GuestCounters } from './vms/guest-counters.js';

/** What counters look at; set when the stack is composed. */
export interface CountedStack {
  /** Whose page is it? */
  readonly frames: FrameTable;
  /** Threads and their clocks. */
  readonly machine: Machine;
}

/** What one daemon has done. */
export interface DaemonCounts {
  /** Times at which it woke up and went to sleep, in turns. */
  readonly times: number[];
  /** Wake-ups that found it asleep. */
  wakeups: number;
  /** Its batches. */
  batches: number;
  /** Pages that they evicted. */
  evictions: number;
}

/** Counts of leaves that tell what a fault did, by thread. */
interface LoadCounts {
  eldu: number;
  eaug: number;
}

/** Listens to trace points and counts, in all and per enclave. */
export class RunCounters implements Probe, FaultObserver {
  /** Set after the stack is composed. */
  stack: CountedStack | null = null;
  /** Counts of cgroups; null: there are none. Set after the stack is composed. */
  groups: GroupCounters | null = null;
  /** Counts of guests; null: there are none. Set after the stack is composed. */
  guests: GuestCounters | null = null;
  /** Over all enclaves; leaves on pages without an owner, such as sanitizing, are not counted. */
  readonly total = emptyTally();
  ksgxdWakeups = 0;
  ksgxdBatches = 0;
  directReclaims = 0;
  allocations = 0;
  remoteAllocations = 0;
  ksgxdEvictions = 0;
  directEvictions = 0;
  /** Free pages since the run has begun. */
  freePages = new FreePageLine(0);
  /** What each daemon has done since the run has begun. */
  readonly #daemons = new Map<ThreadId, DaemonCounts>();
  /** Cycles that each thread has waited for each lock, by its op, since the run has begun. */
  readonly #lockWaits = new Map<ThreadId, Map<Op, number>>();
  /** Time at which the run began; infinite before. */
  protected began = Number.POSITIVE_INFINITY;
  readonly #enclaves: Tally[] = [];
  readonly #loads: LoadCounts[] = [];

  /** The run begins now: what was counted before was preparation, but the pages in use stay. */
  begin(cycle: number, freePages: number): void {
    this.began = cycle;
    this.freePages = new FreePageLine(freePages);
    for (const tally of [this.total, ...this.#enclaves]) if (tally !== undefined) forgetEvents(tally);
    this.ksgxdWakeups = 0;
    this.ksgxdBatches = 0;
    this.directReclaims = 0;
    this.allocations = 0;
    this.remoteAllocations = 0;
    this.ksgxdEvictions = 0;
    this.directEvictions = 0;
    this.#daemons.clear();
    this.#lockWaits.clear();
    this.groups?.begin(cycle);
    this.guests?.begin();
  }

  /** Counts of a daemon. */
  daemon(thread: ThreadId): DaemonCounts {
    let counts = this.#daemons.get(thread);
    if (counts === undefined) {
      counts = { times: [], wakeups: 0, batches: 0, evictions: 0 };
      this.#daemons.set(thread, counts);
    }
    return counts;
  }

  /** Cycles that some threads have waited for locks, by name, in order of the locks' creation. */
  lockWaits(threads: readonly ThreadId[]): Readonly<Record<string, number>> {
    const waits = new Map<Op, number>();
    for (const thread of threads) {
      for (const [lock, cycles] of this.#lockWaits.get(thread) ?? []) {
        waits.set(lock, (waits.get(lock) ?? 0) + cycles);
      }
    }
    const { objects } = (this.stack as CountedStack).machine;
    const sums: Record<string, number> = {};
    for (const [lock, cycles] of [...waits].sort(([a], [b]) => a - b)) {
      const name = objects.nameOf(opObject(lock));
      sums[name] = (sums[name] ?? 0) + cycles;
    }
    return sums;
  }

  /** Counts of an enclave. */
  of(owner: OwnerId): Tally {
    let tally = this.#enclaves[owner];
    if (tally === undefined) {
      tally = emptyTally();
      this.#enclaves[owner] = tally;
    }
    return tally;
  }

  /** Loads and additions of pages that a thread has executed so far. */
  loadsOf(thread: ThreadId): Readonly<LoadCounts> {
    let loads = this.#loads[thread];
    if (loads === undefined) {
      loads = { eldu: 0, eaug: 0 };
      this.#loads[thread] = loads;
    }
    return loads;
  }

  /** An access begins to fault. */
  faultBegins(_thread: MachineThread, _owner: OwnerId, _page: number): void {}
  /** The access is done. */
  faultEnds(_thread: MachineThread, _kind: FaultKind, _faults: number): void {}
  /** A batch begins. */
  batchBegins(_thread: ThreadId): void {}
  /** A batch has ended. */
  batchEnds(_thread: ThreadId, _freed: number): void {}
  /** A round of interrupts begins. */
  ipiBegins(_thread: ThreadId, _targets: number): void {}
  /** All targets have answered. */
  ipiEnds(_thread: ThreadId, _interrupted: number): void {}

  leaf(cpu: CpuId, leaf: LeafId, page: PageIndex, result: LeafResult): void {
    const { frames } = this.stack as CountedStack;
    const kind = frames.kind(page);
    if (kind === OwnerKind.GUEST) this.guests?.leaf(this.threadOn(cpu), leaf, page, result);
    if (kind !== OwnerKind.NATIVE) return;
    this.#count(this.total, leaf, result);
    this.#count(this.of(frames.owner(page)), leaf, result);
    if (leaf !== Leaf.ELDU && leaf !== Leaf.EAUG) return;
    const loads = this.loadsOf(this.threadOn(cpu)) as LoadCounts;
    if (leaf === Leaf.ELDU) loads.eldu++;
    else loads.eaug++;
  }

  faultHandled(_thread: ThreadId, owner: OwnerId, _page: number, isMapped: boolean): void {
    // Faults on EPC of guests count as exits there.
    if (owner >= FIRST_VEPC_OWNER) return;
    const enclave = this.of(owner);
    this.total.faults++;
    enclave.faults++;
    if (isMapped) return;
    this.total.faultRetries++;
    enclave.faultRetries++;
  }

  pageAllocated(thread: ThreadId, _page: PageIndex, node: NodeId): void {
    this.allocations++;
    const { clock, node: own } = this.thread(thread);
    if (node !== own) this.remoteAllocations++;
    this.freePages.add(clock - this.began, -1);
  }

  pageFreed(thread: ThreadId, _page: PageIndex, _node: NodeId): void {
    if (this.isRunning) this.freePages.add(this.thread(thread).clock - this.began, 1);
  }

  daemonWoken(_thread: ThreadId, daemon: ThreadId, wasAsleep: boolean): void {
    if (!wasAsleep) return;
    this.ksgxdWakeups++;
    this.daemon(daemon).wakeups++;
  }

  daemonRuns(daemon: ThreadId, _running: boolean): void {
    if (this.isRunning) this.daemon(daemon).times.push(this.thread(daemon).clock - this.began);
  }

  batchEnded(thread: ThreadId, _isolated: number, evicted: number, direct: boolean): void {
    if (direct) {
      this.directReclaims++;
      this.directEvictions += evicted;
      return;
    }
    this.ksgxdBatches++;
    this.ksgxdEvictions += evicted;
    const daemon = this.daemon(thread);
    daemon.batches++;
    daemon.evictions += evicted;
  }

  reclaimVerdict(thread: ThreadId, page: PageIndex, verdict: VerdictId): void {
    const { frames } = this.stack as CountedStack;
    if (this.guests !== null && frames.kind(page) === OwnerKind.GUEST) this.guests.judged(page, verdict);
    this.groups?.judged(this.thread(thread), frames.group(page), verdict);
  }

  charged(thread: ThreadId, _page: PageIndex, group: GroupId): void {
    this.groups?.charged(this.thread(thread), group);
  }

  uncharged(thread: ThreadId, _page: PageIndex, group: GroupId): void {
    this.groups?.uncharged(this.thread(thread), group);
  }

  chargeRefused(thread: ThreadId, group: GroupId, _refusedBy: GroupId): void {
    this.groups?.refused(this.thread(thread), group);
  }

  groupReclaimed(thread: ThreadId, target: GroupId, lookedAt: number, evicted: number): void {
    this.groups?.reclaimed(this.thread(thread), target, lookedAt, evicted);
  }

  victimKilled(_thread: ThreadId, kind: OwnerKindId, owner: OwnerId, group: GroupId): void {
    this.groups?.killed(kind, owner, group);
  }

  pteZapped(_thread: ThreadId, _owner: OwnerId, _page: number, _mm: number): void {}
  aged(_thread: ThreadId, _owner: OwnerId, _page: number, _young: boolean): void {}
  ipiSent(_thread: ThreadId, _targets: readonly CpuId[]): void {}
  backingDropped(_thread: ThreadId, _owner: OwnerId, _filePage: number, _wasPresent: boolean): void {}

  lockContended(thread: ThreadId, lock: Op, cycles: number): void {
    if (!this.isRunning || cycles === 0) return;
    let waits = this.#lockWaits.get(thread);
    if (waits === undefined) {
      waits = new Map();
      this.#lockWaits.set(thread, waits);
    }
    waits.set(lock, (waits.get(lock) ?? 0) + cycles);
  }

  warned(_thread: ThreadId, _where: string): void {}

  /** Has the run begun? */
  protected get isRunning(): boolean {
    return this.began !== Number.POSITIVE_INFINITY;
  }

  /** A thread by its number; threads are numbered from 1. */
  protected thread(id: ThreadId): MachineThread {
    return (this.stack as CountedStack).machine.threads[id - 1] as MachineThread;
  }

  /** Thread that has a CPU; before the run, the first one there. */
  protected threadOn(cpu: CpuId): ThreadId {
    const { machine } = this.stack as CountedStack;
    return machine.currentOf(cpu)?.id ?? machine.threads.find((thread) => thread.cpu === cpu)?.id ?? 0;
  }

  #count(tally: Tally, leaf: LeafId, result: LeafResult): void {
    if (leaf === Leaf.EWB) {
      if (result === SgxCode.SUCCESS) tally.ewb++;
      if (result === SgxCode.NOT_TRACKED) tally.ewbNotTracked++;
    } else {
      const field: keyof RunCounts | undefined = fieldOf[leaf];
      if (field !== undefined) tally[field]++;
    }
    if (result !== SgxCode.SUCCESS) return;
    if (fills.has(leaf)) tally.peakEpcPages = Math.max(tally.peakEpcPages, ++tally.epcPages);
    if (leaf === Leaf.EWB || leaf === Leaf.EREMOVE) tally.epcPages--;
  }
}
