import type { Routine, Thread } from '@epckit/interface';
import type { MiscGroup } from '../group.js';
import type { EpcGroup } from './epc-group.js';
import type { EpcGroupWatcher } from './epc-groups.js';

/** Told which groups a walk gives out: oracles. Plain; changes nothing. */
export interface EpcWalkObserver {
  /** A walk of the subtree of `top` has given out `group`. */
  visited(top: EpcGroup, group: EpcGroup): void;
}

/** How far a pass of a walk that protects groups has come. */
export const PassPhase = {
  /** nothing was given out yet */
  NOT_BEGUN: 0,
  /** only groups that have reached their bound are given out */
  ABOVE_HIGH: 1,
  /** every group that is not protected is given out */
  ALL: 2,
} as const;
/** Value of {@link PassPhase}. */
export type PassPhaseId = (typeof PassPhase)[keyof typeof PassPhase];

/** One pass of a walk; belongs to one reclaimer. */
export interface WalkPass {
  /** Group that was given out last, or null before the first. */
  previous: MiscGroup | null;
  /** Group at which the pass began, or null. */
  first: MiscGroup | null;
  /** Has the pass gone past the end of the subtree and begun again at its top? */
  hasWrapped: boolean;
  /** Round of the shared cursor in which the pass began, `-1` before. */
  epoch: number;
  /** How far a walk that protects groups has come. */
  phase: PassPhaseId;
  /** Is every group that has pages protected? `null`: nobody has looked yet. */
  areAllLow: boolean | null;
}

/** A pass that has not begun. */
export function beginPass(): WalkPass {
  return {
    previous: null,
    first: null,
    hasWrapped: false,
    epoch: -1,
    phase: PassPhase.NOT_BEGUN,
    areAllLow: null,
  };
}

/**
 * In which order reclaimers look at the groups of a subtree. Groups are given out with a reference, which the caller
 * drops.
 */
export interface SubtreeWalk extends EpcGroupWatcher {
  /** Does {@link next} go round for ever? Its user asks for emptiness between the calls then. */
  readonly isEndless: boolean;
  /** Next group of the pass, with a reference, or null: the pass has ended. */
  next(thread: Thread, top: EpcGroup, pass: WalkPass): Routine<EpcGroup | null>;
  /** Pages of `group` were looked at in this pass. */
  scanned(thread: Thread, top: EpcGroup, group: EpcGroup): Routine<void>;
  /** Group at which the next pass of this subtree begins; null: it has no cursor. For reports and invariants. */
  cursorOf(top: EpcGroup): EpcGroup | null;
}
