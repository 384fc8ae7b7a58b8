import type { Routine } from '@epckit/interface';
import { InvariantViolation } from '@epckit/interface';
import { describeDeadlock } from './deadlock.js';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

/** Cycles that a routine may run before the driver looks whether it makes progress. */
const FUEL_CYCLES = 2 ** 32;

/** Direct world: routines run to completion; who blocks lets the kernel threads run. */
export class DirectDriver {
  readonly #shared: Shared;
  readonly #kernelThreads: () => readonly MachineThread[];
  readonly #changes: () => number;

  /** @param changes counts changes of shared state, to tell a long routine from a runaway one */
  constructor(shared: Shared, kernelThreads: () => readonly MachineThread[], changes: () => number) {
    this.#shared = shared;
    this.#kernelThreads = kernelThreads;
    this.#changes = changes;
  }

  /** Runs `routine` on `thread` to its end. @throws InvariantViolation on deadlock or without progress */
  run<T>(thread: MachineThread, routine: Routine<T>): T {
    const outer = this.#shared.running;
    thread.routine = routine;
    thread.limit = thread.clock + FUEL_CYCLES;
    let changes = -1;
    try {
      for (;;) {
        this.#shared.running = thread;
        const step = routine.next();
        if (step.done === true) return step.value;
        thread.pending = step.value;
        if (!thread.isEnabled) this.#runOthersFor(thread);
        else if (thread.clock > thread.limit) changes = this.#refuel(thread, changes);
      }
    } finally {
      thread.routine = null;
      thread.announced = 0;
      this.#shared.running = outer;
    }
  }

  /** Lets every kernel thread run until it sleeps. */
  runKernelThreads(): void {
    for (let ran = true; ran; ) {
      ran = false;
      for (const thread of this.#kernelThreads()) {
        if (!thread.isEnabled) continue;
        this.runUntilBlocked(thread);
        ran = true;
      }
    }
  }

  /** Runs a thread that has a routine until it blocks or ends. */
  runUntilBlocked(thread: MachineThread): void {
    const outer = this.#shared.running;
    let changes = -1;
    thread.limit = thread.clock + FUEL_CYCLES;
    while (thread.isEnabled) {
      this.#shared.running = thread;
      const step = (thread.routine as Routine<unknown>).next();
      if (step.done === true) thread.routine = null;
      else thread.pending = step.value;
      if (thread.clock > thread.limit) changes = this.#refuel(thread, changes);
    }
    this.#shared.running = outer;
  }

  #runOthersFor(thread: MachineThread): void {
    for (let ran = true; ran; ) {
      ran = false;
      for (const other of this.#kernelThreads()) {
        if (other === thread || !other.isEnabled) continue;
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
