import type { Op, Routine, WaitQueue } from '@epckit/interface';
import { Cost, InvariantViolation, Mode, op } from '@epckit/interface';
import type { Blocker } from './blocker.js';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

/** Wait queue: sleepers that were woken test their condition again. */
export class ModelWaitQueue implements WaitQueue, Blocker {
  readonly name: string;
  readonly isIdle = true;
  readonly spins = false;
  readonly #shared: Shared;
  readonly #object: number;
  readonly #waiting: Op;
  readonly #sleepers = new Set<MachineThread>();
  readonly #woken = new Set<MachineThread>();

  constructor(name: string, shared: Shared) {
    this.name = name;
    this.#shared = shared;
    this.#object = shared.objects.range(name, 1);
    this.#waiting = op(this.#object, Mode.WAIT);
  }

  prepare(thread: MachineThread): void {
    this.#sleepers.add(thread);
    this.#woken.delete(thread);
    this.#shared.checking?.touched(thread, this.#object, Mode.WRITE);
  }

  *sleep(thread: MachineThread): Routine<void> {
    if (thread.spinDepth > 0)
      throw new InvariantViolation(`${thread.name} sleeps under a spinlock: ${this.name}.`);
    while (!this.#woken.has(thread)) {
      // A wake-up tells sleepers from threads that are still awake.
      this.#shared.checking?.touched(thread, this.#object, Mode.READ);
      thread.blockedOn = this;
      yield this.#waiting;
    }
    thread.blockedOn = null;
    this.#shared.checking?.touched(thread, this.#object, Mode.WRITE);
  }

  finish(thread: MachineThread): void {
    this.#sleepers.delete(thread);
    this.#woken.delete(thread);
  }

  wake(thread: MachineThread): boolean {
    this.#shared.checking?.touched(thread, this.#object, Mode.WRITE);
    let wokeSomebody = false;
    for (const sleeper of this.#sleepers) {
      if (this.#woken.has(sleeper)) continue;
      this.#woken.add(sleeper);
      if (sleeper.blockedOn !== this) continue;
      wokeSomebody = true;
      this.#shared.becameRunnable(sleeper, thread.clock, Cost.EVENT_WAIT);
    }
    if (wokeSomebody) this.#shared.checking?.changed();
    return wokeSomebody;
  }

  canProceed(thread: MachineThread): boolean {
    return this.#woken.has(thread);
  }

  holders(): readonly MachineThread[] {
    return [];
  }
}
