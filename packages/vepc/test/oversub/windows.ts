import type { Routine, Schedule, Thread } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { GuestStack } from './guest-stack.js';

/** Two routines on one stack: `first` is preempted once by `second`. */
export interface Window {
  readonly stack: GuestStack;
  readonly first: { readonly thread: MachineThread; readonly routine: Routine<unknown> };
  readonly second: { readonly thread: MachineThread; readonly routine: Routine<unknown> };
}

/** Steps of `second` after which it waits for `first`: it goes round a loop until the other one has done something. */
const PATIENCE = 1000;

/** `first` makes `steps` steps, then `second` goes on as long as it can, then everybody else in order. */
class Preempting implements Schedule {
  readonly #first: number;
  readonly #second: number;
  #left: number;
  #patience = PATIENCE;

  constructor(first: number, second: number, steps: number) {
    this.#first = first;
    this.#second = second;
    this.#left = steps;
  }

  begin(): boolean {
    return true;
  }

  choose(enabled: readonly Thread[]): number {
    const index = (id: number) => enabled.findIndex((thread) => thread.id === id);
    if (this.#left > 0 && index(this.#first) >= 0) {
      this.#left--;
      return index(this.#first);
    }
    this.#left = 0;
    if (index(this.#second) >= 0 && this.#patience-- > 0) return index(this.#second);
    // Interrupts before the one that waits for them.
    const others = enabled.findIndex(({ id }) => id !== this.#first && id !== this.#second);
    return others >= 0 ? others : Math.max(index(this.#first), 0);
  }
}

/**
 * Runs a fresh window for every point at which `first` can be preempted, with all races, lock orders and deadlocks
 * checked, and the laws of host reclaim after every step unless `isChecked` is false: for recipes that break them.
 *
 * @returns how many windows there are
 */
export function everyWindow(
  make: () => Window,
  check: (window: Window, point: number) => void,
  isChecked = true,
): number {
  for (let point = 0; ; point++) {
    const window = make();
    const { stack, first, second } = window;
    let steps = 0;
    stack.machine.start(first.thread, first.routine as Routine<void>);
    stack.machine.start(second.thread, second.routine as Routine<void>);
    const result = stack.machine.runExplored(new Preempting(first.thread.id, second.thread.id, point), {
      maxSteps: 5000,
      onStep: ({ thread }) => {
        if (thread === first.thread.id) steps++;
        if (isChecked) stack.checkStep();
      },
    });
    if (result.error !== undefined) throw result.error;
    if (result.status !== 'done') throw new Error(`${result.status} after a preemption at point ${point}`);
    check(window, point);
    if (steps <= point) return point;
  }
}
