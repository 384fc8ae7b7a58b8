import type { SpinLock } from '@epckit/interface';
import { Cost } from '@epckit/interface';
import { ExclusiveLock } from './lock-base.js';
import type { MachineThread } from './thread.js';

/**
 * Spinlock. Outside the explored world its section takes effect as a whole when it is entered: no point in it
 * stops. In the timed world its length delays the next holder.
 */
export class ModelSpinLock extends ExclusiveLock implements SpinLock {
  /** Virtual time at which the last section of the timed world ended. */
  #freeAt = 0;

  protected entered(thread: MachineThread): void {
    thread.spinDepth++;
    if (this.shared.world === 'explored') return;
    if (this.shared.world === 'timed') thread.waitUntil(this.#freeAt, Cost.LOCK_WAIT);
    if (thread.spinDepth === 1) {
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
}
