import type { ReplayedStep, ScriptStep, StepRecord } from 'epckit';
import type { Engine } from '../engine.js';
import { type LoadedScript, replaySteps } from './replay-steps.js';

/** How the replay of a script compared with its records. */
export type CheckResult =
  | { readonly outcome: 'ok'; readonly steps: number }
  | {
      readonly outcome: 'unsupported';
      readonly steps: number;
      readonly index: number;
      readonly step: ScriptStep;
      /** Name of the operation. */
      readonly operation: string;
    }
  | {
      readonly outcome: 'different';
      readonly steps: number;
      readonly index: number;
      readonly step: ScriptStep;
      readonly expected: StepRecord;
      /** `null`: the replay has ended before this step. */
      readonly actual: StepRecord | null;
      readonly difference: string;
    };

/**
 * Replays a script up to the first step that differs from its record or is not supported.
 *
 * @param loaded - a script with `expect`
 * @returns the outcome; `steps` counts those that were compared
 */
export function checkScript(loaded: LoadedScript, engine: Engine): CheckResult {
  const { script } = loaded;
  const expected = script.expect ?? [];
  let steps = 0;
  for (const replayed of replaySteps(loaded, engine)) {
    const failure = checkStep(replayed, expected[replayed.index] ?? {}, engine);
    steps += 1;
    if (failure !== null) return { ...failure, steps };
  }
  if (steps === script.steps.length) return { outcome: 'ok', steps };
  return {
    outcome: 'different',
    steps,
    index: steps,
    step: script.steps[steps]!,
    expected: expected[steps] ?? {},
    actual: null,
    difference: `the replay ended after ${steps} of ${script.steps.length} steps`,
  };
}

function checkStep({ index, step, record, unsupported }: ReplayedStep, expected: StepRecord, engine: Engine) {
  if (unsupported !== undefined)
    return { outcome: 'unsupported', index, step, operation: unsupported } as const;
  const difference = engine.compare(expected, record);
  if (difference === null) return null;
  return { outcome: 'different', index, step, expected, actual: record, difference } as const;
}

/** Shows a result to a person: one line if it is ok, else also the step and both records. */
export function describeResult(name: string, result: CheckResult): string {
  if (result.outcome === 'ok') return `ok ${name} (${result.steps} step${result.steps === 1 ? '' : 's'})`;
  const step = `  step     ${JSON.stringify(result.step)}`;
  if (result.outcome === 'unsupported') {
    return `FAILED ${name}: step ${result.index}: operation "${result.operation}" is not supported\n${step}`;
  }
  return [
    `FAILED ${name}: step ${result.index}: ${result.difference}`,
    step,
    `  expected ${JSON.stringify(result.expected)}`,
    `  actual   ${result.actual === null ? 'nothing' : JSON.stringify(result.actual)}`,
  ].join('\n');
}
