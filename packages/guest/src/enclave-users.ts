import type { LockFactory, Mutex, Routine, Thread, WaitQueue } from '@epckit/interface';

/**
 * Threads of a program that use its enclave. After a loss of EPC each of them comes here; when nobody uses the enclave
 * any more, one builds it again, the others wait, and then all go on.
 */
export class EnclaveUsers {
  readonly #lock: Mutex;
  readonly #changes: WaitQueue;
  readonly #isHalted: () => boolean;
  readonly #users = new Set<Thread>();
  #isBuilding = false;
  /** How often it was built again. */
  #generation = 0;

  /**
   * @param name - of the program, for reports
   * @param isHalted - asked by who waits: is there nobody left to wait for, because the guest was stopped?
   */
  constructor(locks: Pick<LockFactory, 'mutex' | 'waitQueue'>, name: string, isHalted: () => boolean) {
    this.#lock = locks.mutex('guest program');
    this.#changes = locks.waitQueue(`users of the enclave of ${name}`);
    this.#isHalted = isHalted;
  }

  /** The thread uses the enclave from now on; it waits while somebody builds it again. @returns false: halted */
  join(thread: Thread): Routine<boolean> {
    return this.#wait(thread, () => {
      if (!this.#isBuilding) this.#users.add(thread);
      return !this.#isBuilding;
    });
  }

  /** The thread does not use the enclave any more, if it did. */
  leave(thread: Thread): Routine<void> {
    return this.#change(thread, () => void this.#users.delete(thread));
  }

  /**
   * The thread has found the enclave lost. It leaves, and is a user of the next enclave at the end.
   *
   * @param build - gives the lost enclave up and builds the next; called if this is the thread that does it
   * @returns false: halted; the thread has left
   */
  *rebuild(thread: Thread, build: () => Routine<void>): Routine<boolean> {
    const lost = this.#generation;
    yield* this.leave(thread);
    let isBuilder = false;
    const goesOn = yield* this.#wait(thread, () => {
      if (this.#isBuilding) return false;
      isBuilder = this.#generation === lost;
      // Somebody has not noticed yet.
      if (isBuilder && this.#users.size > 0) return false;
      if (isBuilder) this.#isBuilding = true;
      else this.#users.add(thread);
      return true;
    });
    if (!goesOn || !isBuilder) return goesOn;
    let isBuilt = false;
    try {
      yield* build();
      isBuilt = true;
    } finally {
      yield* this.#change(thread, () => {
        this.#isBuilding = false;
        if (!isBuilt) return;
        this.#generation++;
        this.#users.add(thread);
      });
    }
    return true;
  }

  /** Sleeps until `claim`, called under the lock, says that the thread may go on. @returns false: halted */
  *#wait(thread: Thread, claim: () => boolean): Routine<boolean> {
    let isClaimed = false;
    for (;;) {
      this.#changes.prepare(thread);
      while (this.#lock.mustWait(thread)) yield this.#lock.acquire;
      isClaimed = claim();
      this.#lock.release(thread);
      if (isClaimed || this.#isHalted()) break;
      yield* this.#changes.sleep(thread);
    }
    this.#changes.finish(thread);
    return isClaimed;
  }

  /** Changes state, and wakes who waits for that. */
  *#change(thread: Thread, change: () => void): Routine<void> {
    while (this.#lock.mustWait(thread)) yield this.#lock.acquire;
    change();
    this.#lock.release(thread);
    this.#changes.wake(thread);
  }
}
