import { InvariantViolation, opObject } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Event } from './causality.js';
import { touchObject } from './touches.js';

/**
 * Checks that a step which let another thread go on, or made it wait, has touched what that thread waits for.
 *
 * Reductions rest on it: were the touch missing, the two steps would seem to commute.
 *
 * @throws InvariantViolation otherwise
 */
export function checkWaiting(
  before: readonly MachineThread[],
  after: readonly MachineThread[],
  step: Event,
): void {
  for (const thread of after) if (!before.includes(thread)) checkTouched(thread, step);
  for (const thread of before)
    if (thread.routine !== null && !after.includes(thread)) checkTouched(thread, step);
}

function checkTouched(thread: MachineThread, step: Event): void {
  // Its own step, or a thread that has just been made.
  if (thread.id === step.thread || thread.pending === 0) return;
  const object = opObject(thread.pending);
  if (step.touches.some((touch) => touchObject(touch) === object)) return;
  throw new InvariantViolation(
    'A step changed whether another thread can run without touching what it waits for.',
    [
      `thread ${step.thread} made the step, ${thread.name} (thread ${thread.id}) waits for object ${object}`,
      'whoever implements that wait must report the touch to the checking mode',
    ],
  );
}
