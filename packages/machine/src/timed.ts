import type { Routine } from '@epckit/interface';
import { Cost, InvariantViolation } from '@epckit/interface';
import { describeDeadlock } from './deadlock.js';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

/** One CPU of the timed world: its time, and the threads bound to it. */
interface TimedCpu {
  readonly id: number;
  readonly threads: MachineThread[];
  clock: number;
  current: MachineThread | null;
}

/**
 * Timed world: events in order of (cycle, CPU). A CPU runs until its clock passes the next event of another
 * CPU; a thread keeps its CPU until it blocks or ends.
 */
export class TimedDriver {
  readonly #shared: Shared;
  readonly #cpus = new Map<number, TimedCpu>();
  /** Time at which a run begins: the one before it has ended. */
  #start = 0;

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  /**
   * Runs until every user thread has ended and every kernel thread sleeps.
   *
   * @throws InvariantViolation when a user thread can never go on
   */
  run(threads: readonly MachineThread[]): void {
    this.#cpus.clear();
    for (const thread of threads) this.#cpuOf(thread.cpu).threads.push(thread);
    for (let cpu = this.#nextCpu(); cpu !== null; cpu = this.#nextCpu()) this.#runCpu(cpu);
    for (const cpu of this.#cpus.values()) this.#start = Math.max(this.#start, cpu.clock);
    const isStuck = threads.some((thread) => !thread.isKernel && thread.routine !== null);
    if (isStuck) throw describeDeadlock(threads);
  }

  #cpuOf(id: number): TimedCpu {
    let cpu = this.#cpus.get(id);
    if (cpu === undefined) {
      cpu = { id, threads: [], clock: this.#start, current: null };
      this.#cpus.set(id, cpu);
    }
    return cpu;
  }

  /** CPU with the earliest event; equal times go to the lower id. */
  #nextCpu(): TimedCpu | null {
    let best: TimedCpu | null = null;
    let bestTime = Number.POSITIVE_INFINITY;
    for (const cpu of this.#cpus.values()) {
      const time = this.#timeOf(cpu);
      if (time < bestTime || (time === bestTime && best !== null && cpu.id < best.id)) {
        best = cpu;
        bestTime = time;
      }
    }
    return bestTime === Number.POSITIVE_INFINITY ? null : best;
  }

  /** Time of the CPU's next event, infinite if nothing can run on it. */
  #timeOf(cpu: TimedCpu): number {
    const thread = candidate(cpu);
    return thread === null ? Number.POSITIVE_INFINITY : Math.max(cpu.clock, thread.clock);
  }

  #runCpu(cpu: TimedCpu): void {
    const thread = candidate(cpu) as MachineThread;
    // A switch takes time, in which other CPUs may come first.
    if (cpu.current === thread) this.#resume(cpu, thread);
    else switchTo(cpu, thread);
  }

  #resume(cpu: TimedCpu, thread: MachineThread): void {
    thread.limit = this.#limitFor(cpu);
    this.#shared.running = thread;
    const routine = thread.routine as Routine<unknown>;
    const step = routine.next();
    this.#shared.running = null;
    cpu.clock = thread.clock;
    if (step.done === true) thread.routine = null;
    else thread.pending = step.value;
    if (thread.spinDepth > 0)
      throw new InvariantViolation(`${thread.name} stopped while it held a spinlock.`);
  }

  #limitFor(cpu: TimedCpu): number {
    let limit = Number.POSITIVE_INFINITY;
    for (const other of this.#cpus.values()) {
      if (other === cpu) continue;
      const time = this.#timeOf(other);
      limit = Math.min(limit, cpu.id < other.id ? time : time - 1);
    }
    return limit;
  }
}

function switchTo(cpu: TimedCpu, thread: MachineThread): void {
  const isFirst = cpu.current === null;
  cpu.current = thread;
  thread.waitUntil(cpu.clock, Cost.EVENT_WAIT);
  if (!isFirst) thread.spend(Cost.CONTEXT_SWITCH);
  cpu.clock = thread.clock;
}

/** Thread that can go on first; at the same time the running one, then kernel threads, then by creation. */
function candidate(cpu: TimedCpu): MachineThread | null {
  const { current } = cpu;
  if (current !== null && current.clock <= cpu.clock && current.isEnabled) return current;
  let best: MachineThread | null = null;
  for (const thread of cpu.threads) {
    if (thread.isEnabled && (best === null || comesBefore(cpu, thread, best))) best = thread;
  }
  return best;
}

function comesBefore(cpu: TimedCpu, thread: MachineThread, other: MachineThread): boolean {
  const lead = Math.max(cpu.clock, other.clock) - Math.max(cpu.clock, thread.clock);
  if (lead !== 0) return lead > 0;
  if (thread === cpu.current || other === cpu.current) return thread === cpu.current;
  return thread.isKernel && !other.isKernel;
}
