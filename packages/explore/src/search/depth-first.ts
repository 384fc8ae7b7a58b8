import type { Schedule } from '@epckit/interface';
import { InvariantViolation } from '@epckit/interface';
import type { ExploredStep, MachineThread } from '@epckit/machine';
import { ABANDON } from '@epckit/machine';
import { Causality } from '../causality.js';
import type { Touches } from '../touches.js';
import { areIndependent } from '../touches.js';
import { checkWaiting } from '../waiting.js';

/** One choice on the path that is being searched. */
export interface Choice {
  /** Threads that can run, ascending. */
  readonly enabled: readonly number[];
  /** Thread that ran before, `0` at the beginning. */
  readonly last: number;
  /** Preemptions on the path before this choice. */
  readonly preemptions: number;
  /** Threads to try here, tried ones included, in order. */
  readonly planned: number[];
  /** How many of {@link planned} have been tried or skipped. */
  tried: number;
  /** Threads that need not be tried, with what their step touches: what it leads to has been seen. */
  readonly asleep: Map<number, Touches>;
  /** Sleepers that the step of {@link chosen} has woken. */
  woken: readonly (readonly [thread: number, touches: Touches])[];
  /** Thread that is tried now. */
  chosen: number;
  /** Threads whose leaves may run beside the step, `0` first: none; null until somebody asks. */
  overlaps: readonly number[] | null;
  /** Which of {@link overlaps} is tried now. */
  overlap: number;
}

/** What one search does differently from another. */
export interface Strategy {
  /** Does it put threads to sleep? */
  readonly sleeps: boolean;
  /** Threads to try at a new choice, in order; at least one that is enabled and awake if there is one. */
  plan(choice: Choice): number[];
  /** A new step was made: the last event of `causality`. */
  stepped(path: readonly Choice[], causality: Causality): void;
  /** An execution ended with `blocked` threads that cannot run. */
  ended(path: readonly Choice[], causality: Causality, blocked: readonly MachineThread[]): void;
}

/**
 * Stateless depth-first search: an execution repeats the choices of the path and goes on from its end; then the
 * deepest choice that has something left to try is changed.
 */
export class DepthFirst implements Schedule {
  /** Happens-before order of the current execution. */
  readonly causality = new Causality();
  readonly #strategy: Strategy;
  readonly #records: boolean;
  readonly #path: Choice[] = [];
  /** Threads that could run at the choice before. */
  #before: readonly MachineThread[] = [];
  #depth = 0;
  #hasBegun = false;

  /** @param records - keep the happens-before order even if the search does not need it */
  constructor(strategy: Strategy, records: boolean) {
    this.#strategy = strategy;
    this.#records = records || strategy.sleeps;
  }

  /** Threads in the order in which they ran. */
  get schedule(): number[] {
    return this.#path.slice(0, this.#depth).flatMap((choice) => {
      const other = overlappedBy(choice);
      return other === 0 ? [choice.chosen] : [choice.chosen, -other];
    });
  }

  begin(): boolean {
    this.#depth = 0;
    if (this.#hasBegun) return this.#advance();
    this.#hasBegun = true;
    return true;
  }

  choose(enabled: readonly MachineThread[]): number {
    const depth = this.#depth;
    const known = this.#path[depth];
    if (known === undefined) {
      if (this.#records && depth > 0) checkWaiting(this.#before, enabled, this.causality.at(depth - 1));
      const choice = this.#open(enabled.map((thread) => thread.id));
      if (!this.#take(choice)) return ABANDON;
      this.#path.push(choice);
    }
    const { chosen } = this.#path[depth] as Choice;
    const index = enabled.findIndex((thread) => thread.id === chosen);
    if (index < 0 || (known !== undefined && known.enabled.length !== enabled.length)) {
      throw new InvariantViolation('The case does not do the same each time it is set up.', [
        `step ${depth + 1}: threads ${enabled.map((thread) => thread.id).join(', ')} can run`,
        `before: ${known?.enabled.join(', ') ?? 'unknown'}, of which ${chosen} was chosen`,
      ]);
    }
    this.#before = enabled;
    return index;
  }

  /** Chooses whose leaf runs beside the step that was chosen, none of them first. */
  overlapWith(others: readonly MachineThread[]): number {
    const choice = this.#path[this.#depth] as Choice;
    choice.overlaps ??= [0, ...others.map((thread) => thread.id)];
    return others.findIndex((thread) => thread.id === overlappedBy(choice));
  }

  /** Observes a finished step. */
  stepped(step: ExploredStep): void {
    const isNew = this.#depth === this.#path.length - 1;
    this.#depth++;
    if (!isNew || !this.#records) return;
    const { touches } = this.causality.append(step);
    const choice = this.#path.at(-1) as Choice;
    choice.woken = [...choice.asleep].filter(([, sleeping]) => !areIndependent(sleeping, touches));
    this.#strategy.stepped(this.#path, this.causality);
  }

  /** Observes the end of an execution. */
  ended(threads: readonly MachineThread[]): void {
    const blocked = threads.filter((thread) => thread.routine !== null && !thread.isEnabled);
    this.#strategy.ended(this.#path, this.causality, blocked);
  }

  #open(enabled: readonly number[]): Choice {
    const before = this.#path.at(-1);
    const isPreemption =
      before !== undefined && before.last !== before.chosen && before.enabled.includes(before.last);
    const choice: Choice = {
      enabled,
      last: before?.chosen ?? 0,
      preemptions: (before?.preemptions ?? 0) + (isPreemption ? 1 : 0),
      planned: [],
      tried: 0,
      asleep: this.#strategy.sleeps ? this.#stillAsleep(before) : new Map(),
      woken: [],
      chosen: 0,
      overlaps: null,
      overlap: 0,
    };
    choice.planned.push(...this.#strategy.plan(choice));
    return choice;
  }

  /** A sleeper wakes when a step is made that does not commute with its own. */
  #stillAsleep(before: Choice | undefined): Map<number, Touches> {
    const asleep = new Map<number, Touches>();
    if (before === undefined) return asleep;
    const { touches } = this.causality.at(this.causality.length - 1);
    for (const [thread, sleeping] of before.asleep) {
      if (areIndependent(sleeping, touches)) asleep.set(thread, sleeping);
    }
    return asleep;
  }

  /** Chooses the next planned thread that is awake. */
  #take(choice: Choice): boolean {
    while (choice.tried < choice.planned.length) {
      const thread = choice.planned[choice.tried++] as number;
      if (choice.asleep.has(thread)) continue;
      choice.chosen = thread;
      return true;
    }
    return false;
  }

  /** Goes back to the deepest choice with something left to try. */
  #advance(): boolean {
    for (;;) {
      const choice = this.#path.at(-1);
      if (choice === undefined) return false;
      const depth = this.#path.length - 1;
      if (choice.overlaps !== null && ++choice.overlap < choice.overlaps.length) {
        this.causality.truncate(depth);
        return true;
      }
      choice.overlaps = null;
      choice.overlap = 0;
      if (this.#strategy.sleeps) choice.asleep.set(choice.chosen, this.causality.at(depth).touches);
      this.causality.truncate(depth);
      if (this.#take(choice)) return true;
      this.#path.pop();
    }
  }
}

function overlappedBy({ overlaps, overlap }: Choice): number {
  return overlaps?.[overlap] ?? 0;
}
