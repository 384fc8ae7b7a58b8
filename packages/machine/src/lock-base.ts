import type { Op } from '@epckit/interface';
import { Cost, InvariantViolation, Mode, op } from '@epckit/interface';
import type { Blocker } from './blocker.js';
import type { HeldLock } from './lock-order.js';
import { LockMeter } from './lock-statistics.js';
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
  abstract readonly spins: boolean;
  protected readonly shared: Shared;
  protected owner: MachineThread | null = null;
  /** Threads that found the lock taken, in order of arrival. Null while there has been no contention. */
  #waiters: MachineThread[] | null = null;
  protected readonly meter: LockMeter;

  constructor(name: string, shared: Shared) {
    this.name = name;
    this.shared = shared;
    this.lockClass = shared.lockOrder.classOf(name);
    this.acquire = op(shared.objects.range(name, 1), Mode.ACQUIRE);
    this.meter = new LockMeter(name, shared);
  }

  mustWait(thread: MachineThread): boolean {
    if (thread.announced !== this.acquire) {
      if (this.owner === thread) throw this.misused(thread, 'takes the lock that it holds already');
      if (thread.spend(Cost.LOCK_FAST) > thread.limit) return this.#announce(thread);
    }
    if (this.#mustQueue(thread)) return this.#enqueue(thread);
    thread.announced = 0;
    thread.blockedOn = null;
    this.owner = thread;
    const hasWaited = this.#waiters !== null && this.#dequeue(thread);
    this.shared.lockOrder.taken(thread, this);
    this.shared.checking?.acquired(thread, this.acquire);
    this.entered(thread);
    this.meter.acquired(thread, this.acquire, hasWaited);
    return false;
  }

  release(thread: MachineThread): void {
    if (this.owner !== thread) throw this.misused(thread, 'releases a lock that it does not hold');
    this.meter.released(thread);
    this.leaving(thread);
    this.shared.lockOrder.released(thread, this);
    this.shared.checking?.released(thread, this.acquire);
    this.owner = null;
    const next = this.#waiters?.[0];
    if (next !== undefined) this.#handOver(next, thread.clock);
  }

  giveBack(thread: MachineThread): void {
    this.release(thread);
  }

  isHeldBy(thread: MachineThread): boolean {
    return this.owner === thread;
  }

  canProceed(thread: MachineThread): boolean {
    return this.owner === null && this.freeAt <= thread.clock && !this.#isOthersTurn(thread);
  }

  holders(): readonly MachineThread[] {
    return this.owner === null ? [] : [this.owner];
  }

  /** Time from which on the lock can be taken: that of the last section. Mutexes are free when nobody has them. */
  protected get freeAt(): number {
    return Number.NEGATIVE_INFINITY;
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

  /**
   * Has the thread to stop and wait? Within another section it cannot stop, and it need not if nobody else comes
   * before the lock is free: then it waits where it is.
   */
  #mustQueue(thread: MachineThread): boolean {
    if (this.owner !== null) return true;
    if (this.shared.world === 'timed' && thread.spinDepth > 0) return false;
    if (this.#isOthersTurn(thread)) return true;
    const { freeAt } = this;
    return freeAt > thread.clock && (freeAt > thread.limit || this.#waiters?.[0] === thread);
  }

  #enqueue(thread: MachineThread): true {
    thread.blockedOn = this;
    thread.announced = this.acquire;
    this.#waiters ??= [];
    if (!this.#waiters.includes(thread)) {
      this.#waiters.push(thread);
      this.meter.begins(thread, this.acquire);
    }
    // The section before has been executed: its end is known.
    if (this.owner === null && this.#waiters[0] === thread) this.#handOver(thread, this.freeAt);
    return true;
  }

  #handOver(next: MachineThread, time: number): void {
    this.meter.waits(next, time);
    this.shared.becameRunnable(next, time, Cost.LOCK_WAIT);
  }

  #dequeue(thread: MachineThread): boolean {
    const waiters = this.#waiters as MachineThread[];
    const index = waiters.indexOf(thread);
    if (index >= 0) waiters.splice(index, 1);
    return index >= 0;
  }

  /** Hand-over goes to the first waiter; a search decides by itself. */
  #isOthersTurn(thread: MachineThread): boolean {
    const first = this.#waiters?.[0];
    return first !== undefined && first !== thread && this.shared.world !== 'explored';
  }
}
