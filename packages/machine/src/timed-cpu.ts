import type { CostKey, CpuId } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import type { MachineThread } from './thread.js';

/** How a CPU has spent its time in the timed world. `clock − startedAt` is `idle` and `cycles` together. */
export interface CpuTime {
  /** Time at which the CPU began. */
  readonly startedAt: number;
  /** Time that it has reached. */
  readonly clock: number;
  /** Cycles during which no thread had the CPU. */
  readonly idle: number;
  /** Cycles by {@link Cost}: work, and what a thread waited for without leaving the CPU. */
  readonly cycles: Float64Array;
}

/** Called when a CPU changes from one thread to another. */
export type SwitchHandler = (cpu: CpuId, from: MachineThread, to: MachineThread) => void;

/** One CPU of the timed world: its time, the thread that has it, and those that could run. */
export class TimedCpu {
  readonly id: CpuId;
  /** Thread that has the CPU, runs or spins on it; null: idle. */
  current: MachineThread | null = null;
  /** Time that the CPU has reached. */
  clock = 0;
  /** Domain that the CPU lags in, `-1` for none. */
  domain = -1;
  /** Place in the list of those that lag in it. */
  lagIndex = 0;
  /** Threads that could run, in order of (since when, id). */
  readonly #ready: MachineThread[] = [];
  /** Thread that had the CPU last in this run. */
  #last: MachineThread | null = null;
  #sliceEnd = 0;
  #startedAt = -1;
  #idle = 0;
  /** What the threads of the CPU have spent on it in any world. */
  readonly #spent: Float64Array;
  /** Of that, what was spent outside of the timed world. */
  readonly #outside: Float64Array;
  /** {@link #spent} at the end of the last run. */
  readonly #seen: Float64Array;
  #isRunning = false;

  constructor(id: CpuId, spent: Float64Array) {
    this.id = id;
    this.#spent = spent;
    this.#outside = new Float64Array(spent.length);
    this.#seen = new Float64Array(spent.length);
  }

