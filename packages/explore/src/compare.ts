import type { Case } from './case.js';
import type { ExplorationResult, ExploreOptions, StrategyName } from './explore.js';
import { explore } from './explore.js';

/** What to compare. */
export interface CompareOptions extends Pick<ExploreOptions, 'maxSteps' | 'maxExecutions'> {
  /** Run the search without reduction too? It is the reference, but may take for ever. Default: true. */
  readonly bruteForce?: boolean;
}

/** Verdict on the reductions for one case. */
export interface Comparison {
  /** Results by strategy. */
  readonly results: ReadonlyMap<StrategyName, ExplorationResult>;
  /** What the searches disagree about, in words; empty if nothing. */
  readonly differences: readonly string[];
}

/**
 * Searches a case with every strategy and compares: found or not, final states, distinct traces.
 *
 * "Exhausted" means nothing before two independent reductions agree: a touch that is not reported makes steps
 * seem to commute, and a search then skips what it should have seen.
 */
export function compareReductions(subject: Case, options: CompareOptions = {}): Comparison {
  const { bruteForce = true, ...limits } = options;
  const strategies: StrategyName[] = bruteForce ? ['dfs', 'sleepSets', 'dpor'] : ['sleepSets', 'dpor'];
  const results = new Map<StrategyName, ExplorationResult>();
  for (const strategy of strategies) {
    results.set(strategy, explore(subject, { ...limits, strategy, stopAtFinding: false, countTraces: true }));
  }
  const reference = strategies[0] as StrategyName;
  const differences = strategies.slice(1).flatMap((name) => differencesOf(results, reference, name));
  return { results, differences };
}

function differencesOf(
  results: ReadonlyMap<StrategyName, ExplorationResult>,
  reference: StrategyName,
  name: StrategyName,
): string[] {
  const expected = results.get(reference) as ExplorationResult;
  const actual = results.get(name) as ExplorationResult;
  const differences: string[] = [];
  const limited = [expected, actual].find((result) => isBounded(result));
  if (limited !== undefined) return [`${reference} and ${name} cannot be compared: a limit was hit`];
  if (expected.status !== actual.status)
    differences.push(`${reference}: ${expected.status}, ${name}: ${actual.status}`);
  // A search that an error within a step has stopped has not seen the rest.
  if (expected.limit !== null || actual.limit !== null) return differences;
  for (const state of expected.finalStates) {
    if (!actual.finalStates.has(state)) differences.push(`${name} misses the final state '${state}'`);
  }
  for (const state of actual.finalStates) {
    if (!expected.finalStates.has(state)) differences.push(`${reference} misses the final state '${state}'`);
  }
  if (
    expected.traces.size !== actual.traces.size ||
    [...expected.traces].some((key) => !actual.traces.has(key))
  ) {
    differences.push(
      `${reference}: ${expected.traces.size} traces, ${name}: ${actual.traces.size}, not the same`,
    );
  }
  return differences;
}

function isBounded({ limit }: ExplorationResult): boolean {
  return limit === 'executions' || limit === 'preemptions';
}
