import type { Op } from '@epckit/interface';
import { Mode } from '@epckit/interface';
import type { ExploredStep } from '@epckit/machine';
import type { Touches } from './touches.js';
import { isConflict, packTouches, touchKind, touchObject } from './touches.js';

/** A step in the partial order of its execution. */
export interface Event {
  /** Thread that made the step. */
  readonly thread: number;
  /** Number of the step within its thread, from 1. */
  readonly turn: number;
  /** What the thread had announced; `0` for its first step. */
  readonly op: Op;
  /** What the step has touched. */
  readonly touches: Touches;
  /** Locks given back that an earlier step of the thread had taken. */
  readonly freed: readonly number[];
  /** Threads that could run before the step. */
  readonly enabled: readonly number[];
  /** Event that must come first in any order: the thread's own before it, or the step that made the thread; else `-1`. */
  readonly previous: number;
  /** Per thread, how many of its steps happen before this one or are it. */
  readonly clock: readonly number[];
}

/** Which events of an execution touched one object, by kind of touch, oldest first. */
type Users = readonly [reads: number[], writes: number[], adds: number[]];

/**
 * The happens-before order of an execution, kept as vector clocks: program order, the step that made a thread
 * before all its steps, and every pair of steps that do not commute.
 *
 * It is a stack like the execution itself: a search that goes back to a choice truncates it there.
 */
export class Causality {
  readonly #events: Event[] = [];
  readonly #users = new Map<number, Users>();
  readonly #ofThread: number[][] = [];

  /** Number of events. */
  get length(): number {
    return this.#events.length;
  }

  /** Event at `index`. */
  at(index: number): Event {
    return this.#events[index] as Event;
  }

  /** Event that the next step of `thread` must follow: its last one, or the step that made it; `-1` for none. */
  previousOf(thread: number): number {
    const last = this.#ofThread[thread]?.at(-1);
    if (last !== undefined) return last;
    // Once made, a thread can make its first step at any time.
    for (let index = this.#events.length - 1; index >= 0; index--) {
      if (!this.at(index).enabled.includes(thread)) return index;
    }
    return -1;
  }

  /** Adds a finished step. */
  append(step: ExploredStep): Event {
    const { thread, op, enabled } = step;
    const touches = packTouches(step.footprint);
    const index = this.#events.length;
    const previous = this.previousOf(thread);
    this.#ofThread[thread] ??= [];
    const own = this.#ofThread[thread] as number[];
    const turn = own.length + 1;
    const clock = this.#pastOf(previous, touches);
    while (clock.length <= thread) clock.push(0);
    clock[thread] = turn;
    const event = { thread, turn, op, touches, freed: [...step.freed], enabled, previous, clock };
    own.push(index);
    this.#events.push(event);
    for (const touch of touches) this.#usersOf(touchObject(touch))[touchKind(touch) as 0 | 1 | 2].push(index);
    return event;
  }

  /** Forgets all events from `length` on. */
  truncate(length: number): void {
    while (this.#events.length > length) {
      const event = this.#events.pop() as Event;
      this.#ofThread[event.thread]?.pop();
      for (const touch of event.touches) {
        this.#usersOf(touchObject(touch))[touchKind(touch) as 0 | 1 | 2].pop();
      }
    }
  }

  /** Does event `a` happen before event `b`, or is it `b`? `-1` stands for no event: nothing is before it. */
  isBefore(a: number, b: number): boolean {
    if (b < 0) return false;
    const event = this.at(a);
    return (this.at(b).clock[event.thread] ?? 0) >= event.turn;
  }

  /**
   * Events of other threads with which a step after `previous` does not commute, newest first; without those
   * that happen before `previous` and so before the step in every order of this trace.
   *
   * @param thread - thread of the step
   * @param previous - event that the step must follow, `-1` for none
   * @param end - only events before this index
   */
  conflicts(thread: number, touches: Touches, previous: number, end: number): number[] {
    const found = new Set<number>();
    for (const touch of touches) {
      const users = this.#users.get(touchObject(touch));
      if (users === undefined) continue;
      for (const kind of [Mode.READ, Mode.WRITE, Mode.ADD] as const) {
        if (isConflict(kind, touchKind(touch))) this.#collect(users[kind], thread, previous, end, found);
      }
    }
    return [...found].sort((a, b) => b - a);
  }

  /**
   * Two numbers that are equal for two executions of the same Mazurkiewicz trace, and for no others except by
   * a collision of 64 bits: a hash of the clocks of all events in order of thread and turn. Clocks determine
   * the partial order, as the Foata normal form does.
   */
  traceKey(): string {
    let a = 0x811c9dc5;
    let b = 0x01000193;
    const mix = (value: number): void => {
      a = Math.imul(a ^ value, 0x01000193);
      b = Math.imul(b + value, 0x85ebca6b) ^ (b >>> 13);
    };
    this.#ofThread.forEach((indices, thread) => {
      for (const index of indices) {
        mix(thread);
        this.at(index).clock.forEach((turns, other) => {
          if (turns > 0) mix(other * 65_537 + turns);
        });
      }
    });
    return `${a >>> 0}.${b >>> 0}`;
  }

  #collect(
    users: readonly number[],
    thread: number,
    previous: number,
    end: number,
    found: Set<number>,
  ): void {
    for (let at = users.length - 1; at >= 0; at--) {
      const index = users[at] as number;
      if (index < end && this.at(index).thread !== thread && !this.isBefore(index, previous))
        found.add(index);
    }
  }

  /** Joined clocks of everything that directly precedes a step. */
  #pastOf(previous: number, touches: Touches): number[] {
    const clock = previous < 0 ? [0] : [...this.at(previous).clock];
    for (const touch of touches) {
      const users = this.#users.get(touchObject(touch));
      if (users === undefined) continue;
      const kind = touchKind(touch);
      const lastWrite = users[Mode.WRITE].at(-1) ?? -1;
      // A write follows all earlier touches of its object, so what lies before the last one is in its clock.
      if (lastWrite >= 0) join(clock, this.at(lastWrite).clock);
      if (kind !== Mode.READ) this.#joinAfter(clock, users[Mode.READ], lastWrite);
      if (kind !== Mode.ADD) this.#joinAfter(clock, users[Mode.ADD], lastWrite);
    }
    return clock;
  }

  #joinAfter(clock: number[], users: readonly number[], lastWrite: number): void {
    for (let at = users.length - 1; at >= 0 && (users[at] as number) > lastWrite; at--) {
      join(clock, this.at(users[at] as number).clock);
    }
  }

  #usersOf(object: number): Users {
    let users = this.#users.get(object);
    if (users === undefined) {
      users = [[], [], []];
      this.#users.set(object, users);
    }
    return users;
  }
}

function join(clock: number[], other: readonly number[]): void {
  for (let thread = clock.length; thread < other.length; thread++) clock.push(0);
  for (let thread = 0; thread < other.length; thread++) {
    const turns = other[thread] ?? 0;
    if (turns > (clock[thread] as number)) clock[thread] = turns;
  }
}
