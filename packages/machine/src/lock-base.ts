import type { Op } from '@epckit/interface';
import { Cost, InvariantViolation, Mode, op } from '@epckit/interface';
import type { Blocker } from './blocker.js';
import type { HeldLock } from './lock-order.js';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

/**
 * What spinlock and mutex have in common: one holder, first come first served outside the explored world.
 */
export abstract class ExclusiveLock implements Blocker, HeldLock {
  readonly name: string;
  readonly acquire: Op;
  readonly lockClass: number;
  readonly isIdle = false;
  protected readonly shared: Shared;
  protected owner: MachineThread | null = null;
  /** Threads that found the lock taken, in order of arrival. Null while there has been no contention. */
  #waiters: MachineThread[] | null = null;

  constructor(name: string, shared: Shared) {
    this.name = name;
    this.shared = shared;
    this.lockClass = shared.lockOrder.classOf(name);
    this.acquire = op(shared.objects.range(name, 1), Mode.ACQUIRE);
  }

  mustWait(thread: MachineThread): boolean {
    if (thread.announced !== this.acquire) {
      if (this.owner === thread) throw this.misused(thread, 'takes the lock that it holds already');
      if (thread.spend(Cost.LOCK_FAST) > thread.limit) return this.#announce(thread);
    }
    if (this.owner !== null || this.#isOthersTurn(thread)) return this.#enqueue(thread);
    thread.announced = 0;
    thread.blockedOn = null;
    this.owner = thread;
    if (this.#waiters !== null) this.#dequeue(thread);
    this.shared.lockOrder.taken(thread, this);
    this.shared.checking?.acquired(thread, this.acquire);
    this.entered(thread);
    return false;
  }

  release(thread: MachineThread): void {
    if (this.owner !== thread) throw this.misused(thread, 'releases a lock that it does not hold');
    this.leaving(thread);
    this.shared.lockOrder.released(thread, this);
    this.shared.checking?.released(thread, this.acquire);
    this.owner = null;
    const next = this.#waiters?.[0];
    if (next !== undefined) this.shared.becameRunnable(next, thread.clock, Cost.LOCK_WAIT);
  }

  isHeldBy(thread: MachineThread): boolean {
    return this.owner === thread;
  }

  canProceed(thread: MachineThread): boolean {
    return this.owner === null && !this.#isOthersTurn(thread);
  }

  holders(): readonly MachineThread[] {
    return this.owner === null ? [] : [this.owner];
  }

  /** The thread has got the lock. */
  protected abstract entered(thread: MachineThread): void;
  /** The thread is about to give the lock back. */
  protected abstract leaving(thread: MachineThread): void;

  protected misused(thread: MachineThread, what: string): InvariantViolation {
    return new InvariantViolation(`${thread.name} ${what}: ${this.name}.`, [
      `owner: ${this.owner?.name ?? 'none'}`,
    ]);
  }

  /** Stops before the acquisition. Only a search asks who could take the lock; time orders by itself. */
  #announce(thread: MachineThread): true {
    thread.announced = this.acquire;
    thread.blockedOn = this.shared.world === 'explored' ? this : null;
    return true;
  }

  #enqueue(thread: MachineThread): true {
    thread.blockedOn = this;
    thread.announced = this.acquire;
    this.#waiters ??= [];
    if (!this.#waiters.includes(thread)) {
      this.#waiters.push(thread);
      this.shared.probe?.lockContended(thread.id, this.acquire);
    }
    return true;
  }

  #dequeue(thread: MachineThread): void {
    const waiters = this.#waiters as MachineThread[];
    const index = waiters.indexOf(thread);
    if (index >= 0) waiters.splice(index, 1);
  }

  /** Hand-over goes to the first waiter; a search decides by itself. */
  #isOthersTurn(thread: MachineThread): boolean {
    const first = this.#waiters?.[0];
    return first !== undefined && first !== thread && this.shared.world !== 'explored';
  }
}
