import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareReductions } from '../src/index.js';
import type { Instruction } from './program.js';
import { programCase } from './program.js';

const place = fc.integer({ min: 0, max: 2 });
const instruction: fc.Arbitrary<Instruction> = fc.oneof(
  fc.record({
    kind: fc.constantFrom('read', 'write', 'add', 'lock', 'lock', 'unlock', 'branch', 'branch' as const),
    at: place,
  }),
  fc.record({ kind: fc.constant('sync' as const), at: fc.integer({ min: 0, max: 6 }) }),
  fc.record({ kind: fc.constant('local' as const) }),
);
const program = (maxLength: number) => fc.array(instruction, { minLength: 1, maxLength });

/** For a longer look at other programs: `EPCKIT_PROPERTY_RUNS=1000 EPCKIT_PROPERTY_SEED=7`. */
const numRuns = Number(process.env['EPCKIT_PROPERTY_RUNS'] ?? 60);
const seed = Number(process.env['EPCKIT_PROPERTY_SEED'] ?? 1);

function agree(programs: readonly (readonly Instruction[])[], bruteForce: boolean): void {
  const { differences } = compareReductions(programCase('random', programs), { maxSteps: 200, bruteForce });
  expect(differences).toEqual([]);
}

describe('searches agree on programs that were once told apart', () => {
  const at = (kind: Exclude<Instruction['kind'], 'local'>, place: number): Instruction => ({
    kind,
    at: place,
  });

  it.each([
    [
      'a lock that is never given back',
      [
        [at('lock', 0), at('sync', 4)],
        [at('lock', 0), at('write', 1)],
      ],
    ],
    ['a retry whose second look is spared', [[at('sync', 6)], [at('sync', 1)], [at('write', 1)]]],
    [
      'a sleeper that finds something else',
      [
        [at('sync', 4), at('read', 0)],
        [at('sync', 1), at('sync', 0)],
        [at('sync', 5), at('branch', 0)],
      ],
    ],
  ])('%s', (_, programs) => agree(programs, false));
});

describe('searches agree on final states and traces of random programs', () => {
  it('brute force, sleep sets and DPOR: two threads', () => {
    const programs = fc.tuple(program(4), program(4));
    fc.assert(
      fc.property(programs, (each) => agree(each, true)),
      { numRuns, seed },
    );
  });

  it('brute force, sleep sets and DPOR: three threads', () => {
    const programs = fc.tuple(program(2), program(2), program(2));
    fc.assert(
      fc.property(programs, (each) => agree(each, true)),
      { numRuns: Math.ceil(numRuns / 4), seed },
    );
  });

  it('sleep sets and DPOR: three threads', () => {
    const programs = fc.tuple(program(4), program(4), program(4));
    fc.assert(
      fc.property(programs, (each) => agree(each, false)),
      { numRuns, seed },
    );
  });
});
