import { EpckitError } from '@epckit/interface';
import { createRandom } from '@epckit/trace';
import {
  type CheckedScenario,
  checkScenario,
  type LoadedScenario,
  scenarioOf,
} from '../scenario/load-scenario.js';
import type { YamlSource } from '../scenario/yaml-source.js';
import { type Assignment, type Vary, withAssignments } from './vary.js';

/** Most runs of one comparison. */
const MAX_RUNS = 10_000;

/** A scenario of a comparison, with one run per seed. */
export interface Combination {
  /** Values of the varied keys, in order of the options. */
  readonly assignments: readonly Assignment[];
  /** One scenario per seed. */
  readonly scenarios: readonly LoadedScenario[];
}

/**
 * Makes all combinations of the varied keys, the last one varying fastest, and checks each of them.
 *
 * @param repeat - seeds per combination: that of the scenario, and others that are drawn from it
 * @throws EpckitError `EPCKIT_ARGUMENT` or `EPCKIT_SCENARIO` that names the key and the value
 */
export async function makeCombinations(
  source: YamlSource,
  varies: readonly Vary[],
  repeat: number,
  path: string,
  cwd: string,
): Promise<readonly Combination[]> {
  const runCount = varies.reduce((product, { values }) => product * values.length, repeat);
  if (runCount > MAX_RUNS) {
    const message = `The comparison has ${runCount} runs; at most ${MAX_RUNS} are possible.`;
    throw new EpckitError('EPCKIT_ARGUMENT', message, [], {
      hint: 'Give fewer values or a smaller --repeat.',
    });
  }
  const combinations: Combination[] = [];
  for (const assignments of assignmentsOf(varies)) {
    const varied = withAssignments(source, assignments);
    const checked = await checkCombination(varied, assignments, path, cwd);
    const seeds = deriveSeeds(checked.file.seed, repeat);
    const scenarios = seeds.map((seed) => scenarioOf(checked, varied, path, cwd, seed));
    combinations.push({ assignments, scenarios });
  }
  requireDifferent(combinations);
  return combinations;
}

/** Describes a combination in one line. */
function describeCombination(assignments: readonly Assignment[]): string {
  return assignments.map(({ name, value }) => `${name}=${value}`).join(', ') || 'the scenario as it is';
}

/** The seed itself and `count − 1` others that depend on nothing else; all are different. */
function deriveSeeds(seed: number, count: number): readonly number[] {
  const random = createRandom(seed, 'seeds of a comparison');
  const seeds = new Set([seed]);
  while (seeds.size < count) seeds.add(random.nextUint32());
  return [...seeds];
}

function assignmentsOf(varies: readonly Vary[]): readonly (readonly Assignment[])[] {
  return varies.reduce<readonly (readonly Assignment[])[]>(
    (found, { name, path, values }) =>
      found.flatMap((before) => values.map((value) => [...before, { name, path, value }])),
    [[]],
  );
}

async function checkCombination(
  source: YamlSource,
  assignments: readonly Assignment[],
  path: string,
  cwd: string,
): Promise<CheckedScenario> {
  try {
    return await checkScenario(source, path, cwd);
  } catch (error) {
    throw inCombination(error, assignments);
  }
}

/** An error of the user's input that also says in which combination it shows. */
export function inCombination(error: unknown, assignments: readonly Assignment[]): unknown {
  if (!(error instanceof EpckitError)) return error;
  const isNamed = assignments.length === 1 && error.message.includes('--vary ');
  if (isNamed || assignments.length === 0) return error;
  const details = [`in the combination ${describeCombination(assignments)}`, ...error.details];
  return new EpckitError(error.code, error.message, details, {
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

/** Values that are written differently can mean the same: 4MiB and 1024 pages. */
function requireDifferent(combinations: readonly Combination[]): void {
  const seen = new Map<string, Combination>();
  for (const combination of combinations) {
    const { name: _title, ...scenario } = combination.scenarios[0]?.scenario ?? { name: '' };
    const content = JSON.stringify([scenario, [...(combination.scenarios[0]?.generators ?? [])]]);
    const first = seen.get(content);
    seen.set(content, combination);
    if (first === undefined) continue;
    const [one, other] = [first, combination].map(({ assignments }) => describeCombination(assignments));
    throw new EpckitError('EPCKIT_ARGUMENT', `Two combinations are the same: ${one} and ${other}.`, [], {
      hint: 'Give each value once; --repeat runs a combination with several seeds.',
    });
  }
}
