import type {
  CostKey,
  CostTable,
  CpuId,
  MmId,
  NodeId,
  Op,
  Routine,
  Thread,
  ThreadId,
} from '@epckit/interface';
import { COST_COUNT, Cost, Mode, op } from '@epckit/interface';
import type { Blocker } from './blocker.js';
import type { HeldLock } from './lock-order.js';
import type { Progress } from './progress.js';

/** Where and as what a thread runs. */
export interface ThreadOptions {
  /** Name for reports. */
  readonly name: string;
  /** CPU that the thread is bound to. */
  readonly cpu: CpuId;
  /** Address space, `-1` (default) for none. */
  readonly mm?: MmId;
  /** A kernel thread runs when a policy says so; a user thread runs what it is given. Default: user. */
  readonly isKernel?: boolean;
}

/** What a thread needs of its machine. */
export interface ThreadHost {
  readonly costs: CostTable;
  readonly progress: Progress;
  /** Cycles that the thread's CPU has spent, by cost key. */
  readonly cpuCycles: Float64Array;
  nodeOf(cpu: CpuId): NodeId;
  /** First object of the thread's own objects. */
  readonly signalObject: number;
}

/**
 * A thread of the model: clock, budget, what it holds and what it waits for.
 *
 * The fields beyond the `Thread` contract belong to the machine's locks and drivers.
 */
export class MachineThread implements Thread {
  readonly id: ThreadId;
  readonly name: string;
  readonly cpu: CpuId;
  readonly node: NodeId;
  readonly mm: MmId;
  /** Does a policy say when the thread runs? */
  readonly isKernel: boolean;
  readonly signalReading: Op;
  readonly changeWaiting: Op;
  /** Object that stands for the pending signal. */
  readonly signalObject: number;

  clock = 0;
  limit = Number.POSITIVE_INFINITY;
  signalPending = false;

  /** Cycles spent per cost key. */
  readonly cycles = new Float64Array(COST_COUNT);
  /** How often each cost key was spent. */
  readonly counts = new Float64Array(COST_COUNT);

  /** Cost key of {@link spend} that was paid last. */
  lastCost: CostKey = Cost.COMPUTE;

  /** Routine in progress, or null when the thread has nothing to do. */
  routine: Routine<unknown> | null = null;
  /** What the thread last announced by stopping, `0` if that was consumed. */
  announced: Op = 0;
  /** Op that the routine yielded last. */
  pending: Op = 0;
  /**
   * What the thread waits for, or null: it stopped at a point and can go on.
   *
   * @internal
   */
  blockedOn: Blocker | null = null;
  /**
   * Locks held, oldest first.
   *
   * @internal
   */
  readonly held: HeldLock[] = [];
  /** Spinlocks held: no sleeping while positive. */
  spinDepth = 0;
  /** Limit to restore when the last spinlock is released. */
  outerLimit = 0;
  /** Clock at the acquisition of the outermost spinlock: the time at which its section takes effect. */
  sectionStart = 0;
  /**
   * Timed world: what the thread has waited for the lock that it is getting.
   *
   * @internal
   */
  lockWait = 0;
  /**
   * Timed world: since when the thread has been able to run.
   *
   * @internal
   */
  readyAt = 0;
  /**
   * Timed world: is the thread in the run queue of its CPU?
   *
   * @internal
   */
  isQueued = false;
  /**
   * Timed world: did the thread leave its CPU to wait for a lock or a grace period? It is switched to again then.
   *
   * @internal
   */
  hasSlept = false;
  /**
   * Timed world: was the thread woken, or did it get what it waited for, and has it not run since?
   *
   * @internal
   */
  isWoken = false;
  /**
   * Timed world: cycles that are left of the slice in which a woken thread came, `0` if none did.
   *
   * @internal
   */
  sliceLeft = 0;
  /** Until when others see nothing of the thread; see {@link promiseQuiet}. */
  quietUntil = 0;
  /** Whose state the promise excepts. */
  quietDomain = -1;
  /** Last turn of an unbounded loop, for runaway reports. */
  lastTurnSite = '';
  /** Key of that turn. */
  lastTurnKey = 0;

  readonly #costs: CostTable;
  readonly #progress: Progress;
  readonly #cpuCycles: Float64Array;

  /** @internal */
  constructor(id: ThreadId, options: ThreadOptions, host: ThreadHost) {
    this.id = id;
    this.name = options.name;
    this.cpu = options.cpu;
    this.node = host.nodeOf(options.cpu);
    this.mm = options.mm ?? -1;
    this.isKernel = options.isKernel ?? false;
    this.signalObject = host.signalObject;
    this.signalReading = op(host.signalObject, Mode.READ);
    this.changeWaiting = op(host.progress.object, Mode.WAIT);
    this.#costs = host.costs;
    this.#progress = host.progress;
    this.#cpuCycles = host.cpuCycles;
  }

  spend(key: CostKey): number {
    const cycles = this.#costs[key] as number;
    (this.cycles[key] as number) += cycles;
    (this.#cpuCycles[key] as number) += cycles;
    (this.counts[key] as number)++;
    this.lastCost = key;
    this.clock += cycles;
    return this.clock;
  }

  spendCycles(key: CostKey, cycles: number): number {
    (this.cycles[key] as number) += cycles;
    (this.#cpuCycles[key] as number) += cycles;
    (this.counts[key] as number)++;
    this.clock += cycles;
    return this.clock;
  }

  turn(site: string, key: number): boolean {
    this.lastTurnSite = site;
    this.lastTurnKey = key;
    this.spend(Cost.STEP);
    return this.#progress.turn(this, site, key);
  }

  /** Can the thread make a step? */
  get isEnabled(): boolean {
    return this.routine !== null && (this.blockedOn === null || this.blockedOn.canProceed(this));
  }

  /** Lets the clock reach `time` on the CPU; what lies between is charged to `key`. */
  waitUntil(time: number, key: CostKey): void {
    if (time > this.clock) this.spendCycles(key, time - this.clock);
  }

  /** Lets the clock reach `time` while others may have the CPU: the thread's time, not the CPU's. */
  sleepUntil(time: number, key: CostKey): void {
    if (time <= this.clock) return;
    (this.cycles[key] as number) += time - this.clock;
    (this.counts[key] as number)++;
    this.clock = time;
  }

  /**
   * Promises that until `time` the thread does nothing which another CPU can see, except to state of `domain` (an
   * enclave) that others look at only after `Machine.catchUp(…, domain)`. Given before a stop of a thread that
   * computes, it lets other CPUs run on meanwhile. A promise cannot be taken back: a later one extends it.
   */
  promiseQuiet(domain: number, time: number): void {
    this.quietDomain = domain;
    if (time > this.quietUntil) this.quietUntil = time;
  }

  /** Sets the clock and forgets what was spent: what came before was preparation. */
  startAt(clock: number): void {
    this.clock = clock;
    this.quietUntil = 0;
    this.cycles.fill(0);
    this.counts.fill(0);
  }

  /**
   * Gives back every lock that the thread holds: what it did has ended in the middle, as that of a virtual machine that
   * is stopped. Plain.
   */
  giveBackLocks(): void {
    for (let lock = this.held.at(-1); lock !== undefined; lock = this.held.at(-1)) lock.giveBack(this);
  }

  /** Lowers the limit to `time`, because another CPU has got something to do after it. */
  lowerLimit(time: number): void {
    if (this.spinDepth > 0) this.outerLimit = Math.min(this.outerLimit, time);
    else if (time < this.limit) this.limit = time;
  }
}
