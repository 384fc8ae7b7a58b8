import { EpckitError } from '@epckit/interface';
import type { KeyPath } from './key-path.js';
import type { YamlSource } from './yaml-source.js';

/** Something wrong in a scenario file. */
export interface Problem {
  /** Where; the place that is shown is that of the key or of the value. */
  readonly path: KeyPath;
  readonly at: 'key' | 'value';
  /** One sentence, without the place. */
  readonly message: string;
  /** What would be right. */
  readonly hint: string;
}

/**
 * Makes one error of all problems: the first in full, the others as detail lines.
 *
 * @param problems - at least one
 */
export function scenarioError(problems: readonly Problem[], source: YamlSource): EpckitError {
  const [first, ...others] = problems as [Problem, ...Problem[]];
  const sentence = ({ path, at, message }: Problem) => `${source.locate(path, at)}: ${message}`;
  const details = others.map((problem) => `${sentence(problem)} (${problem.hint})`);
  return new EpckitError('EPCKIT_SCENARIO', sentence(first), details, { hint: first.hint });
}
