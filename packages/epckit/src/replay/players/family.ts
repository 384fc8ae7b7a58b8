import type { StepObject } from '../step.js';
import type { PlayContext } from './context.js';

/** Result of an operation: keys of the step's record. */
export type Played = Record<string, unknown>;

/** One operation of scripts. */
export interface Operation {
  /**
   * Keys that it understands besides `op`. A step with another key is not played: a key that is ignored would
   * change what the step does.
   */
  readonly keys: readonly string[];
  /** Performs a step. */
  play(context: PlayContext, step: StepObject): Played;
}

/** Operations of one kind by name. */
export type Family = Readonly<Record<string, Operation>>;

/** Keys of every step that a process performs on a CPU for an enclave. */
export const CALL_KEYS = ['encl', 'cpu', 'proc'] as const;
