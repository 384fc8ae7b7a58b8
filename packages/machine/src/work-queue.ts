import type { Routine, Thread, WaitQueue } from '@epckit/interface';
import { Mode } from '@epckit/interface';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

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

/**
 * Work queue on top of a wait queue. Its list stands for what Linux changes under the pool's lock: each use is
 * indivisible and is reported to the checking mode, but is no point.
 */
export class ModelWorkQueue implements WorkQueue {
  readonly #waitQueue: WaitQueue;
  readonly #shared: Shared;
  readonly #object: number;
  readonly #works: Work[] = [];

  constructor(name: string, waitQueue: WaitQueue, shared: Shared) {
    this.#waitQueue = waitQueue;
    this.#shared = shared;
    this.#object = shared.objects.range(`list of ${name}`, 1);
  }

  queue(thread: MachineThread, work: Work): boolean {
    const isQueued = this.#works.includes(work);
    this.#uses(thread, isQueued ? Mode.READ : Mode.WRITE);
    if (isQueued) return false;
    this.#works.push(work);
    this.#waitQueue.wake(thread);
    return true;
  }

  *main(thread: MachineThread): Routine<never> {
    for (;;) {
      this.#waitQueue.prepare(thread);
      while (this.#isEmpty(thread)) {
        yield* this.#waitQueue.sleep(thread);
        this.#waitQueue.prepare(thread);
      }
      this.#waitQueue.finish(thread);
      this.#uses(thread, Mode.WRITE);
      const work = this.#works.shift() as Work;
      yield* work(thread);
    }
  }

  get length(): number {
    this.#shared.checking?.atomic(this.#object, Mode.READ);
    return this.#works.length;
  }

  #isEmpty(thread: MachineThread): boolean {
    this.#uses(thread, Mode.READ);
    return this.#works.length === 0;
  }

  #uses(thread: MachineThread, mode: typeof Mode.READ | typeof Mode.WRITE): void {
    const { checking } = this.#shared;
    checking?.touched(thread, this.#object, mode);
    if (mode === Mode.WRITE) checking?.changed();
  }
}
