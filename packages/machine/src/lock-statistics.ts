import type { NodeId, Op } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

/** What the locks of one name have seen in the timed world. Sums over all locks of the name. */
export interface LockStatistics {
  /** Class name. */
  readonly name: string;
  /** Times that it was taken. */
  readonly acquisitions: number;
  /** Acquisitions that had to wait. */
  readonly contended: number;
  /** Acquisitions after a holder on another CPU. */
  readonly transfers: number;
  /** Cycles of waiting: over all locks, the sum of what the threads have charged to `LOCK_WAIT`. */
  readonly waitCycles: number;
  /** Longest wait of one acquisition. */
  readonly longestWaitCycles: number;
  /** Cycles for which it was held; of reader-writer locks, by writers. */
  readonly holdCycles: number;
}

/** Counts of the locks of one name, shared by them. Nothing is counted outside of the timed world. */
export class LockCounts implements LockStatistics {
  readonly name: string;
  acquisitions = 0;
  contended = 0;
  transfers = 0;
  waitCycles = 0;
  longestWaitCycles = 0;
  holdCycles = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** A copy that later events do not change. */
  snapshot(): LockStatistics {
    const { name, acquisitions, contended, transfers, waitCycles, longestWaitCycles, holdCycles } = this;
    return { name, acquisitions, contended, transfers, waitCycles, longestWaitCycles, holdCycles };
  }
}

/** What each lock remembers for statistics and for the cost of its cache line. */
export class LockMeter {
  readonly #counts: LockCounts;
  readonly #shared: Shared;
  #lastCpu = -1;
  #lastNode: NodeId = -1;
  /** Time at which the holder got it, `-1` if that was not in the timed world. */
  #heldSince = -1;

  constructor(name: string, shared: Shared) {
    this.#shared = shared;
    this.#counts = shared.lockCountsOf(name);
  }

  /** `thread` has found the lock taken. */
  begins(thread: MachineThread, lock: Op): void {
    thread.lockWait = 0;
    if (this.#shared.world === 'timed') this.#counts.contended++;
    else this.#shared.probe?.lockContended(thread.id, lock, 0);
  }

  /** `thread` will have waited until `time`. */
  waits(thread: MachineThread, time: number): void {
    if (this.#shared.world !== 'timed' || time <= thread.clock) return;
    const cycles = time - thread.clock;
    this.#counts.waitCycles += cycles;
    thread.lockWait += cycles;
  }

  /** `thread` has got the lock; `hasWaited`: it was queued. It pays for the cache line. */
  acquired(thread: MachineThread, lock: Op, hasWaited: boolean): void {
    if (this.#shared.world !== 'timed') return;
    const counts = this.#counts;
    counts.acquisitions++;
    const waited = thread.lockWait;
    if (hasWaited || waited > 0) {
      if (waited > counts.longestWaitCycles) counts.longestWaitCycles = waited;
      this.#shared.probe?.lockContended(thread.id, lock, waited);
      thread.lockWait = 0;
    }
    this.#heldSince = thread.clock;
    if (this.#lastCpu !== thread.cpu) this.#transfer(thread);
  }

  /** `thread` gives the lock back that it held alone. */
  released(thread: MachineThread): void {
    if (this.#heldSince < 0) return;
    this.#counts.holdCycles += thread.clock - this.#heldSince;
    this.#heldSince = -1;
  }

  #transfer(thread: MachineThread): void {
    if (this.#lastCpu >= 0) {
      this.#counts.transfers++;
      thread.spend(this.#lastNode === thread.node ? Cost.LOCK_LOCAL : Cost.LOCK_REMOTE);
    }
    this.#lastCpu = thread.cpu;
    this.#lastNode = thread.node;
  }
}
