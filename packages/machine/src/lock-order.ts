import { InvariantViolation } from '@epckit/interface';
import type { MachineThread } from './thread.js';

/** A lock as the order check sees it. */
export interface HeldLock {
  /** Class name: all enclave locks are one class. */
  readonly name: string;
  /** Class number. */
  readonly lockClass: number;
  /** `thread`, which holds it in whatever way, gives it back. */
  giveBack(thread: MachineThread): void;
}

const MAX_CLASSES = 64;

/**
 * Checks that lock classes are always nested in the same order (the kernel's lockdep, by class).
 *
 * Costs one table look-up per held lock and acquisition, so it is always on.
 */
export class LockOrder {
  readonly #names: string[] = [];
  readonly #follows = new Uint8Array(MAX_CLASSES * MAX_CLASSES);
  #maxNesting = 0;

  /** Number of the class `name`. */
  classOf(name: string): number {
    const known = this.#names.indexOf(name);
    if (known >= 0) return known;
    if (this.#names.length === MAX_CLASSES)
      throw new InvariantViolation('Too many lock classes.', [`limit ${MAX_CLASSES}`]);
    return this.#names.push(name) - 1;
  }

  /**
   * `thread` takes `lock`. @throws InvariantViolation if the order contradicts an earlier one
   *
   * @internal
   */
  taken(thread: MachineThread, lock: HeldLock): void {
    const held = thread.held;
    for (let i = 0; i < held.length; i++) {
      const outer = (held[i] as HeldLock).lockClass;
      if (this.#follows[outer * MAX_CLASSES + lock.lockClass] === 0)
        this.#learn(outer, lock.lockClass, thread);
    }
    held.push(lock);
    if (held.length > this.#maxNesting) this.#maxNesting = held.length;
  }

  /**
   * `thread` gives `lock` back.
   *
   * @internal
   */
  released(thread: MachineThread, lock: HeldLock): void {
    const held = thread.held;
    const last = held.length - 1;
    if (held[last] === lock) {
      held.pop();
      return;
    }
    const index = held.indexOf(lock);
    if (index < 0)
      throw new InvariantViolation(`${thread.name} releases ${lock.name} without holding it.`, []);
    held.splice(index, 1);
  }

  /** Nestings seen so far, outer class first. */
  pairs(): [string, string][] {
    const seen: [string, string][] = [];
    this.#names.forEach((outer, a) => {
      this.#names.forEach((inner, b) => {
        if (this.#follows[a * MAX_CLASSES + b] === 1) seen.push([outer, inner]);
      });
    });
    return seen;
  }

  /** Most locks that one thread has held at once. */
  get maxNesting(): number {
    return this.#maxNesting;
  }

  #learn(outer: number, inner: number, thread: MachineThread): void {
    if (outer === inner || this.#reaches(inner, outer, new Set())) {
      throw new InvariantViolation('Locks are nested in contradicting orders.', [
        `${thread.name} takes ${this.#names[inner]} while holding ${this.#names[outer]}`,
        `held: ${thread.held.map((lock) => lock.name).join(', ')}`,
        `seen before: ${this.pairs()
          .map(([a, b]) => `${a} > ${b}`)
          .join(', ')}`,
      ]);
    }
    this.#follows[outer * MAX_CLASSES + inner] = 1;
  }

  #reaches(from: number, to: number, visited: Set<number>): boolean {
    if (this.#follows[from * MAX_CLASSES + to] === 1) return true;
    visited.add(from);
    for (let next = 0; next < this.#names.length; next++) {
      const follows = this.#follows[from * MAX_CLASSES + next] === 1;
      if (follows && !visited.has(next) && this.#reaches(next, to, visited)) return true;
    }
    return false;
  }
}