  /** A run begins at `time`; nobody has the CPU. */
  begin(time: number): void {
    if (this.#startedAt < 0 || this.#isRunning) this.#startAt(time);
    this.#idleUntil(time);
    for (const thread of this.#ready) thread.isQueued = false;
    this.#ready.length = 0;
    this.current = null;
    this.#last = null;
    this.domain = -1;
    this.#leaveOut();
    this.#isRunning = true;
  }

  /** A run ends at `time`, which the CPU reaches idle. */
  end(time: number): void {
    this.#idleUntil(time);
    this.#isRunning = false;
    this.#seen.set(this.#spent);
  }

  /** How the time was spent; numbers that do not change any more. */
  get time(): CpuTime {
    if (!this.#isRunning) this.#leaveOut();
    const cycles = this.#spent.map((spent, key) => spent - (this.#outside[key] as number));
    return { startedAt: Math.max(this.#startedAt, 0), clock: this.clock, idle: this.#idle, cycles };
  }

  /** A thread can run since its clock. */
  enqueue(thread: MachineThread): void {
    if (thread.isQueued) return;
    thread.isQueued = true;
    thread.readyAt = thread.clock;
    const ready = this.#ready;
    let at = ready.length;
    while (at > 0 && comesBefore(thread, ready[at - 1] as MachineThread)) at--;
    ready.splice(at, 0, thread);
  }

  /**
   * From when on the running thread may have to make room for another one: after its slice, or for one that was woken;
   * and after the cycle in which the other one could run, so that it does not matter who comes first in that cycle.
   */
  get preemptedAt(): number {
    return this.#ready.length === 0 ? Number.POSITIVE_INFINITY : Math.min(this.#sliceOverAt, this.#wokenAt);
  }

  /**
   * Time before which the CPU does nothing that others could see, infinite if nothing can run on it.
   *
   * @param isLagging promises of threads count
   */
  nextEvent(isLagging: boolean): number {
    const thread = this.current;
    if (thread === null) {
      const first = this.#ready[0];
      return first === undefined ? Number.POSITIVE_INFINITY : Math.max(this.clock, first.readyAt);
    }
    if (thread.blockedOn !== null && !thread.blockedOn.canProceed(thread)) return Number.POSITIVE_INFINITY;
    const { clock, quietUntil } = thread;
    if (!isLagging || quietUntil <= clock) return clock;
    return Math.max(clock, Math.min(quietUntil, this.preemptedAt));
  }

  /**
   * Is it time for another thread? Who waits for a spinlock keeps its place. A woken thread comes when the running one
   * holds no lock.
   */
  get mustSwitch(): boolean {
    const thread = this.current;
    if (thread === null) return true;
    if (thread.blockedOn !== null || this.#ready.length === 0) return false;
    if (thread.clock >= this.#sliceOverAt) return true;
    return thread.held.length === 0 && thread.clock >= this.#wokenAt;
  }

  /**
   * The thread whose turn it is gets the CPU for `slice` cycles, or for what is left of its slice. Who is still running
   * goes to the end of the queue; if its slice is not over, it goes on directly after the woken thread that comes.
   */
  switchToNext(slice: number, onSwitch: SwitchHandler | null): void {
    const from = this.current;
    const to = this.#takeNext(from?.clock ?? this.clock);
    const last = this.#last;
    if (last !== null && last !== to) onSwitch?.(this.id, last, to);
    if (from !== null) {
      this.clock = from.clock;
      from.sliceLeft = Math.max(0, this.#sliceEnd - from.clock);
      this.enqueue(from);
    }
    this.#idleUntil(to.readyAt);
    to.sleepUntil(this.clock, Cost.CPU_WAIT);
    if (last !== null && (last !== to || to.hasSlept)) to.spend(Cost.CONTEXT_SWITCH);
    to.hasSlept = false;
    this.current = to;
    this.#last = to;
    this.clock = to.clock;
    this.#sliceEnd = to.clock + (to.sliceLeft === 0 ? slice : to.sliceLeft);
    to.sliceLeft = 0;
  }

  /** The running thread has stopped or ended: it keeps the CPU unless it sleeps or has ended. */
  stopped(thread: MachineThread): void {
    this.clock = thread.clock;
    const { blockedOn } = thread;
    if (thread.routine !== null && (blockedOn === null || blockedOn.spins || blockedOn.canProceed(thread)))
      return;
    thread.hasSlept = blockedOn !== null && !blockedOn.isIdle;
    this.current = null;
  }

  /** Lets the thread that waits without leaving the CPU go on at `time`. */
  waitUntil(thread: MachineThread, time: number, key: CostKey): void {
    thread.waitUntil(time, key);
    this.clock = thread.clock;
  }

  /** From when on the slice of the running thread is over and another one can run; somebody is in the queue. */
  get #sliceOverAt(): number {
    return Math.max(this.#sliceEnd, (this.#ready[0] as MachineThread).readyAt + 1);
  }

  /** From when on a woken thread can take the place of the running user thread, infinite if none can. */
  get #wokenAt(): number {
    if (this.current === null || this.current.isKernel) return Number.POSITIVE_INFINITY;
    for (const thread of this.#ready) if (thread.isWoken) return thread.readyAt + 1;
    return Number.POSITIVE_INFINITY;
  }

  /**
   * Takes the thread whose turn it is at `time`, or then when one can run, out of the queue: of those that can run one
   * that was woken, else who was interrupted in its slice, the last one first, else who has been able to run for longest.
   */
  #takeNext(time: number): MachineThread {
    const ready = this.#ready;
    const now = Math.max(time, (ready[0] as MachineThread).readyAt);
    let next = 0;
    for (let i = 0; i < ready.length; i++) {
      const { readyAt, isWoken, sliceLeft } = ready[i] as MachineThread;
      if (readyAt > now) break;
      if (isWoken || sliceLeft > 0) next = i;
      if (isWoken) break;
    }
    const [to] = ready.splice(next, 1) as [MachineThread];
    to.isQueued = false;
    to.isWoken = false;
    return to;
  }

  /** Time is counted from here on: the first run begins, or the one before has failed. */
  #startAt(time: number): void {
    this.#startedAt = time;
    this.clock = time;
    this.#idle = 0;
    this.#outside.set(this.#spent);
    this.#seen.set(this.#spent);
  }

  #idleUntil(time: number): void {
    if (time <= this.clock) return;
    this.#idle += time - this.clock;
    this.clock = time;
  }

  /** What was spent since the last run belongs to other worlds. */
  #leaveOut(): void {
    this.#spent.forEach((spent, key) => {
      (this.#outside[key] as number) += spent - (this.#seen[key] as number);
    });
    this.#seen.set(this.#spent);
  }
}

function comesBefore(thread: MachineThread, other: MachineThread): boolean {
  if (thread.readyAt !== other.readyAt) return thread.readyAt < other.readyAt;
  return thread.id < other.id;
}
