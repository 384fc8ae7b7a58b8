import type { MachineThread } from '@epckit/machine';
import { Chance } from '../../../vepc/test/oversub/chance.js';
import type { MachineSchedule } from '../../src/execution.js';

/** How a schedule by chance is drawn. */
export interface PctOptions {
  readonly seed: number;
  /** Depth of the bugs that are looked for: 1 and the number of steps at which a thread falls behind all others. */
  readonly depth: number;
  /** Steps of a long execution. */
  readonly steps: number;
  /** May leaves that conflict overlap? Half of them do then. */
  readonly mayOverlap?: boolean;
}

/** How often a thread is passed over before others fall behind: loops that wait for it must let it go on. */
const PATIENCE = 1000;

/**
 * Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi and Nagarakatte, ASPLOS 2010): each thread has a
 * random priority, the highest one that is enabled goes on, and at `depth` - 1 random steps the one that is about to
 * go on falls behind all others. A bug of that depth among n threads is found with a chance of at least
 * 1 / (n · steps^(depth - 1)).
 */
export class Pct implements MachineSchedule {
  readonly overlap?: (thread: MachineThread, others: readonly MachineThread[]) => number;
  readonly #chance: Chance;
  readonly #priorities = new Map<number, number>();
  readonly #changes: readonly number[];
  #step = 0;
  #lowest = 0;
  readonly #passedOver = new Map<number, number>();

  constructor({ seed, depth, steps, mayOverlap = false }: PctOptions) {
    const chance = new Chance(seed);
    this.#chance = chance;
    this.#changes = Array.from({ length: depth - 1 }, () => chance.below(steps));
    if (mayOverlap) {
      this.overlap = (_, others) => (chance.below(2) === 0 ? -1 : chance.below(others.length));
    }
  }

  choose(enabled: readonly MachineThread[]): number {
    let choice = this.#highest(enabled);
    const changes = this.#changes.filter((step) => step === this.#step).length;
    for (let i = 0; i < changes + (this.#isUnfair(enabled) ? 1 : 0); i++) {
      this.#priorities.set((enabled[choice] as MachineThread).id, --this.#lowest);
      choice = this.#highest(enabled);
    }
    this.#step++;
    for (const [index, { id }] of enabled.entries()) {
      this.#passedOver.set(id, index === choice ? 0 : (this.#passedOver.get(id) ?? 0) + 1);
    }
    return choice;
  }

  /** Does somebody wait for long? */
  #isUnfair(enabled: readonly MachineThread[]): boolean {
    return enabled.some(({ id }) => (this.#passedOver.get(id) ?? 0) >= PATIENCE);
  }

  #highest(enabled: readonly MachineThread[]): number {
    let best = 0;
    for (let index = 1; index < enabled.length; index++) {
      if (this.#priority(enabled[index]) > this.#priority(enabled[best])) best = index;
    }
    return best;
  }

  /** Threads that are made on the way, such as those of interrupts, get theirs when they are first seen. */
  #priority(thread: MachineThread | undefined): number {
    if (thread === undefined) return Number.NEGATIVE_INFINITY;
    let priority = this.#priorities.get(thread.id);
    if (priority === undefined) {
      priority = 1 + this.#chance.below(2 ** 30);
      this.#priorities.set(thread.id, priority);
    }
    return priority;
  }
}
