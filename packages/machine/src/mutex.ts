import type { Mutex } from '@epckit/interface';
import { ExclusiveLock } from './lock-base.js';
import type { MachineThread } from './thread.js';

/** Sleeping lock: its holder may stop, sleep and take spinlocks. */
export class ModelMutex extends ExclusiveLock implements Mutex {
  readonly spins = false;

  override mustWait(thread: MachineThread): boolean {
    if (thread.spinDepth > 0) throw this.misused(thread, 'takes a sleeping lock under a spinlock');
    return super.mustWait(thread);
  }

  protected entered(): void {}

  protected leaving(): void {}
}
