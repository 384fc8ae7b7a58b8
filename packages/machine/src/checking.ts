import type { AccessMonitor, ModeId, Op } from '@epckit/interface';
import { InvariantViolation, Mode, opMode, opObject } from '@epckit/interface';
import type { Objects } from './objects.js';
import type { Progress } from './progress.js';
import type { MachineThread } from './thread.js';
import { VectorClock } from './vector-clock.js';

/** How a step touched an object: additions commute with additions, reads with reads. */
export type Touch = typeof Mode.READ | typeof Mode.WRITE | typeof Mode.ADD;

interface PlainAccess {
  writer: number;
  writtenAt: number;
  readonly readAt: Map<number, number>;
}

/**
 * The checking mode: sees every access to shared state in the explored world.
 *
 * It proves two things. An access to a lockless variable was announced by stopping before it. Two ordinary
 * accesses of one object by different threads, one of them a write, are ordered by locks or announced
 * operations in every execution that is run (happens-before by vector clocks, as in FastTrack by Flanagan and
 * Freund, PLDI 2009, without its compressed epochs). What it also collects is the footprint of each step, from
 * which a search knows which steps commute.
 */
export class Checking implements AccessMonitor {
  /** What the current step has touched, by object. */
  readonly footprint = new Map<number, Touch>();
  /** Locks that the current step gave back and an earlier one had taken: who waited could not have run before. */
  readonly freed = new Set<number>();
  /** Has an unordered access been seen? */
  hasRace = false;
  /** The mode sleeps until the machine is explored: set-up code runs alone. */
  isActive = false;
  /**
   * Are unordered ordinary accesses errors? A search for what a race leads to turns this off; footprints, and so
   * reductions, stay complete.
   */
  reportsRaces = true;
  /** Thread whose accesses are seen. */
  current: MachineThread | null = null;

  readonly #objects: Objects;
  readonly #progress: Progress;
  readonly #threadClocks = new Map<number, VectorClock>();
  readonly #syncClocks = new Map<number, VectorClock>();
  readonly #plain = new Map<number, PlainAccess>();

  /** @internal */
  constructor(objects: Objects, progress: Progress) {
    this.#objects = objects;
    this.#progress = progress;
    progress.look = () => {
      if (this.isActive) this.#touch(progress.object, Mode.READ);
    };
  }

  /** `thread` makes a step that begins with what it announced. */
  beginStep(thread: MachineThread): void {
    this.footprint.clear();
    this.freed.clear();
    this.current = thread;
    const mode = opMode(thread.pending);
    if (thread.pending !== 0 && mode <= Mode.ADD) this.#touch(opObject(thread.pending), mode as Touch);
  }

  read(object: number): void {
    const thread = this.#seen(object, Mode.READ);
    if (thread === null) return;
    const access = this.#accessOf(object);
    const clock = this.#clockOf(thread.id);
    if (access.writer !== thread.id && access.writtenAt > clock.at(access.writer)) {
      this.#race(object, thread, access.writer, 'writes');
    }
    access.readAt.set(thread.id, clock.at(thread.id));
  }

  write(object: number): void {
    const thread = this.#seen(object, Mode.WRITE);
    if (thread === null) return;
    this.changed();
    const access = this.#accessOf(object);
    const clock = this.#clockOf(thread.id);
    if (access.writer !== thread.id && access.writtenAt > clock.at(access.writer)) {
      this.#race(object, thread, access.writer, 'writes');
    }
    for (const [reader, at] of access.readAt) {
      if (reader !== thread.id && at > clock.at(reader)) this.#race(object, thread, reader, 'reads');
    }
    access.readAt.clear();
    access.writer = thread.id;
    access.writtenAt = clock.at(thread.id);
  }

  atomic(object: number, mode: Touch): void {
    const thread = this.#seen(object, mode);
    if (thread === null) return;
    if (mode !== Mode.READ) this.changed();
    this.#synchronise(thread, object, mode);
  }

  /** A lock was taken: what its earlier holders did is ordered before. */
  acquired(thread: MachineThread, announcement: Op): void {
    if (!this.isActive) return;
    const object = opObject(announcement);
    const mode = holdOf(announcement);
    this.#touch(object, mode);
    this.#learn(thread, object, mode);
  }

