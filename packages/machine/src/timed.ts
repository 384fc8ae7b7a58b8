import type { CostKey, CostTable, CpuId, Routine } from '@epckit/interface';
import { Cost, InvariantViolation, MisuseError } from '@epckit/interface';
import { requireConservation } from './conservation.js';
import { describeDeadlock } from './deadlock.js';
import { EventTree } from './event-tree.js';
import type { MachineThread } from './thread.js';
import type { CpuTime, SwitchHandler } from './timed-cpu.js';
import { TimedCpu } from './timed-cpu.js';
import type { Shared } from './world.js';

/** How the timed world runs. */
export interface TimedOptions {
  /** Cycles for which a thread has the CPU when another one could run. Default: 10,500,000 (3 ms at 3.5 GHz). */
  readonly sliceCycles?: number;
  /** Every point stops and no promise counts: slow, and the same results. Default: off. */
  readonly isStrict?: boolean;
}

/** What the driver has done: how much simulating costs, not what is simulated. */
export interface SchedulerCounts {
  /** Times that a routine was resumed. */
  readonly entries: number;
  /** Of these, for another CPU that looked at what the thread does. */
  readonly catchUps: number;
  /** Changes of a CPU from one thread to another, from idleness included. */
  readonly switches: number;
}

const DEFAULT_SLICE_CYCLES = 10_500_000;

/**
 * Timed world: events in order of (cycle, CPU). A CPU runs until its clock passes the next event of another CPU.
 * The threads of a CPU take turns, first come first served, with a time slice; who was woken, or got the lock that it waited
 * for, comes before user threads.
 */
export class TimedDriver {
  /** Called when a CPU changes to another thread. */
  onSwitch: SwitchHandler | null = null;
  readonly isStrict: boolean;
  readonly #shared: Shared;
  readonly #costs: CostTable;
  readonly #sliceCycles: number;
  readonly #cpus: readonly TimedCpu[];
  readonly #events: EventTree;
  /** CPUs that lag, by domain. */
  readonly #lagging = new Map<number, TimedCpu[]>();
  /** Time that the last run has reached, `-1` before the first. */
  #reached = -1;
  #entries = 0;
  #catchUps = 0;
  #switches = 0;
  /** Clock of the thread at the stop from which it was resumed last. */
  #resumedAt = 0;

