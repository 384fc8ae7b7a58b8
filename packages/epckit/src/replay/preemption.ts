import { MisuseError } from '@epckit/interface';
import type { Interposer, Machine, MachineThread } from '@epckit/machine';
import type { Recorder } from './recorder.js';
import type { ScriptStep } from './script.js';
import type { StepObject } from './step.js';
import { integer, text } from './step.js';

/** Keys of the operation `preempt`. */
export const PREEMPT_KEYS: readonly string[] = ['after', 'n', 'steps'];

/**
 * Lets other steps run in the middle of a step: at the first moment at which no lock is held after the n-th call
 * of a leaf (or round of IPIs).
 */
export class Preemption implements Interposer {
  /** Steps that run then. */
  readonly steps: readonly ScriptStep[];
  readonly #after: string;
  readonly #machine: Machine;
  readonly #recorder: Recorder;
  readonly #play: (step: ScriptStep) => void;
  #callsLeft: number;
  #hasRun = false;

  constructor(step: StepObject, machine: Machine, recorder: Recorder, play: (step: ScriptStep) => void) {
    this.steps = stepsOf(step);
    this.#after = text(step, 'after');
    this.#callsLeft = integer(step, 'n', 1);
    this.#machine = machine;
    this.#recorder = recorder;
    this.#play = play;
  }

  /** Runs `step` under the preemption. @returns whether the moment came */
  during(step: () => void): boolean {
    this.#machine.interposer = this;
    this.#recorder.onCall = (name) => {
      if (name === this.#after) this.#callsLeft--;
    };
    try {
      step();
    } finally {
      this.#disarm();
    }
    return this.#hasRun;
  }

  atPoint(thread: MachineThread): void {
    if (this.#callsLeft > 0 || thread.held.length > 0) return;
    this.#hasRun = true;
    this.#disarm();
    for (const step of this.steps) this.#play(step);
  }

  #disarm(): void {
    this.#machine.interposer = null;
    this.#recorder.onCall = null;
  }
}

function stepsOf(step: StepObject): readonly ScriptStep[] {
  const { steps } = step;
  if (Array.isArray(steps)) return steps as readonly ScriptStep[];
  throw new MisuseError("'steps' of step 'preempt' must be a list of steps.");
}
