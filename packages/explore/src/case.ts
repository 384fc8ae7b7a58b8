import type { Op } from '@epckit/interface';
import type { Machine } from '@epckit/machine';

/** Notes that the current execution has reached a named place. */
export type Mark = (name: string) => void;

/** One fresh world, built by {@link Case.setup}; an execution uses it up. */
export interface World {
  /** Machine in checking mode whose started threads are interleaved. */
  readonly machine: Machine;
  /** Judges the final state. @throws InvariantViolation when it is wrong */
  check?(): void;
  /**
   * Judges the state after each step, while all threads are anywhere; it must change nothing. Replays judge it, too.
   *
   * @throws InvariantViolation when it is wrong
   */
  checkStep?(): void;
  /** Digest of the final state, by which searches are compared. */
  state?(): string;
  /** Was the place reached that this case is about? Asked at the end, counted under the mark `reached`. */
  reached?(): boolean;
  /** Words for an announced operation in reports; undefined leaves them to the machine. */
  describe?(announced: Op): string | undefined;
}

/** A program whose interleavings are searched. */
export interface Case {
  /** Name for reports. */
  readonly name: string;
  /**
   * Builds a world and starts its threads. Called once per execution.
   *
   * It must do the same each time: a search repeats the beginning of an execution by repeating its choices, and
   * refuses to go on when something else happens. State that threads share must be touched through the machine
   * or reported to its checking mode; what is hidden from it is hidden from a reduction too.
   */
  setup(mark: Mark): World;
}
