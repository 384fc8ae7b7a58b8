import type { LeafOverlaps, Routine, Schedule, ScheduleStep } from '@epckit/interface';
import { InvariantViolation, Mode, opMode } from '@epckit/interface';
import type { Checking, Touch } from './checking.js';
import { allWaitForChange, describeDeadlock } from './deadlock.js';
import type { MachineThread } from './thread.js';
import type { Shared } from './world.js';

/** A finished step, as a search sees it. */
export interface ExploredStep extends ScheduleStep {
  /** What the step has touched, by object. Valid until the next step. */
  readonly footprint: ReadonlyMap<number, Touch>;
  /** Locks given back that an earlier step had taken. Valid until the next step. */
  readonly freed: ReadonlySet<number>;
}

/** What went wrong in an execution. */
export type FailureKind = 'violation' | 'race' | 'deadlock' | 'no-progress';

/** How an execution ended. */
export interface ExecutionResult {
  /** `done`: all threads ended or idle; `stuck`: nobody can go on; `failed`: something threw; `bound`: too long. */
  readonly status: 'done' | 'stuck' | 'failed' | 'bound' | 'abandoned';
  /** Kind of {@link error}. */
  readonly kind?: FailureKind;
  /** What went wrong. */
  readonly error?: Error;
  /** Number of steps. */
  readonly steps: number;
}

/** Limits and observer of an execution. */
export interface ExecutionOptions {
  /** Steps after which the execution is given up. */
  readonly maxSteps: number;
  /** Called after each step, also after one that failed. */
  readonly onStep?: (step: ExploredStep) => void;
}

/** Chooses `-1` to abandon the execution: a search knows that it leads to nothing new. */
export const ABANDON = -1;

/** Explored world: every point stops and a schedule chooses who goes on. */
export class ExploredDriver {
  readonly #shared: Shared;
  readonly #threads: () => readonly MachineThread[];
  readonly #overlaps: () => LeafOverlaps | null;

  constructor(shared: Shared, threads: () => readonly MachineThread[], overlaps: () => LeafOverlaps | null) {
    this.#shared = shared;
    this.#threads = threads;
    this.#overlaps = overlaps;
  }

  /** Runs all threads that have a routine under `schedule`, whose own errors are passed on. */
  run(schedule: Schedule, options: ExecutionOptions): ExecutionResult {
    const checking = this.#shared.checking;
    if (checking === null) throw new InvariantViolation('The explored world needs the checking mode.');
    checking.reset();
    checking.isActive = true;
    this.#shared.progress.reset();
    this.#shared.progress.isWaiting = true;
    this.#shared.world = 'explored';
    try {
      return this.#runSteps(schedule, options);
    } finally {
      checking.isActive = false;
      checking.current = null;
      this.#shared.progress.isWaiting = false;
      this.#shared.world = 'direct';
    }
  }

  #steps = 0;
  /** Thread whose leaf ran beside the step before: it ends now. */
  #ending: MachineThread | null = null;

  #runSteps(schedule: Schedule, options: ExecutionOptions): ExecutionResult {
    this.#steps = 0;
    this.#ending = null;
    for (;;) {
      const ending: MachineThread | null = this.#ending;
      const enabled = ending === null ? this.#threads().filter((thread) => thread.isEnabled) : [ending];
      if (enabled.length === 0) return this.#end();
      if (this.#steps === options.maxSteps) return { status: 'bound', steps: this.#steps };
      const pending = enabled.map((thread) => thread.pending);
      const choice = schedule.choose(enabled, pending);
      if (choice === ABANDON) return { status: 'abandoned', steps: this.#steps };
      const thread = enabled[choice];
      if (thread === undefined)
        throw new InvariantViolation(`The schedule chose ${choice} of ${enabled.length}.`);
      this.#ending = this.#overlapping(thread, enabled, schedule);
      const failure = this.#step(thread, enabled, options);
      if (failure !== null) return failure;
    }
  }

  /** Thread whose leaf has begun and still runs while `thread` executes its own, if the schedule wants that. */
  #overlapping(
    thread: MachineThread,
    enabled: readonly MachineThread[],
    schedule: Schedule,
  ): MachineThread | null {
    const overlaps = this.#overlaps();
    if (overlaps === null || schedule.overlap === undefined || !isAtLeaf(thread)) return null;
    const others = enabled.filter((other) => {
      return other.cpu !== thread.cpu && isAtLeaf(other) && overlaps.refuses(other.cpu, thread.cpu);
    });
    if (others.length === 0) return null;
    const choice = schedule.overlap(thread, others);
    return choice < 0 ? null : (others[choice] as MachineThread);
  }

  /** @returns how the execution ended, or null if it goes on */
  #step(
    thread: MachineThread,
    enabled: readonly MachineThread[],
    options: ExecutionOptions,
  ): ExecutionResult | null {
    const { checking, progress } = this.#shared as Shared & { checking: NonNullable<Shared['checking']> };
    const announced = thread.pending;
    checking.beginStep(thread);
    progress.resumed(thread);
    thread.limit = -1;
    this.#steps++;
    this.#shared.running = thread;
    const { cpu: running, id: overlapped } = this.#ending ?? { cpu: -1, id: 0 };
    if (overlapped !== 0) this.#overlaps()?.begin(running);
    const failure = this.#resume(thread, checking);
    if (overlapped !== 0) this.#overlaps()?.end(running);
    this.#shared.running = null;
    checking.current = null;
    options.onStep?.({
      thread: thread.id,
      op: announced,
      enabled: enabled.map((other) => other.id),
      overlapped,
      footprint: checking.footprint,
      freed: checking.freed,
    });
    return failure;
  }

  #resume(thread: MachineThread, checking: Checking): ExecutionResult | null {
    try {
      const step = (thread.routine as Routine<unknown>).next();
      if (step.done === true) thread.routine = null;
      else thread.pending = step.value;
      return null;
    } catch (error) {
      thread.routine = null;
      const kind = checking.hasRace ? 'race' : 'violation';
      return { status: 'failed', kind, error: error as Error, steps: this.#steps };
    }
  }

  #end(): ExecutionResult {
    const threads = this.#threads();
    const isStuck = threads.some((thread) => thread.routine !== null && thread.blockedOn?.isIdle !== true);
    if (!isStuck) return { status: 'done', steps: this.#steps };
    const kind = allWaitForChange(threads) ? 'no-progress' : 'deadlock';
    return { status: 'stuck', kind, error: describeDeadlock(threads), steps: this.#steps };
  }
}

function isAtLeaf(thread: MachineThread): boolean {
  return thread.pending !== 0 && opMode(thread.pending) === Mode.LEAF;
}
