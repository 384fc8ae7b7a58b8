import type { Op, RwLock } from '@epckit/interface';
import { Cost, InvariantViolation, Mode, op } from '@epckit/interface';
import type { Blocker } from './blocker.js';
import type { HeldLock } from './lock-order.js';
import { LockMeter } from './lock-statistics.js';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

interface Waiter {
  readonly thread: MachineThread;
  readonly isWriter: boolean;
}

/** Reader-writer lock; outside the explored world waiters are served in order of arrival. */
export class ModelRwLock implements RwLock, Blocker, HeldLock {
  readonly name: string;
  readonly acquireRead: Op;
  readonly acquireWrite: Op;
  readonly lockClass: number;
  readonly isIdle = false;
  readonly spins = false;
  readonly #shared: Shared;
  readonly #readers: MachineThread[] = [];
  readonly #waiters: Waiter[] = [];
  readonly #meter: LockMeter;
  #writer: MachineThread | null = null;
  /** What the order check was told when the writer took the lock. */
  #hold: HeldLock = this;

  constructor(name: string, shared: Shared) {
    this.name = name;
    this.#shared = shared;
    this.lockClass = shared.lockOrder.classOf(name);
    const object = shared.objects.range(name, 1);
    this.acquireRead = op(object, Mode.ACQUIRE_SHARED);
    this.acquireWrite = op(object, Mode.ACQUIRE);
    this.#meter = new LockMeter(name, shared);
  }

  mustWaitRead(thread: MachineThread): boolean {
    return this.#mustWait(thread, this.acquireRead, false);
  }

  mustWaitWrite(thread: MachineThread, isNested = false): boolean {
    return this.#mustWait(thread, this.acquireWrite, true, isNested);
  }

  releaseRead(thread: MachineThread): void {
    const readers = this.#readers;
    const index = readers.lastIndexOf(thread);
    if (index < 0) throw this.#misused(thread, 'releases a read lock that it does not hold');
    if (index === readers.length - 1) readers.pop();
    else readers.splice(index, 1);
    this.#released(thread, this.acquireRead);
  }

  releaseWrite(thread: MachineThread): void {
    if (this.#writer !== thread) throw this.#misused(thread, 'releases a write lock that it does not hold');
    this.#writer = null;
    this.#meter.released(thread);
    this.#released(thread, this.acquireWrite);
  }

  giveBack(thread: MachineThread): void {
    if (this.#writer === thread) this.releaseWrite(thread);
    else this.releaseRead(thread);
  }

  isHeldBy(thread: MachineThread): boolean {
    return this.#writer === thread || this.#readers.includes(thread);
  }

  canProceed(thread: MachineThread): boolean {
    return this.#isFree(thread, thread.announced === this.acquireWrite);
  }

  holders(): readonly MachineThread[] {
    return this.#writer === null ? this.#readers : [this.#writer];
  }

  #mustWait(thread: MachineThread, announcement: Op, isWriter: boolean, isNested = false): boolean {
    if (thread.spinDepth > 0) throw this.#misused(thread, 'takes a sleeping lock under a spinlock');
    if (thread.announced !== announcement) {
      if (this.isHeldBy(thread)) throw this.#misused(thread, 'takes the lock that it holds already');
      if (thread.spend(Cost.LOCK_FAST) > thread.limit)
        return this.#block(thread, announcement, isWriter, false);
    }
    if (!this.#isFree(thread, isWriter)) return this.#block(thread, announcement, isWriter, true);
    thread.announced = 0;
    thread.blockedOn = null;
    const hasWaited = this.#waiters.length > 0 && this.#dequeue(thread);
    if (isWriter) this.#writer = thread;
    else this.#readers.push(thread);
    this.#hold = isNested ? this.#nested() : this;
    this.#shared.lockOrder.taken(thread, this.#hold);
    this.#shared.checking?.acquired(thread, announcement);
    this.#meter.acquired(thread, announcement, hasWaited);
    return false;
  }

  #block(thread: MachineThread, announcement: Op, isWriter: boolean, isContended: boolean): true {
    thread.announced = announcement;
    // Who only stops before the acquisition arrives when its time comes; a search asks who could take the lock.
    thread.blockedOn = isContended || this.#shared.world === 'explored' ? this : null;
    if (isContended && !this.#waiters.some((waiter) => waiter.thread === thread)) {
      this.#waiters.push({ thread, isWriter });
      this.#meter.begins(thread, announcement);
    }
    return true;
  }

  #isFree(thread: MachineThread, isWriter: boolean): boolean {
    if (this.#writer !== null || (isWriter && this.#readers.length > 0)) return false;
    if (this.#shared.world === 'explored') return true;
    for (const waiter of this.#waiters) {
      if (waiter.thread === thread) return true;
      if (isWriter || waiter.isWriter) return false;
    }
    return true;
  }

  #released(thread: MachineThread, announcement: Op): void {
    this.#shared.lockOrder.released(thread, this.#hold);
    this.#shared.checking?.released(thread, announcement);
    for (const waiter of this.#waiters) {
      if (!this.#isFree(waiter.thread, waiter.isWriter)) break;
      // Readers at the head could go on before a reader left.
      if (announcement === this.acquireRead && !waiter.isWriter) break;
      this.#meter.waits(waiter.thread, thread.clock);
      this.#shared.becameRunnable(waiter.thread, thread.clock, Cost.LOCK_WAIT);
    }
  }

  /** The lock as the order check sees it while a lock of its class is held on purpose. */
  #nested(): HeldLock {
    const name = `${this.name}/1`;
    const lockClass = this.#shared.lockOrder.classOf(name);
    return { name, lockClass, giveBack: (thread) => this.giveBack(thread) };
  }

  #dequeue(thread: MachineThread): boolean {
    const index = this.#waiters.findIndex((waiter) => waiter.thread === thread);
    if (index >= 0) this.#waiters.splice(index, 1);
    return index >= 0;
  }

  #misused(thread: MachineThread, what: string): InvariantViolation {
    return new InvariantViolation(`${thread.name} ${what}: ${this.name}.`, [
      `writer: ${this.#writer?.name ?? 'none'}`,
      `readers: ${this.#readers.map((reader) => reader.name).join(', ') || 'none'}`,
    ]);
  }
}
