import type { Op, Thread } from './routine.js';

/**
 * Chooses who runs next: the seam through which tests, replay and searches impose an order.
 *
 * The explored world asks it after every stop; the other worlds choose by themselves. Everything it sees is a
 * function of earlier choices.
 */
export interface Schedule {
  /** A new execution begins: a search asks, the machine does not. @returns false: no further execution is wanted */
  begin(): boolean;
  /**
   * Chooses among the threads that can run.
   *
   * @param enabled threads that can make a step, ascending by id, at least one
   * @param pending what each of them is about to do, same index
   * @returns index into `enabled`; `-1` abandons the execution, because it leads to nothing new
   */
  choose(enabled: readonly Thread[], pending: readonly Op[]): number;
}

/** One step of a schedule: a thread ran from one point to the next. */
export interface ScheduleStep {
  /** Thread that ran. */
  readonly thread: number;
  /** What it had announced. */
  readonly op: Op;
  /** Ids of all threads that could have run. */
  readonly enabled: readonly number[];
}
