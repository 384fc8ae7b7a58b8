import type { LockFactory, Routine, SharedNumber, Thread, WaitQueue } from '@epckit/interface';
import { Cost } from '@epckit/interface';

/**
 * Between a guest and the host: threads of the guest pass it whenever the host acts for them. The VMM closes it to pause
 * the guest, which waits until the host is done with every exit (Linux: KVM_RUN has returned on all virtual CPUs).
 */
export class ExitGate {
  readonly #inside: SharedNumber;
  readonly #closed: SharedNumber;
  readonly #changes: WaitQueue;
  readonly #threads = new Set<Thread>();

  constructor(locks: LockFactory, guest: string) {
    this.#inside = locks.sharedNumber(`${guest}: exits in progress`, 0);
    this.#closed = locks.sharedNumber(`${guest}: paused`, 0);
    this.#changes = locks.waitQueue(`${guest}: exits`);
  }

  /** Does the host act for the thread now? Plain. */
  isInside(thread: Thread): boolean {
    return this.#threads.has(thread);
  }

  /** The host begins to act for `thread`, once the gate is open. */
  *enter(thread: Thread): Routine<void> {
    // First counted, then looked: whoever closes does it the other way round.
    yield* this.#add(thread, 1);
    for (;;) {
      if (thread.clock > thread.limit) yield this.#closed.reading;
      if (this.#closed.read(thread) === 0) break;
      yield* this.#add(thread, -1);
      yield* this.#wait(thread, this.#closed);
      yield* this.#add(thread, 1);
    }
    this.#threads.add(thread);
  }

  /** The host has acted for `thread`. */
  *leave(thread: Thread): Routine<void> {
    this.#threads.delete(thread);
    yield* this.#add(thread, -1);
  }

  /** Nobody enters from now on. Ends when nobody is inside. */
  *close(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield this.#closed.writing;
    this.#closed.write(thread, 1);
    yield* this.#wait(thread, this.#inside);
  }

  /** Lets in who waits. */
  *open(thread: Thread): Routine<void> {
    if (thread.clock > thread.limit) yield this.#closed.writing;
    this.#closed.write(thread, 0);
    this.#changes.wake(thread);
  }

  *#add(thread: Thread, amount: number): Routine<void> {
    if (thread.spend(Cost.STEP) > thread.limit) yield this.#inside.adding;
    this.#inside.add(thread, amount);
    if (amount < 0) this.#changes.wake(thread);
  }

  /** Sleeps until the number is zero. */
  *#wait(thread: Thread, number: SharedNumber): Routine<void> {
    for (;;) {
      this.#changes.prepare(thread);
      if (thread.clock > thread.limit) yield number.reading;
      if (number.read(thread) === 0) break;
      yield* this.#changes.sleep(thread);
    }
    this.#changes.finish(thread);
  }
}
