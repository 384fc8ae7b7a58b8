import type { Choice, Strategy } from './depth-first.js';

/**
 * Every interleaving, but of those that differ only in the order of steps that commute one is finished:
 * sleep sets (Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", LNCS 1032, 1996).
 *
 * Where the original asks a static relation, two steps are compared by what they have touched when they were
 * made. A sleeper's step would touch the same now, because nothing that it depends on was touched since.
 */
export class SleepSets implements Strategy {
  readonly sleeps = true;

  plan(choice: Choice): number[] {
    const others = choice.enabled.filter((thread) => thread !== choice.last);
    return others.length === choice.enabled.length ? others : [choice.last, ...others];
  }

  stepped(): void {}

  ended(): void {}
}
