import type { CpuId } from './ids.js';
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
  /**
   * The chosen `thread` is about to execute a leaf, and each of `others` one that would refuse it if it had begun
   * before and still ran. A schedule without this method never lets leaves overlap.
   *
   * @param others threads that can run, at least one; the one that is chosen ends its leaf in the next step
   * @returns index into `others`, or `-1`: the leaves follow each other
   */
  overlap?(thread: Thread, others: readonly Thread[]): number;
}

/**
 * Leaves that are announced ({@link SgxHardware.leafAt}) and not executed yet, for worlds in which a leaf takes time.
 */
export interface LeafOverlaps {
  /** Would the announced leaf of `running`, had it begun, refuse the announced leaf of `cpu`? */
  refuses(running: CpuId, cpu: CpuId): boolean;
  /** The announced leaf of `running` begins: it holds what it needs, and has no effect yet. */
  begin(running: CpuId): void;
  /** Gives back what {@link begin} took. */
  end(running: CpuId): void;
}

/** One step of a schedule: a thread ran from one point to the next. */
export interface ScheduleStep {
  /** Thread that ran. */
  readonly thread: number;
  /** What it had announced. */
  readonly op: Op;
  /** Ids of all threads that could have run. */
  readonly enabled: readonly number[];
  /** Thread whose leaf ran meanwhile, `0` for none. */
  readonly overlapped: number;
}
