import type { Routine, Schedule, Thread } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OversubRecipes } from '../../src/index.js';
import type { Step } from './program.js';
import { building, Program, step } from './program.js';

/** Chooses at random, and lets every second pair of conflicting leaves overlap. */
class Random implements Schedule {
  overlaps = 0;
  #state: number;
  readonly #mayOverlap: boolean;

  constructor(seed: number, mayOverlap: boolean) {
    this.#state = seed;
    this.#mayOverlap = mayOverlap;
  }

  begin(): boolean {
    return true;
  }

  choose(enabled: readonly Thread[]): number {
    return this.#below(enabled.length);
  }

  overlap(_thread: Thread, others: readonly Thread[]): number {
    if (!this.#mayOverlap || this.#below(2) === 0) return -1;
    this.overlaps++;
    return this.#below(others.length);
  }

  /** xorshift32 */
  #below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

/** Schedules per test; the full size is 100000. */
const RUNS = Number(process.env['EPCKIT_GUEST_SCHEDULES'] ?? 50);

interface Run {
  readonly first: readonly Step[];
  readonly second: readonly Step[];
  readonly seed: number;
  readonly mayOverlap: boolean;
}

/** Two virtual CPUs of one guest, whose SECS and children lie in different sections, and two reclaimers. */
function play({ first, second, seed, mayOverlap }: Run, recipes: OversubRecipes = {}) {
  const program = new Program({ recipes, epcPages: 10, cpus: 3, checking: true });
  const { stack } = program;
  if (mayOverlap) stack.machine.overlaps = stack.hardware.overlaps;
  for (const it of building) program.step(it);
  const told: string[] = [];
  const guest = function* (cpu: number, steps: readonly Step[]): Routine<void> {
    for (const it of steps) told.push(`${cpu}: ${it.do} ${yield* program.run(stack.thread(cpu), it)}`);
  };
  const reclaim = function* (cpu: number): Routine<void> {
    for (let i = 0; i < 5; i++) yield* stack.reclaimer.batch(stack.thread(cpu));
  };
  stack.machine.start(stack.thread(0), guest(0, first));
  stack.machine.start(stack.thread(1), guest(1, second));
  for (const cpu of [2, 3]) stack.machine.start(stack.thread(cpu), reclaim(cpu));
  const schedule = new Random(seed, mayOverlap);
  const result = stack.machine.runExplored(schedule, { maxSteps: 100_000 });
  stack.machine.overlaps = null;
  if (result.error !== undefined) throw result.error;
  expect(result.status).toBe('done');
  return { program, told, overlaps: schedule.overlaps };
}

const seed = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const steps = fc.array(step, { minLength: 1, maxLength: 8 });

describe('two virtual CPUs and two reclaimers', () => {
  it('never deadlock, race or lose a page, whatever the schedule', () => {
    fc.assert(
      fc.property(fc.record({ first: steps, second: steps, seed, mayOverlap: fc.constant(false) }), (run) => {
        const { program, told } = play(run);
        expect(told.filter((line) => line.endsWith('-7'))).toEqual([]);
        expect(program.stack.violations()).toEqual([]);
        expect(program.stack.evictAll()).toBe(0);
        program.stack.end();
        expect([program.stack.pools.free, program.stack.violations()]).toEqual([10, []]);
      }),
      { numRuns: RUNS },
    );
  });

  it('nor when leaves of the guest and of the host overlap', () => {
    let overlaps = 0;
    let exits = 0;
    fc.assert(
      fc.property(fc.record({ first: steps, second: steps, seed, mayOverlap: fc.constant(true) }), (run) => {
        const outcome = play(run);
        const { stack } = outcome.program;
        expect(outcome.told.filter((line) => line.endsWith('-7'))).toEqual([]);
        expect(stack.violations()).toEqual([]);
        overlaps += outcome.overlaps;
        exits += stack.oversub.conflicts.reentered + stack.oversub.conflicts.delivered;
        stack.end();
        expect([stack.pools.free, stack.violations()]).toEqual([10, []]);
      }),
      { numRuns: RUNS },
    );
    expect(overlaps).toBeGreaterThan(0);
    expect(exits).toBeGreaterThan(0);
  });
});