  /** A lock was given back. */
  released(thread: MachineThread, announcement: Op): void {
    if (!this.isActive) return;
    const object = opObject(announcement);
    const mode = holdOf(announcement);
    if (!this.footprint.has(object)) this.freed.add(object);
    this.#touch(object, mode);
    this.#publish(thread, object, mode);
  }

  /** A lockless variable was used. @throws InvariantViolation if the use was not announced */
  used(thread: MachineThread, announcement: Op, mode: ModeId, isChange: boolean): void {
    if (!this.isActive) return;
    if (thread.pending !== announcement) {
      throw new InvariantViolation(
        `${thread.name} uses ${this.#objects.nameOf(opObject(announcement))} unannounced.`,
        [`announced: ${this.#objects.nameOf(opObject(thread.pending))}`],
      );
    }
    thread.pending = 0;
    if (isChange) this.changed();
    this.touched(thread, opObject(announcement), mode as Touch);
  }

  /** A synchronisation object was used at a place that is no point. */
  touched(thread: MachineThread, object: number, mode: Touch): void {
    if (!this.isActive) return;
    this.#touch(object, mode);
    this.#synchronise(thread, object, mode);
  }

  /** Something is made whose number depends on what was made before. */
  numbered(object: number): void {
    if (this.isActive) this.#touch(object, Mode.WRITE);
  }

  /** Shared state has changed: whoever waits for a change can go on. */
  changed(): void {
    this.#progress.changes++;
    if (this.isActive) this.#touch(this.#progress.object, Mode.ADD);
  }

  /** Forgets everything: a new execution begins. */
  reset(): void {
    this.footprint.clear();
    this.freed.clear();
    this.hasRace = false;
    this.#threadClocks.clear();
    this.#syncClocks.clear();
    this.#plain.clear();
  }

  #seen(object: number, mode: Touch): MachineThread | null {
    if (!this.isActive || this.current === null) return null;
    this.#touch(object, mode);
    return this.current;
  }

  #touch(object: number, mode: Touch): void {
    const before = this.footprint.get(object);
    this.footprint.set(object, before === undefined || before === mode ? mode : Mode.WRITE);
  }

  #synchronise(thread: MachineThread, object: number, mode: Touch): void {
    this.#learn(thread, object, mode);
    this.#publish(thread, object, mode);
  }

  /**
   * What conflicting uses of `object` knew is known. Uses that commute order nothing: else the verdict on a
   * race would depend on which of several equivalent executions a search happens to run.
   */
  #learn(thread: MachineThread, object: number, mode: Touch): void {
    const clock = this.#clockOf(thread.id);
    clock.join(this.#syncOf(object, Mode.WRITE));
    if (mode !== Mode.READ) clock.join(this.#syncOf(object, Mode.READ));
    if (mode !== Mode.ADD) clock.join(this.#syncOf(object, Mode.ADD));
  }

  #publish(thread: MachineThread, object: number, mode: Touch): void {
    const clock = this.#clockOf(thread.id);
    this.#syncOf(object, mode).join(clock);
    clock.tick(thread.id);
  }

  #clockOf(thread: number): VectorClock {
    return VectorClock.in(this.#threadClocks, thread, (clock) => clock.tick(thread));
  }

  #syncOf(object: number, mode: Touch): VectorClock {
    return VectorClock.in(this.#syncClocks, object * 4 + mode);
  }

  #accessOf(object: number): PlainAccess {
    let access = this.#plain.get(object);
    if (access === undefined) {
      access = { writer: 0, writtenAt: 0, readAt: new Map() };
      this.#plain.set(object, access);
    }
    return access;
  }

  #race(object: number, thread: MachineThread, other: number, what: string): void {
    if (!this.reportsRaces) return;
    this.hasRace = true;
    throw new InvariantViolation(`Unordered access to ${this.#objects.nameOf(object)}.`, [
      `${thread.name} touches it`,
      `thread ${other} ${what} it, and no lock or announced operation lies between`,
    ]);
  }
}

/** How holding a lock touches it: shared holders commute. */
function holdOf(announcement: Op): Touch {
  return opMode(announcement) === Mode.ACQUIRE_SHARED ? Mode.READ : Mode.WRITE;
}
