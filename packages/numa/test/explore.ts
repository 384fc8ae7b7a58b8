import type { Routine, Schedule } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import type { Fixture } from './fixture.js';

/** Always lets the first thread run that can. */
export const firstRunnable: Schedule = { begin: () => true, choose: () => 0 };

/** Chooses by a small generator, so that every seed is one schedule. */
export function seeded(seed: number): Schedule {
  let state = seed;
  return {
    begin: () => true,
    choose(enabled) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return (state >>> 8) % enabled.length;
    },
  };
}

/** Explored world: runs one routine per thread of the fixture. */
export function explore(
  fixture: Fixture,
  schedule: Schedule,
  routines: ((thread: MachineThread) => Routine<unknown>)[],
) {
  routines.forEach((routine, index) => {
    const thread = fixture.threads[index] as MachineThread;
    fixture.machine.start(thread, routine(thread));
  });
  return fixture.machine.runExplored(schedule, { maxSteps: 1000 });
}
