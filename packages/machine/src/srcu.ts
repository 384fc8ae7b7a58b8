import type { Op, Routine, Srcu } from '@epckit/interface';
import { Cost, InvariantViolation, Mode, op } from '@epckit/interface';
import type { Blocker } from './blocker.js';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

/**
 * SRCU domain with two generations of readers: a grace period flips the generation and waits until the old
 * one has no reader left.
 */
export class ModelSrcu implements Srcu, Blocker {
  readonly name: string;
  readonly isIdle = false;
  readonly spins = false;
  readonly #shared: Shared;
  readonly #object: number;
  readonly #arriving: Op;
  readonly #waiting: Op;
  readonly #readers: [MachineThread[], MachineThread[]] = [[], []];
  #current: 0 | 1 = 0;
  /** Threads in {@link synchronize} in order of arrival; the first has got its grace period. */
  readonly #updaters: MachineThread[] = [];

  constructor(name: string, shared: Shared) {
    this.name = name;
    this.#shared = shared;
    this.#object = shared.objects.range(name, 1);
    this.#arriving = op(this.#object, Mode.WRITE);
    this.#waiting = op(this.#object, Mode.WAIT);
  }

  enter(thread: MachineThread): number {
    this.#readers[this.#current].push(thread);
    this.#shared.checking?.touched(thread, this.#object, Mode.ADD);
    return this.#current;
  }

  leave(thread: MachineThread, index: number): void {
    const readers = this.#readers[index as 0 | 1];
    const at = readers.lastIndexOf(thread);
    if (at < 0)
      throw new InvariantViolation(`${thread.name} leaves a read section that it is not in: ${this.name}.`);
    if (at === readers.length - 1) readers.pop();
    else readers.splice(at, 1);
    this.#shared.checking?.touched(thread, this.#object, Mode.ADD);
    if (readers === this.#old() && readers.length === 0) this.#wakeUpdater(thread);
  }

  *synchronize(thread: MachineThread): Routine<void> {
    if (this.#readers.some((readers) => readers.includes(thread))) {
      throw new InvariantViolation(`${thread.name} waits for its own read section: ${this.name}.`);
    }
    if (thread.spinDepth > 0)
      throw new InvariantViolation(`${thread.name} sleeps under a spinlock: ${this.name}.`);
    if (thread.clock > thread.limit) yield this.#arriving;
    this.#shared.checking?.touched(thread, this.#object, Mode.WRITE);
    this.#updaters.push(thread);
    yield* this.#waitUntilOldIsEmpty(thread);
    this.#current = this.#current === 0 ? 1 : 0;
    yield* this.#waitUntilOldIsEmpty(thread);
    this.#updaters.shift();
    this.#wakeUpdater(thread);
  }

  canProceed(thread: MachineThread): boolean {
    return this.#updaters[0] === thread && this.#old().length === 0;
  }

  holders(): readonly MachineThread[] {
    return this.#old();
  }

  /** Also waits for the thread's turn: between two grace periods the old generation has no reader. */
  *#waitUntilOldIsEmpty(thread: MachineThread): Routine<void> {
    while (!this.canProceed(thread)) {
      thread.blockedOn = this;
      yield this.#waiting;
    }
    thread.blockedOn = null;
    this.#shared.checking?.touched(thread, this.#object, Mode.WRITE);
  }

  #wakeUpdater(thread: MachineThread): void {
    const first = this.#updaters[0];
    if (first !== undefined) this.#shared.becameRunnable(first, thread.clock, Cost.EVENT_WAIT);
  }

  #old(): MachineThread[] {
    return this.#readers[this.#current === 0 ? 1 : 0];
  }
}
