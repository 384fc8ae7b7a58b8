import type { Choice, Strategy } from './depth-first.js';

/** Every interleaving, or every one with at most so many preemptions. */
export class BruteForce implements Strategy {
  readonly sleeps = false;
  /** Has the bound kept the search from trying anything? */
  wasCut = false;
  readonly #preemptions: number;

  /** @param preemptions - most switches away from a thread that could have gone on */
  constructor(preemptions: number) {
    this.#preemptions = preemptions;
  }

  plan(choice: Choice): number[] {
    const { enabled, last } = choice;
    if (!enabled.includes(last)) return [...enabled];
    if (enabled.length > 1 && choice.preemptions >= this.#preemptions) {
      this.wasCut = true;
      return [last];
    }
    return [last, ...enabled.filter((thread) => thread !== last)];
  }

  stepped(): void {}

  ended(): void {}
}