  /** @param spent cycles that each CPU has spent, by cost key */
  constructor(shared: Shared, costs: CostTable, spent: readonly Float64Array[], options: TimedOptions) {
    this.#shared = shared;
    this.#costs = costs;
    this.#sliceCycles = options.sliceCycles ?? DEFAULT_SLICE_CYCLES;
    if (!(this.#sliceCycles > 0))
      throw new MisuseError(`A time slice must be a positive number of cycles, not ${this.#sliceCycles}.`);
    this.isStrict = options.isStrict ?? false;
    this.#cpus = spent.map((cycles, id) => new TimedCpu(id, cycles));
    this.#events = new EventTree(spent.length);
  }

  /** How a CPU has spent its time. */
  timeOf(cpu: CpuId): CpuTime {
    return this.#cpu(cpu).time;
  }

  /** Thread that has the CPU now, or null. */
  currentOf(cpu: CpuId): MachineThread | null {
    return this.#cpu(cpu).current;
  }

  /** What the driver has done so far. */
  get counts(): SchedulerCounts {
    return { entries: this.#entries, catchUps: this.#catchUps, switches: this.#switches };
  }

  /**
   * Runs until every user thread has ended and every kernel thread sleeps.
   *
   * @throws InvariantViolation when a user thread can never go on
   */
  run(threads: readonly MachineThread[]): void {
    this.#begin(threads);
    for (let id = this.#events.choose(); id >= 0; id = this.#events.choose()) this.#runCpu(this.#cpu(id));
    for (const { clock } of this.#cpus) this.#reached = Math.max(this.#reached, clock);
    for (const cpu of this.#cpus) cpu.end(this.#reached);
    for (const { id, time } of this.#cpus) requireConservation(id, time);
    const isStuck = threads.some((thread) => !thread.isKernel && thread.routine !== null);
    if (isStuck) throw describeDeadlock(threads);
  }

  /** A thread has got a routine while the world runs: it can run from now on. */
  admit(thread: MachineThread): void {
    const now = this.#shared.running?.clock ?? this.#reached;
    thread.sleepUntil(now, Cost.EVENT_WAIT);
    this.#cpu(thread.cpu).enqueue(thread);
    this.#eventsChanged(this.#cpu(thread.cpu));
  }

  /** A thread that was blocked can go on since `time`; its wait is charged to `key`. */
  wake(thread: MachineThread, time: number, key: CostKey): void {
    const cpu = this.#cpu(thread.cpu);
    if (cpu.current === thread) cpu.waitUntil(thread, time, key);
    else {
      thread.sleepUntil(time, key);
      if (thread.blockedOn?.isIdle === true)
        thread.sleepUntil(thread.clock + (this.#costs[Cost.WAKEUP] as number), Cost.WAKEUP);
      if (!thread.isEnabled) return;
      if (!thread.isQueued) thread.isWoken = true;
      cpu.enqueue(thread);
    }
    this.#eventsChanged(cpu);
  }

  /**
   * Lets the CPUs that compute in `domain` do what they do before the time of `looker`, who is about to look at
   * state of the domain or to change it.
   *
   * @throws InvariantViolation if `looker` has come past another CPU's event since its last point
   */
  catchUp(looker: MachineThread, domain: number): void {
    const time = this.#timeOfStep(looker);
    const cpus = this.#lagging.get(domain);
    if (cpus === undefined) return;
    // From the end: a CPU that is pulled may leave the list, and the last one takes its place.
    for (let i = cpus.length - 1; i >= 0; i--) {
      const cpu = cpus[i];
      if (cpu !== undefined && cpu.id !== looker.cpu) this.#pull(cpu, looker, time);
    }
  }

  /** As {@link catchUp} for one CPU, which is about to be interrupted. */
  catchUpCpu(looker: MachineThread, cpu: CpuId): void {
    this.#pull(this.#cpu(cpu), looker, this.#timeOfStep(looker));
  }

  /** An interrupt has taken time of the thread on `cpu`. */
  interrupted(cpu: CpuId): void {
    const timed = this.#cpu(cpu);
    if (timed.current !== null) timed.clock = timed.current.clock;
    this.#eventsChanged(timed);
  }

  #begin(threads: readonly MachineThread[]): void {
    if (this.#reached < 0) {
      this.#reached = threads.length === 0 ? 0 : Math.min(...threads.map(({ clock }) => clock));
    }
    this.#lagging.clear();
    for (const cpu of this.#cpus) cpu.begin(this.#reached);
    for (const thread of threads) {
      thread.isQueued = false;
      thread.hasSlept = false;
      thread.isWoken = false;
      thread.sliceLeft = 0;
      if (!thread.isEnabled) continue;
      thread.sleepUntil(this.#reached, Cost.EVENT_WAIT);
      this.#cpu(thread.cpu).enqueue(thread);
    }
    for (const cpu of this.#cpus) this.#events.set(cpu.id, cpu.nextEvent(!this.isStrict));
  }

  #runCpu(cpu: TimedCpu): void {
    const { limit } = this.#events;
    if (cpu.mustSwitch) {
      cpu.switchToNext(this.#sliceCycles, this.onSwitch);
      this.#switches++;
      // A switch takes time, in which other CPUs may come first, or somebody who was woken.
      if (cpu.clock > limit || cpu.mustSwitch) {
        this.#settle(cpu);
        return;
      }
    }
    this.#resume(cpu, limit);
  }

  #resume(cpu: TimedCpu, limit: number): void {
    const thread = cpu.current as MachineThread;
    const { running } = this.#shared;
    thread.limit = this.isStrict ? -1 : Math.min(limit, cpu.preemptedAt - 1);
    this.#entries++;
    this.#resumedAt = thread.clock;
    this.#shared.running = thread;
    const step = (thread.routine as Routine<unknown>).next();
    this.#shared.running = running;
    if (step.done === true) thread.routine = null;
    else thread.pending = step.value;
    if (thread.spinDepth > 0)
      throw new InvariantViolation(`${thread.name} stopped while it held a spinlock.`);
    cpu.stopped(thread);
    this.#settle(cpu);
  }

  /** The CPU is left until its next event. */
  #settle(cpu: TimedCpu): void {
    const { current } = cpu;
    const lags = current !== null && current.quietUntil > current.clock && !this.isStrict;
    const domain = lags ? current.quietDomain : -1;
    if (cpu.domain !== domain) this.#enrol(cpu, domain);
    this.#events.set(cpu.id, cpu.nextEvent(!this.isStrict));
  }

  /** Runs a CPU that lags behind `time`, the time of the step of `looker`, up to it. */
  #pull(cpu: TimedCpu, looker: MachineThread, time: number): void {
    const limit = cpu.id < looker.cpu ? time : time - 1;
    let { current } = cpu;
    while (current !== null && current.clock <= limit && current.quietUntil > current.clock) {
      if (this.isStrict || cpu.mustSwitch || !current.isEnabled) return;
      const resumedAt = this.#resumedAt;
      this.#catchUps++;
      this.#resume(cpu, limit);
      this.#resumedAt = resumedAt;
      ({ current } = cpu);
    }
  }

  /** Time at which the step of the thread takes effect. Its last point lies directly before. */
  #timeOfStep(thread: MachineThread): number {
    const isInSection = thread.spinDepth > 0;
    const time = isInSection ? thread.sectionStart : thread.clock;
    const isPast = this.isStrict || time > (isInSection ? thread.outerLimit : thread.limit);
    if (!isPast || time === this.#resumedAt) return time;
    throw new InvariantViolation(`${thread.name} looks at what other CPUs do without a point before.`, [
      `now: ${time}, resumed at ${this.#resumedAt}, limit ${thread.limit}`,
    ]);
  }

  /** The CPU lags in another domain than before, `-1` for none. */
  #enrol(cpu: TimedCpu, domain: number): void {
    const before = this.#lagging.get(cpu.domain);
    if (before !== undefined) {
      const last = before.pop() as TimedCpu;
      if (last !== cpu) {
        before[cpu.lagIndex] = last;
        last.lagIndex = cpu.lagIndex;
      }
    }
    cpu.domain = domain;
    if (domain < 0) return;
    let cpus = this.#lagging.get(domain);
    if (cpus === undefined) {
      cpus = [];
      this.#lagging.set(domain, cpus);
    }
    cpu.lagIndex = cpus.push(cpu) - 1;
  }

  /** The next event of a CPU is another one: the thread that runs now must not pass it. */
  #eventsChanged(cpu: TimedCpu): void {
    const time = cpu.nextEvent(!this.isStrict);
    this.#events.set(cpu.id, time);
    const { running } = this.#shared;
    if (running === null) return;
    if (running.cpu === cpu.id) running.lowerLimit(cpu.preemptedAt - 1);
    else running.lowerLimit(running.cpu < cpu.id ? time : time - 1);
  }

  #cpu(id: CpuId): TimedCpu {
    return this.#cpus[id] as TimedCpu;
  }
}
