import type { Routine } from '@epckit/interface';
import { InvariantViolation } from '@epckit/interface';
import { describeDeadlock } from './deadlock.js';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

/** Cycles that a routine may run before the driver looks whether it makes progress. */
const FUEL_CYCLES = 2 ** 32;

/**
 * Imposes work of other threads on a run of the direct world: the run stops at every point and asks here. It may
 * run routines of threads that hold nothing which the stopped thread waits for.
 */
export interface Interposer {
  /** `thread` has stopped at a point, or its routine has ended. */
  atPoint(thread: MachineThread): void;
}

/** Direct world: routines run to completion; who blocks lets the kernel threads run. */
export class DirectDriver {
  /** Stops routines at every point while it is set. */
  interposer: Interposer | null = null;
  readonly #shared: Shared;
  readonly #kernelThreads: () => readonly MachineThread[];
  readonly #changes: () => number;
  /** Kernel threads whose routine is in progress further down the stack: they cannot be resumed. */
  readonly #busy = new Set<MachineThread>();

  /** @param changes counts changes of shared state, to tell a long routine from a runaway one */
  constructor(shared: Shared, kernelThreads: () => readonly MachineThread[], changes: () => number) {
    this.#shared = shared;
    this.#kernelThreads = kernelThreads;
    this.#changes = changes;
  }

  /** Runs `routine` on `thread` to its end. @throws InvariantViolation on deadlock or without progress */
  run<T>(thread: MachineThread, routine: Routine<T>): T {
    const outer = this.#shared.running;
    const { routine: outerRoutine, pending, announced, blockedOn } = thread;
    thread.routine = routine;
    thread.announced = 0;
    thread.blockedOn = null;
    this.#refill(thread);
    let changes = -1;
    try {
      for (;;) {
        this.#shared.running = thread;
        const step = routine.next();
        if (step.done === true) {
          this.interposer?.atPoint(thread);
          return step.value;
        }
        thread.pending = step.value;
        if (this.interposer !== null) this.#interpose(thread);
        if (!thread.isEnabled) this.#runOthersFor(thread);
        else if (this.interposer === null && thread.clock > thread.limit)
          changes = this.#refuel(thread, changes);
      }
    } finally {
      thread.routine = outerRoutine;
      thread.pending = pending;
      thread.announced = outerRoutine === null ? 0 : announced;
      thread.blockedOn = outerRoutine === null ? thread.blockedOn : blockedOn;
      this.#shared.running = outer;
    }
  }

  /** Lets every kernel thread run until it sleeps. */
  runKernelThreads(): void {
    for (let ran = true; ran; ) {
      ran = false;
      for (const thread of this.#kernelThreads()) {
        if (!thread.isEnabled || this.#busy.has(thread)) continue;
        this.runUntilBlocked(thread);
        ran = true;
      }
    }
  }

  /** Runs a thread that has a routine until it blocks or ends. */
  runUntilBlocked(thread: MachineThread): void {
    const outer = this.#shared.running;
    let changes = -1;
    this.#refill(thread);
    this.#busy.add(thread);
    try {
      while (thread.isEnabled) {
        this.#shared.running = thread;
        const step = (thread.routine as Routine<unknown>).next();
        if (step.done === true) thread.routine = null;
        else thread.pending = step.value;
        if (this.interposer !== null) this.#interpose(thread);
        else if (thread.clock > thread.limit) changes = this.#refuel(thread, changes);
      }
    } finally {
      this.#busy.delete(thread);
      this.#shared.running = outer;
    }
  }

  /** The thread has stopped: others may run now. */
  #interpose(thread: MachineThread): void {
    this.interposer?.atPoint(thread);
    this.#refill(thread);
  }

  /** How far the thread may run: to the next point while somebody interposes. */
  #refill(thread: MachineThread): void {
    thread.limit = this.interposer === null ? thread.clock + FUEL_CYCLES : -1;
  }

  #runOthersFor(thread: MachineThread): void {
    for (let ran = true; ran; ) {
      ran = false;
      for (const other of this.#kernelThreads()) {
        if (other === thread || !other.isEnabled || this.#busy.has(other)) continue;
        this.runUntilBlocked(other);
        if (thread.isEnabled) return;
        ran = true;
      }
    }
    throw describeDeadlock([thread, ...this.#kernelThreads()]);
  }

  #refuel(thread: MachineThread, changesBefore: number): number {
    const changes = this.#changes();
    if (changes === changesBefore) {
      throw new InvariantViolation(
        `${thread.name} loops without end at ${thread.lastTurnSite || 'an unnamed place'}.`,
        [`last turn: ${thread.lastTurnKey}`, `nothing has changed for ${FUEL_CYCLES} cycles`],
      );
    }
    thread.limit = thread.clock + FUEL_CYCLES;
    return changes;
  }
}
