import type { Op } from '@epckit/interface';
import { Mode, opMode, opObject } from '@epckit/interface';
import type { Touch } from '@epckit/machine';

/**
 * What a step has touched: `object * 4 + touch` per object, in no order. Two steps of different threads commute
 * unless they touch one object in conflicting ways.
 */
export type Touches = readonly number[];

/** Packs a footprint, which the machine reuses for the next step. */
export function packTouches(footprint: ReadonlyMap<number, Touch>): Touches {
  const touches: number[] = [];
  for (const [object, touch] of footprint) touches.push(object * 4 + touch);
  return touches;
}

/** Object of a packed touch. */
export function touchObject(packed: number): number {
  return Math.floor(packed / 4);
}

/** Kind of a packed touch. */
export function touchKind(packed: number): Touch {
  return (packed % 4) as Touch;
}

/** Do two touches of one object conflict? Reads commute with reads, additions with additions. */
export function isConflict(a: Touch, b: Touch): boolean {
  return a !== b || a === Mode.WRITE;
}

/** Do two steps with these touches commute? */
export function areIndependent(a: Touches, b: Touches): boolean {
  for (const first of a) {
    const object = touchObject(first);
    for (const second of b) {
      if (touchObject(second) === object && isConflict(touchKind(first), touchKind(second))) return false;
    }
  }
  return true;
}

/** Can a thread that has announced this be unable to run? */
export function mayBlock(announced: Op): boolean {
  const mode = opMode(announced);
  return mode === Mode.ACQUIRE || mode === Mode.ACQUIRE_SHARED || mode === Mode.WAIT;
}

/** What a blocked thread will touch at least, once it can run: the object that it waits for. */
export function touchesOfBlocked(announced: Op): Touches {
  return [opObject(announced) * 4 + (opMode(announced) === Mode.ACQUIRE ? Mode.WRITE : Mode.READ)];
}
