import type { Lock, LockFactory, Routine, RwLock, Thread, WaitQueue } from '@epckit/interface';
import { InvariantViolation, Mode, op } from '@epckit/interface';
import { nextObject } from './plain-thread.js';

/** A lock as simple as the contract allows. */
export class PlainLock implements Lock {
  readonly name: string;
  readonly acquire = op(nextObject(), Mode.ACQUIRE);
  protected owner: Thread | null = null;

  constructor(name: string) {
    this.name = name;
  }

  mustWait(thread: Thread): boolean {
    if (this.owner !== null) return true;
    this.owner = thread;
    return false;
  }

  release(thread: Thread): void {
    if (this.owner !== thread) throw new InvariantViolation('not the owner');
    this.owner = null;
  }

  isHeldBy(thread: Thread): boolean {
    return this.owner === thread;
  }
}

/** A reader-writer lock that remembers waiting writers. */
export class PlainRwLock implements RwLock {
  readonly name: string;
  readonly acquireRead: number;
  readonly acquireWrite: number;
  protected readonly readers: Thread[] = [];
  protected readonly waiting = new Set<Thread>();
  protected writer: Thread | null = null;

  constructor(name: string) {
    this.name = name;
    const object = nextObject();
    this.acquireRead = op(object, Mode.ACQUIRE_SHARED);
    this.acquireWrite = op(object, Mode.ACQUIRE);
  }

  mustWaitRead(thread: Thread): boolean {
    if (this.writer !== null || this.waiting.size > 0) return true;
    this.readers.push(thread);
    return false;
  }

  mustWaitWrite(thread: Thread): boolean {
    this.waiting.add(thread);
    if (this.writer !== null || this.readers.length > 0) return true;
    this.waiting.delete(thread);
    this.writer = thread;
    return false;
  }

  releaseRead(thread: Thread): void {
    const index = this.readers.indexOf(thread);
    if (index < 0) throw new InvariantViolation('not a reader');
    this.readers.splice(index, 1);
  }

  releaseWrite(thread: Thread): void {
    if (this.writer !== thread) throw new InvariantViolation('not the writer');
    this.writer = null;
    // Who still waits asks again.
    this.waiting.clear();
  }

  isHeldBy(thread: Thread): boolean {
    return this.writer === thread || this.readers.includes(thread);
  }
}

/** A wait queue. */
export class PlainWaitQueue implements WaitQueue {
  readonly name: string;
  /** Sleepers, and whether they were woken. */
  protected readonly sleepers = new Map<Thread, boolean>();
  protected readonly asleep = new Set<Thread>();

  constructor(name: string) {
    this.name = name;
  }

  prepare(thread: Thread): void {
    this.sleepers.set(thread, false);
  }

  *sleep(thread: Thread): Routine<void> {
    this.asleep.add(thread);
    while (this.sleepers.get(thread) !== true) yield 0;
    this.asleep.delete(thread);
  }

  finish(thread: Thread): void {
    this.sleepers.delete(thread);
    this.asleep.delete(thread);
  }

  wake(_thread: Thread): boolean {
    const slept = [...this.sleepers].some(([thread, isWoken]) => !isWoken && this.asleep.has(thread));
    for (const thread of this.sleepers.keys()) this.sleepers.set(thread, true);
    return slept;
  }
}

/** Constructors of the classes under test. */
export interface LockClasses {
  readonly Lock: new (name: string) => Lock;
  readonly RwLock: new (name: string) => RwLock;
  readonly WaitQueue: new (name: string) => WaitQueue;
}

/** A factory of plain locks, some of which may be replaced. */
export function plainLocks(classes: Partial<LockClasses> = {}): LockFactory {
  const LockClass = classes.Lock ?? PlainLock;
  const RwLockClass = classes.RwLock ?? PlainRwLock;
  const QueueClass = classes.WaitQueue ?? PlainWaitQueue;
  const notUsed = (): never => {
    throw new Error('no kit uses it');
  };
  return {
    spinLock: (name) => new LockClass(name),
    mutex: (name) => new LockClass(name),
    rwLock: (name) => new RwLockClass(name),
    waitQueue: (name) => new QueueClass(name),
    srcu: notUsed,
    sharedNumber: notUsed,
    refCount: notUsed,
  };
}
