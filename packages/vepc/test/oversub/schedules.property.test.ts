import type { Op, Routine, Schedule, Thread } from '@epckit/interface';
import { Mode, opMode } from '@epckit/interface';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OversubRecipes } from '../../src/index.js';
import type { Step } from './program.js';
import { building, Program, step } from './program.js';

/** CPUs of the guest come first, then those of the reclaimers. */
const GUEST_CPUS = 2;

/** Chooses at random. */
class Random implements Schedule {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  begin(): boolean {
    return true;
  }

  choose(enabled: readonly Thread[], _pending: readonly Op[]): number {
    return this.below(enabled.length);
  }

  /** xorshift32 */
  protected below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

/**
 * Lets every second pair of conflicting leaves overlap. Who is about to execute a leaf waits for others to get to one:
 * all but every `patience`th choice is among those who are elsewhere, if there are any.
 */
class Meeting extends Random {
  /** Pairs that have overlapped. */
  overlaps = 0;
  /** Of these, with a leaf of the guest and one of the host. */
  ofBoth = 0;
  readonly #patience: number;

  constructor(seed: number, patience: number) {
    super(seed);
    this.#patience = patience;
  }

  override choose(enabled: readonly Thread[], pending: readonly Op[]): number {
    if (this.below(this.#patience) > 0) {
      const elsewhere = pending.flatMap((op, index) => (op !== 0 && opMode(op) === Mode.LEAF ? [] : [index]));
      if (elsewhere.length > 0) return elsewhere[this.below(elsewhere.length)] as number;
    }
    return super.choose(enabled, pending);
  }

  overlap(thread: Thread, others: readonly Thread[]): number {
    if (this.below(2) === 0) return -1;
    const choice = this.below(others.length);
    const isHost = [thread, others[choice] as Thread].map(({ cpu }) => cpu >= GUEST_CPUS);
    this.overlaps++;
    if (isHost[0] !== isHost[1]) this.ofBoth++;
    return choice;
  }
}

/** Schedules per test; the full size is 100000. */
const RUNS = Number(process.env['EPCKIT_GUEST_SCHEDULES'] ?? 50);

interface Run {
  readonly first: readonly Step[];
  readonly second: readonly Step[];
  readonly seed: number;
  /** Of {@link Meeting}. Left out: leaves never overlap. */
  readonly patience?: number;
}

/** Two virtual CPUs of one guest, whose SECS and children lie in different sections, and two reclaimers. */
function play({ first, second, seed, patience }: Run, recipes: OversubRecipes = {}) {
  const schedule = patience === undefined ? new Random(seed) : new Meeting(seed, patience);
  const program = new Program({ recipes, epcPages: 10, cpus: 3, checking: true });
  const { stack } = program;
  if (schedule instanceof Meeting) stack.machine.overlaps = stack.hardware.overlaps;
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
  const result = stack.machine.runExplored(schedule, { maxSteps: 100_000, onStep: () => stack.checkStep() });
  stack.machine.overlaps = null;
  if (result.error !== undefined) throw result.error;
  expect(result.status).toBe('done');
  const { overlaps, ofBoth } = schedule instanceof Meeting ? schedule : { overlaps: 0, ofBoth: 0 };
  return { program, told, overlaps, ofBoth };
}

const seed = fc.integer({ min: 1, max: 2 ** 31 - 1 });
const patience = fc.constantFrom(1, 16, 64);
const steps = fc.array(step, { minLength: 1, maxLength: 8 });
/** Most of what a guest does to a SECS that the host may be at as well. */
const tracking = fc.constant<Step>({ do: 'etrack', at: { section: 0, page: 0 } });
const contended = fc.array(fc.oneof(step, { weight: 2, arbitrary: tracking }), {
  minLength: 10,
  maxLength: 20,
});

describe('two virtual CPUs and two reclaimers', () => {
  it('never deadlock, race or lose a page, whatever the schedule', () => {
    fc.assert(
      fc.property(fc.record({ first: steps, second: steps, seed }), (run) => {
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
    const total = { overlaps: 0, ofBoth: 0, reentered: 0, delivered: 0 };
    fc.assert(
      fc.property(fc.record({ first: contended, second: contended, seed, patience }), (run) => {
        const { program, told, overlaps, ofBoth } = play(run);
        const { stack } = program;
        expect(told.filter((line) => line.endsWith('-7'))).toEqual([]);
        expect(stack.violations()).toEqual([]);
        total.overlaps += overlaps;
        total.ofBoth += ofBoth;
        total.reentered += stack.oversub.conflicts.reentered;
        total.delivered += stack.oversub.conflicts.delivered;
        stack.end();
        expect([stack.pools.free, stack.violations()]).toEqual([10, []]);
      }),
      { numRuns: RUNS },
    );
    expect(Math.min(...Object.values(total))).toBeGreaterThan(0);
  });
});
