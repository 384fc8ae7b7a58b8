import { MisuseError } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Case } from './case.js';
import type { Execution, MachineSchedule } from './execution.js';
import { runOnce } from './execution.js';
import { formatSchedule, parseSchedule } from './schedule-text.js';
import type { TraceStep } from './trace.js';
import { toTraceStep } from './trace.js';

/** How a replayed execution ended. */
export interface Replay {
  /** What was wrong, or null. */
  readonly fault: Execution['fault'];
  /** Every step, in words. */
  readonly trace: readonly TraceStep[];
  /** Final state, if the case has a digest of it. */
  readonly state: string | undefined;
  /** Names that were marked. */
  readonly marks: ReadonlySet<string>;
}

/** How to replay. */
export interface ReplayOptions {
  /** Steps after which the execution is too long. Default: the schedule must reach the end. */
  readonly maxSteps?: number;
}

/**
 * Runs one interleaving of a case again.
 *
 * @param schedule - thread ids, or their text as {@link formatSchedule} prints it
 * @throws MisuseError if the schedule does not fit the case: a thread that cannot run, too short, too long
 */
export function replay(
  subject: Case,
  schedule: string | readonly number[],
  options: ReplayOptions = {},
): Replay {
  const order = typeof schedule === 'string' ? parseSchedule(schedule) : schedule;
  const fixed = new FixedSchedule(order);
  const trace: TraceStep[] = [];
  const execution = runOnce(subject, fixed, {
    maxSteps: options.maxSteps ?? order.length + 1,
    onStep: (step, world) => trace.push(toTraceStep(step, world)),
  });
  if (fixed.rest.length > 0) {
    const steps = order.filter((thread) => thread > 0).length;
    throw new MisuseError(`The schedule has ${steps} steps, the execution ended after ${trace.length}.`, [
      `left over: ${formatSchedule(fixed.rest)}`,
    ]);
  }
  return { fault: execution.fault, trace, state: execution.world.state?.(), marks: execution.marks };
}

/** Chooses what it was given and refuses anything else. */
class FixedSchedule implements MachineSchedule {
  readonly #order: readonly number[];
  #step = 0;

  constructor(order: readonly number[]) {
    this.#order = order;
  }

  /** What was not chosen yet. */
  get rest(): readonly number[] {
    return this.#order.slice(this.#step);
  }

  overlap(_thread: MachineThread, others: readonly MachineThread[]): number {
    const wanted = -(this.#order[this.#step] ?? 0);
    if (wanted <= 0) return -1;
    const index = others.findIndex((thread) => thread.id === wanted);
    if (index >= 0) this.#step++;
    return index;
  }

  choose(enabled: readonly MachineThread[]): number {
    const can = enabled.map((thread) => `${thread.id} (${thread.name})`).join(', ');
    const wanted = this.#order[this.#step++];
    if (wanted === undefined) {
      throw new MisuseError(`The schedule ends after ${this.#order.length} steps, the execution does not.`, [
        `can run: ${can}`,
      ]);
    }
    const index = enabled.findIndex((thread) => thread.id === wanted);
    if (index >= 0) return index;
    throw new MisuseError(`The schedule does not fit at step ${this.#step}: thread ${wanted} cannot run.`, [
      `can run: ${can}`,
    ]);
  }
}
