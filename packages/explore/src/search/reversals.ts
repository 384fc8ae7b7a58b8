import type { Op } from '@epckit/interface';
import { Mode, opMode, opObject } from '@epckit/interface';
import type { Causality } from '../causality.js';
import type { Touches } from '../touches.js';
import { areIndependent, mayBlock, touchKind, touchObject } from '../touches.js';

/** A step that was made, or that a blocked thread would make. */
export interface Late {
  readonly thread: number;
  readonly op: Op;
  readonly touches: Touches;
  /** Event that the step must follow in any order, `-1` for none. */
  readonly previous: number;
  /** Index of the step, or the number of events if it was not made. */
  readonly index: number;
}

/** Asks for one of `first` to be tried before the event at `index`. */
export type Plan = (index: number, first: readonly number[]) => void;

/** Can the late step come first? `maybe`: it can block, and what happened in between decides. */
type Reversible = 'yes' | 'no' | 'maybe';

/**
 * Finds the races of `late`: earlier steps that do not commute with it and that it could have come before.
 *
 * For each of them some thread must be tried at the choice before the earlier step. The candidates are the
 * initials of what is left when everything that follows from the earlier step is taken out (source-DPOR,
 * algorithm 1 of Abdulla, Aronis, Jonsson and Sagonas, POPL 2014).
 *
 * That algorithm looks only at races without a step in between, which is enough where no step blocks another
 * thread: a race with the steps further back shows once the nearer one is reversed. A step that has freed a
 * lock cannot be reversed with the acquisition that waited for it, so here a race hides earlier ones only if it
 * can be reversed for certain.
 */
export function planReversals(causality: Causality, late: Late, plan: Plan): void {
  const reversed: number[] = [];
  const conflicts = causality.conflicts(late.thread, late.touches, late.previous, late.index);
  for (const early of conflicts) {
    if (reversed.some((nearer) => causality.isBefore(early, nearer))) continue;
    const first = initials(causality, early, late, conflicts);
    const verdict = isReversible(causality, early, late, first);
    if (verdict === 'no') continue;
    if (verdict === 'yes') reversed.push(early);
    plan(early, first);
  }
}

function isReversible(causality: Causality, early: number, late: Late, first: readonly number[]): Reversible {
  if (!mayBlock(late.op)) return 'yes';
  if (wasFreedBy(causality, early, late)) return 'no';
  // The thread came to its announcement only after the early step.
  if (late.previous > early) return 'maybe';
  if (!first.includes(late.thread)) return 'maybe';
  return causality.at(early).enabled.includes(late.thread) ? 'yes' : 'no';
}

/** Did the early step give back the lock that the late step takes? */
function wasFreedBy(causality: Causality, early: number, late: Late): boolean {
  const event = causality.at(early);
  const lock = opObject(late.op);
  if (!event.freed.includes(lock)) return false;
  if (opMode(late.op) !== Mode.ACQUIRE_SHARED) return true;
  return event.touches.some((touch) => touchObject(touch) === lock && touchKind(touch) !== Mode.READ);
}

/**
 * Threads whose next step can begin a sequence that leads to `late` without `early`: of the steps that do not
 * follow from `early`, those that need none of the others.
 */
function initials(causality: Causality, early: number, late: Late, conflicts: readonly number[]): number[] {
  const rest: number[] = [];
  const first: number[] = [];
  const seen = new Set<number>();
  for (let index = early + 1; index < late.index; index++) {
    if (causality.isBefore(early, index)) continue;
    const { thread } = causality.at(index);
    if (!seen.has(thread) && !rest.some((other) => causality.isBefore(other, index))) first.push(thread);
    seen.add(thread);
    rest.push(index);
  }
  const past = [late.previous, ...conflicts];
  const needsOther = rest.some((other) => past.some((index) => causality.isBefore(other, index)));
  if (!seen.has(late.thread) && !needsOther) first.unshift(late.thread);
  return first;
}

/**
 * Finds sleepers that the event at `index` would have woken had it come before the step that did wake them.
 *
 * A step that needs only one object, known beforehand, races with the same steps wherever it is made. Here a
 * step may touch other things once another thread has changed what it finds; then its race with a third step
 * shows only if that one comes first, and while the thread sleeps nobody would try. This has no counterpart in
 * the paper, whose happens-before relations exclude it (definition 3.3, property 7).
 */
export function planWakeups(causality: Causality, index: number, woken: WokenBefore, plan: Plan): void {
  const { thread, touches } = causality.at(index);
  for (let early = index - 1; early >= 0; early--) {
    for (const [sleeper, sleeping] of woken(early)) {
      if (sleeper === thread || causality.isBefore(early, index) || areIndependent(sleeping, touches))
        continue;
      plan(early, initialsOfPast(causality, early, index));
      break;
    }
  }
}

/** Threads that the event at an index has woken, with what their steps would have touched instead of it. */
export type WokenBefore = (index: number) => readonly (readonly [thread: number, touches: Touches])[];

/** Threads whose next step after the choice before `early` can begin what leads to the event at `index`. */
function initialsOfPast(causality: Causality, early: number, index: number): number[] {
  const past: number[] = [];
  const first: number[] = [];
  const seen = new Set<number>();
  for (let at = early + 1; at <= index; at++) {
    if (causality.isBefore(early, at) || !causality.isBefore(at, index)) continue;
    const { thread } = causality.at(at);
    if (!seen.has(thread) && !past.some((other) => causality.isBefore(other, at))) first.push(thread);
    seen.add(thread);
    past.push(at);
  }
  return first;
}
