import type { LockFactory, Op, SharedNumber, Thread } from '@epckit/interface';
import { MisuseError } from '@epckit/interface';

/**
 * Lockless number with the operations of `atomic64_t` that `SharedNumber` lacks: an addition that returns the
 * result, and compare-and-exchange.
 *
 * Both are one use of the shared number, announced by {@link writing}, so that the checking mode throws on an
 * unannounced one. Between the look at the value and the exchange there is no point, hence they are indivisible.
 *
 * A 64-bit counter of Linux, held as a number: exact up to 2⁵³, beyond which {@link addAndGet} refuses to go.
 */
export class AtomicNumber {
  readonly #number: SharedNumber;

  constructor(name: string, initial: number, locks: LockFactory) {
    this.#number = locks.sharedNumber(name, initial);
  }

  /** Op to yield before {@link read}. */
  get reading(): Op {
    return this.#number.reading;
  }

  /** Op to yield before {@link write}, {@link addAndGet} and {@link compareAndSet}. */
  get writing(): Op {
    return this.#number.writing;
  }

  /** Op to yield before {@link add}. */
  get adding(): Op {
    return this.#number.adding;
  }

  /** Value outside any routine: reports and invariants only. */
  get value(): number {
    return this.#number.value;
  }

  /** Current value. */
  read(thread: Thread): number {
    return this.#number.read(thread);
  }

  /** Replaces the value. */
  write(thread: Thread, value: number): void {
    this.#number.write(thread, value);
  }

  /** Adds without looking at the result: commutes with other additions. */
  add(thread: Thread, amount: number): void {
    this.#number.add(thread, amount);
  }

  /** Adds and returns the new value. @throws MisuseError beyond ±2⁵³, where numbers are not exact any more */
  addAndGet(thread: Thread, amount: number): number {
    const next = this.#number.value + amount;
    if (!Number.isSafeInteger(next)) {
      throw new MisuseError(`The counter '${this.#number.name}' would leave the range of exact numbers.`, [
        `value: ${this.#number.value}`,
        `addition: ${amount}`,
        `largest: ${Number.MAX_SAFE_INTEGER}`,
      ]);
    }
    this.#number.exchange(thread, next);
    return next;
  }

  /** Replaces `expected` by `value`; false, and nothing changes, if the value is another one by now. */
  compareAndSet(thread: Thread, expected: number, value: number): boolean {
    const isExpected = this.#number.value === expected;
    this.#number.exchange(thread, isExpected ? value : this.#number.value);
    return isExpected;
  }
}
