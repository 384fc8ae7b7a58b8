import assert from 'node:assert/strict';
import type { Routine } from '@epckit/interface';

/** One requirement of a contract. Give `name` and `run` to any test runner. */
export interface ConformanceCase {
  /** Contract and requirement, in words. */
  readonly name: string;
  /** Checks the requirement on a fresh subject. @throws AssertionError if it is not met */
  run(): void;
}

/** Stops of one routine after which a kit gives up: nobody else runs, so nothing can change any more. */
const MAX_STOPS = 100_000;

/** Matches a broken contract by its code, since an installation may hold several copies of the class. */
export const violation: Readonly<Record<string, unknown>> = { code: 'EPCKIT_INVARIANT' };

/** Names the cases of one contract and gives each a subject of its own. */
export function casesOf<S>(
  contract: string,
  make: () => S,
  requirements: Readonly<Record<string, (subject: S) => void>>,
): ConformanceCase[] {
  return Object.entries(requirements).map(([requirement, check]) => ({
    name: `${contract}: ${requirement}`,
    run: () => check(make()),
  }));
}

/** Runs a routine to its end; nothing else runs meanwhile. */
export function complete<T>(routine: Routine<T>): T {
  for (let stops = 0; stops < MAX_STOPS; stops++) {
    const step = routine.next();
    if (step.done === true) return step.value;
  }
  assert.fail(`The routine has stopped ${MAX_STOPS} times and does not end.`);
}
