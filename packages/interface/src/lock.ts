import type { Op, Routine, Thread } from './routine.js';

/**
 * Lock that one thread holds. Taken with
 *
 *     while (lock.mustWait(thread)) yield lock.acquire;
 *
 * which is a point before the acquisition and a wait if somebody else holds it. Releasing is a plain call and
 * never a point. Locks block, they never spin in the model.
 */
export interface Lock {
  /** Class name for the lock-order check and for reports. */
  readonly name: string;
  /** Op to yield while {@link mustWait} is true. */
  readonly acquire: Op;
  /** Takes the lock and returns false, or returns true: yield {@link acquire} and ask again. */
  mustWait(thread: Thread): boolean;
  /** @throws InvariantViolation if `thread` does not hold the lock */
  release(thread: Thread): void;
  /** Does `thread` hold it? For assertions. */
  isHeldBy(thread: Thread): boolean;
}

/** Lock whose section never sleeps and, outside the explored world, takes effect as a whole. */
export type SpinLock = Lock;
/** Lock whose holder may sleep. */
export type Mutex = Lock;

/** Reader-writer lock (the kernel's `rw_semaphore`); writers are not overtaken by later readers. */
export interface RwLock {
  /** Class name for the lock-order check and for reports. */
  readonly name: string;
  /** Op to yield while {@link mustWaitRead} is true. */
  readonly acquireRead: Op;
  /** Op to yield while {@link mustWaitWrite} is true. */
  readonly acquireWrite: Op;
  /** Takes the lock shared and returns false, or returns true: yield {@link acquireRead} and ask again. */
  mustWaitRead(thread: Thread): boolean;
  /**
   * Takes the lock alone and returns false, or returns true: yield {@link acquireWrite} and ask again.
   *
   * @param isNested - another lock of the same class is held, on purpose, as in fork: the order check takes this one
   * for a class of its own (Linux `down_write_nested`)
   */
  mustWaitWrite(thread: Thread, isNested?: boolean): boolean;
  /** @throws InvariantViolation if `thread` does not hold the lock shared */
  releaseRead(thread: Thread): void;
  /** @throws InvariantViolation if `thread` does not hold the lock alone */
  releaseWrite(thread: Thread): void;
  /** Does `thread` hold it shared or alone? For assertions. */
  isHeldBy(thread: Thread): boolean;
}

/**
 * Sleepable read-copy-update domain: read sections, and a wait for all sections that began before.
 *
 * Experimental: one package uses it.
 *
 * @experimental
 */
export interface Srcu {
  /** Class name for reports. */
  readonly name: string;
  /** Enters a read section; returns the index to leave with. Never blocks. */
  enter(thread: Thread): number;
  /** Leaves the read section. */
  leave(thread: Thread, index: number): void;
  /**
   * Waits until every read section that is open now has been left.
   *
   * @throws InvariantViolation inside a read section of the same domain: it could never end
   */
  synchronize(thread: Thread): Routine<void>;
}

/**
 * Shared number that is touched without a lock somewhere. Each use is announced:
 *
 *     if (thread.clock > thread.limit) yield free.reading;
 *     const count = free.read(thread);
 *
 * The checking mode throws on a use that was not announced.
 */
export interface SharedNumber {
  /** Name for reports. */
  readonly name: string;
  /** Op to yield before {@link read}. */
  readonly reading: Op;
  /** Op to yield before {@link write}. */
  readonly writing: Op;
  /** Op to yield before {@link add}. */
  readonly adding: Op;
  /** Current value. */
  read(thread: Thread): number;
  /** Replaces the value. */
  write(thread: Thread, value: number): void;
  /** Adds atomically without looking at the result. */
  add(thread: Thread, amount: number): void;
  /** Replaces the value atomically; announced by {@link writing}. @returns the value before */
  exchange(thread: Thread, value: number): number;
  /** Value outside any routine: reports and invariants only. */
  readonly value: number;
}

/** Reference count (`kref`); points before each operation as for {@link SharedNumber}. */
export interface RefCount {
  /** Name for reports. */
  readonly name: string;
  /** Op to yield before {@link get}. */
  readonly adding: Op;
  /** Op to yield before {@link getUnlessZero} and {@link put}. */
  readonly writing: Op;
  /** Takes a reference. @throws InvariantViolation at zero: the object is gone */
  get(thread: Thread): void;
  /** Takes a reference unless the count is zero (`kref_get_unless_zero`). */
  getUnlessZero(thread: Thread): boolean;
  /** Drops a reference; true for the last one. @throws InvariantViolation below zero */
  put(thread: Thread): boolean;
  /** Value outside any routine: reports and invariants only. */
  readonly value: number;
}

/**
 * Place to sleep until a condition holds (`wait_event`):
 *
 *     for (;;) {
 *       queue.prepare(thread);
 *       if (yield* condition(thread)) break;
 *       yield* queue.sleep(thread);
 *     }
 *     queue.finish(thread);
 *
 * A wake-up between `prepare` and `sleep` is not lost: `sleep` returns at once.
 *
 * Experimental: the daemon is the only sleeper.
 *
 * @experimental
 */
export interface WaitQueue {
  /** Name for reports. */
  readonly name: string;
  /** Registers the thread as a sleeper. Never a point. */
  prepare(thread: Thread): void;
  /** Sleeps until a wake-up that came after {@link prepare}. */
  sleep(thread: Thread): Routine<void>;
  /** The thread is no sleeper any more. */
  finish(thread: Thread): void;
  /** Wakes all sleepers. Never a point. @returns true if somebody slept */
  wake(thread: Thread): boolean;
}

/** Makes locks and lockless variables; given to packages that may not import an implementation. */
export interface LockFactory {
  /** A spinlock of class `name`. */
  spinLock(name: string): SpinLock;
  /** A mutex of class `name`. */
  mutex(name: string): Mutex;
  /** A reader-writer lock of class `name`. */
  rwLock(name: string): RwLock;
  /** An SRCU domain. */
  srcu(name: string): Srcu;
  /** A lockless shared number. */
  sharedNumber(name: string, initial: number): SharedNumber;
  /** A reference count. */
  refCount(name: string, initial: number): RefCount;
  /** A wait queue. */
  waitQueue(name: string): WaitQueue;
}
