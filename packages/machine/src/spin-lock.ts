import type { SpinLock } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { ExclusiveLock } from './lock-base.js';
import type { MachineThread } from './thread.js';

/**
 * Spinlock. Outside the explored world its section takes effect as a whole when it is entered: no point in it
 * stops. In the timed world it is a ticket lock: its length delays the next holder, first come first served, and
 * who waits keeps the CPU.
 */
export class ModelSpinLock extends ExclusiveLock implements SpinLock {
  readonly spins = true;
  /** Virtual time at which the last section of the timed world ended. */
  #freeAt = 0;

  protected override get freeAt(): number {
    return this.shared.world === 'timed' ? this.#freeAt : Number.NEGATIVE_INFINITY;
  }

  protected entered(thread: MachineThread): void {
    thread.spinDepth++;
    if (this.shared.world === 'explored') return;
    if (this.shared.world === 'timed' && this.#freeAt > thread.clock) this.#waitInPlace(thread);
    if (thread.spinDepth === 1) {
      thread.sectionStart = thread.clock;
      thread.outerLimit = thread.limit;
      thread.limit = Number.POSITIVE_INFINITY;
    }
  }

  protected leaving(thread: MachineThread): void {
    thread.spinDepth--;
    if (this.shared.world === 'explored') return;
    if (this.shared.world === 'timed') this.#freeAt = thread.clock;
    if (thread.spinDepth === 0) thread.limit = thread.outerLimit;
  }

  /** Waits without a stop: within another section, where it overtakes who waits, or because nobody else comes. */
  #waitInPlace(thread: MachineThread): void {
    this.meter.begins(thread, this.acquire);
    this.meter.waits(thread, this.#freeAt);
    thread.waitUntil(this.#freeAt, Cost.LOCK_WAIT);
  }
}
