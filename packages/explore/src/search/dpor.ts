import type { MachineThread } from '@epckit/machine';
import type { Causality } from '../causality.js';
import { touchesOfBlocked } from '../touches.js';
import type { Choice, Strategy } from './depth-first.js';
import type { Plan } from './reversals.js';
import { planReversals, planWakeups } from './reversals.js';

/**
 * Dynamic partial-order reduction with source sets and sleep sets (source-DPOR: Abdulla, Aronis, Jonsson and
 * Sagonas, "Optimal Dynamic Partial Order Reduction", POPL 2014, algorithm 1; the idea of adding choices where
 * an execution shows a race is Flanagan and Godefroid's, POPL 2005).
 *
 * One thread is tried at a new choice; others are added when a later step turns out to race with the step that
 * was made there. Differences from the paper, all because locks and sleeps disable threads here:
 * {@link planReversals} looks past steps that freed a lock; and at the end of an execution the steps that
 * blocked threads would make are examined for races as if they had been made.
 */
export class Dpor implements Strategy {
  readonly sleeps = true;

  plan(choice: Choice): number[] {
    const awake = choice.enabled.filter((thread) => !choice.asleep.has(thread));
    const first = awake.includes(choice.last) ? choice.last : awake[0];
    return first === undefined ? [] : [first];
  }

  stepped(path: readonly Choice[], causality: Causality): void {
    const index = causality.length - 1;
    const plan = planIn(path);
    planReversals(causality, { ...causality.at(index), index }, plan);
    planWakeups(causality, index, (early) => (path[early] as Choice).woken, plan);
  }

  ended(path: readonly Choice[], causality: Causality, blocked: readonly MachineThread[]): void {
    for (const { id: thread, pending: op } of blocked) {
      const late = { thread, op, touches: touchesOfBlocked(op), previous: causality.previousOf(thread) };
      planReversals(causality, { ...late, index: causality.length }, planIn(path));
    }
  }
}

/** Adds a thread at a choice unless one that does as well is planned or has been seen there. */
function planIn(path: readonly Choice[]): Plan {
  return (index, first) => {
    const choice = path[index] as Choice;
    if (first.some((thread) => choice.planned.includes(thread) || choice.asleep.has(thread))) return;
    const thread = first.find((candidate) => choice.enabled.includes(candidate));
    if (thread === undefined)
      choice.planned.push(...choice.enabled.filter((other) => !choice.planned.includes(other)));
    else choice.planned.push(thread);
  };
}
