import type { Routine, Thread, WaitQueue } from '@epckit/interface';

/** Makes the routine that performs one piece of work on the worker's thread. */
export type Work = (thread: Thread) => Routine<void>;

/**
 * Work queue (`struct workqueue_struct` with one worker): work is performed in order of queueing on the thread
 * that runs {@link main}. Work that is queued already and has not begun is not queued twice.
 */
export interface WorkQueue {
  /** Queues work and wakes the worker. Never a point. @returns false if it was queued already */
  queue(thread: Thread, work: Work): boolean;
  /** The worker's main loop; never returns. */
  main(thread: Thread): Routine<never>;
  /** Pieces of work that have not begun. */
  readonly length: number;
}

/** Work queue on top of a wait queue. */
export class ModelWorkQueue implements WorkQueue {
  readonly #waitQueue: WaitQueue;
  readonly #works: Work[] = [];

  constructor(waitQueue: WaitQueue) {
    this.#waitQueue = waitQueue;
  }

  queue(thread: Thread, work: Work): boolean {
    if (this.#works.includes(work)) return false;
    this.#works.push(work);
    this.#waitQueue.wake(thread);
    return true;
  }

  *main(thread: Thread): Routine<never> {
    for (;;) {
      this.#waitQueue.prepare(thread);
      while (this.#works.length === 0) {
        yield* this.#waitQueue.sleep(thread);
        this.#waitQueue.prepare(thread);
      }
      this.#waitQueue.finish(thread);
      const work = this.#works.shift() as Work;
      yield* work(thread);
    }
  }

  get length(): number {
    return this.#works.length;
  }
}
