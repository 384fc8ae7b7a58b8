import type {
  CpuId,
  FrameTable,
  LeafId,
  LeafResult,
  NodeId,
  OwnerId,
  PageIndex,
  Probe,
  ThreadId,
} from '@epckit/interface';
import { Leaf, OwnerKind, SgxCode } from '@epckit/interface';
import type { Machine, MachineThread } from '@epckit/machine';
import type { FaultKind, FaultObserver } from './fault-latency.js';
import { FreePageLine } from './free-page-line.js';
import type { RunCounts } from './report.js';
import { emptyTally, fieldOf, fills, forgetEvents, type Tally } from './tally.js';

/** What counters look at; set when the stack is composed. */
export interface CountedStack {
  /** Whose page is it? */
  readonly frames: FrameTable;
  /** Threads and their clocks. */
  readonly machine: Machine;
}

/** Counts of leaves that tell what a fault did, by CPU. */
interface LoadCounts {
  eldu: number;
  eaug: number;
}

/** Listens to trace points and counts, in all and per enclave. */
export class RunCounters implements Probe, FaultObserver {
  /** Set after the stack is composed. */
  stack: CountedStack | null = null;
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
  /** Times at which the daemon woke up and went to sleep, in turns, since the run has begun. */
  readonly daemonTimes: number[] = [];
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
    this.daemonTimes.length = 0;
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

  /** Loads and additions of pages that a CPU has executed so far. */
  loadsOn(cpu: CpuId): Readonly<LoadCounts> {
    let loads = this.#loads[cpu];
    if (loads === undefined) {
      loads = { eldu: 0, eaug: 0 };
      this.#loads[cpu] = loads;
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
    if (frames.kind(page) !== OwnerKind.NATIVE) return;
    this.#count(this.total, leaf, result);
    this.#count(this.of(frames.owner(page)), leaf, result);
    if (leaf === Leaf.ELDU) (this.loadsOn(cpu) as LoadCounts).eldu++;
    if (leaf === Leaf.EAUG) (this.loadsOn(cpu) as LoadCounts).eaug++;
  }

  faultHandled(_thread: ThreadId, owner: OwnerId, _page: number, isMapped: boolean): void {
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

  daemonWoken(_thread: ThreadId, _daemon: ThreadId, wasAsleep: boolean): void {
    if (wasAsleep) this.ksgxdWakeups++;
  }

  daemonRuns(daemon: ThreadId, _running: boolean): void {
    if (this.isRunning) this.daemonTimes.push(this.thread(daemon).clock - this.began);
  }

  batchEnded(_thread: ThreadId, _isolated: number, evicted: number, direct: boolean): void {
    if (direct) {
      this.directReclaims++;
      this.directEvictions += evicted;
    } else {
      this.ksgxdBatches++;
      this.ksgxdEvictions += evicted;
    }
  }

  reclaimVerdict(_thread: ThreadId, _page: PageIndex, _verdict: number): void {}
  pteZapped(_thread: ThreadId, _owner: OwnerId, _page: number, _mm: number): void {}
  aged(_thread: ThreadId, _owner: OwnerId, _page: number, _young: boolean): void {}
  ipiSent(_thread: ThreadId, _targets: readonly CpuId[]): void {}
  backingDropped(_thread: ThreadId, _owner: OwnerId, _filePage: number, _wasPresent: boolean): void {}
  lockContended(_thread: ThreadId, _lock: number): void {}
  warned(_thread: ThreadId, _where: string): void {}

  /** Has the run begun? */
  protected get isRunning(): boolean {
    return this.began !== Number.POSITIVE_INFINITY;
  }

  /** A thread by its number; threads are numbered from 1. */
  protected thread(id: ThreadId): MachineThread {
    return (this.stack as CountedStack).machine.threads[id - 1] as MachineThread;
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
