import type { CostKey } from './cost.js';
import type { CpuId, MmId, NodeId, ThreadId } from './ids.js';

/**
 * What a routine is about to do: `object * 8 + mode`, a small integer without allocation.
 *
 * Objects are dense numbers given out by an {@link ObjectRegistry}.
 */
export type Op = number;

/** How the object of an {@link Op} is about to be touched. */
export const Mode = {
  /** read of a variable that is shared without a lock */
  READ: 0,
  /** write of such a variable */
  WRITE: 1,
  /** addition whose result nobody looks at: commutes with other additions */
  ADD: 2,
  /** take a lock alone */
  ACQUIRE: 3,
  /** take a lock for reading */
  ACQUIRE_SHARED: 4,
  /** sleep until a condition on the object holds */
  WAIT: 5,
  /** execute an SGX leaf on the page that the object stands for */
  LEAF: 6,
} as const;
/** Value of {@link Mode}. */
export type ModeId = (typeof Mode)[keyof typeof Mode];

/** Builds an {@link Op}; pure arithmetic. */
export function op(object: number, mode: ModeId): Op {
  return object * 8 + mode;
}
/** Object of an {@link Op}. */
export function opObject(value: Op): number {
  return Math.floor(value / 8);
}
/** Mode of an {@link Op}. */
export function opMode(value: Op): ModeId {
  return (value % 8) as ModeId;
}

/**
 * A routine of the manager that another CPU could interrupt. It is written once and runs in every world.
 *
 * It stops only at points, by yielding what it is about to do; whoever drives it resumes it with `next()`.
 */
export type Routine<T> = Generator<Op, T, void>;

/**
 * The thread that executes a routine (the kernel's `current`): clock, CPU, signals.
 *
 * The idiom of a point, the same in all worlds:
 *
 *     if (thread.spend(Cost.EWB) > thread.limit) yield hardware.leafAt(page);
 *
 * Only the driver writes `limit`: far away (direct), the next event of another CPU (timed), or below every
 * clock (explored), in which case every point stops.
 */
export interface Thread {
  /** Dense id, `0` is never used. */
  readonly id: ThreadId;
  /** Name for reports, such as `ksgxd`. */
  readonly name: string;
  /** CPU that the thread runs on. */
  readonly cpu: CpuId;
  /** Node of {@link cpu}. */
  readonly node: NodeId;
  /** Address space, or `-1` for a kernel thread. */
  readonly mm: MmId;
  /** Virtual time in cycles. */
  readonly clock: number;
  /** A point stops when {@link clock} is beyond this. */
  readonly limit: number;
  /** Is a signal pending? Announced by the caller through {@link signalReading}. */
  readonly signalPending: boolean;
  /** Op to yield before looking at {@link signalPending}. */
  readonly signalReading: Op;
  /** Advances the clock by the table's cycles for `key` and returns the new clock. */
  spend(key: CostKey): number;
  /** Advances the clock by `cycles`, charged to `key`, and returns the new clock. */
  spendCycles(key: CostKey, cycles: number): number;
  /**
   * Marks one turn of a loop without a static bound. `key` tells turns apart (a node id, a page).
   *
   * @returns true if the same turn was made before and nothing has changed since: the caller yields
   * {@link changeWaiting} and so waits for a change. Never true outside the explored world, where the driver
   * ends a loop that makes no progress.
   */
  turn(site: string, key: number): boolean;
  /** Op to yield when {@link turn} says that nothing can have changed. */
  readonly changeWaiting: Op;
}

/**
 * Gives out object numbers for ops and cells.
 */
export interface ObjectRegistry {
  /** Reserves `count` objects of one kind and returns the first. Names are `kind` or `kind[i]`. */
  range(kind: string, count: number): number;
  /** Name of an object for reports. */
  nameOf(object: number): string;
}

/**
 * Sees every access to shared state when the checking mode is on; packages hold `null` otherwise.
 *
 * `read` and `write` are ordinary accesses: two of them from different threads, one a write, must be ordered
 * by locks or announced operations, else the checking mode reports a race. `atomic` is an access that the
 * hardware makes indivisible (leaf on the EPCM, PTE update, announced lockless variable); it is never a race
 * but always part of what a step has touched, so that a search knows which steps commute.
 */
export interface AccessMonitor {
  /** An ordinary read of `object`. */
  read(object: number): void;
  /** An ordinary write of `object`. */
  write(object: number): void;
  /** An indivisible access of `object`; `ADD` means that its result is not looked at. */
  atomic(object: number, mode: typeof Mode.READ | typeof Mode.WRITE | typeof Mode.ADD): void;
}
