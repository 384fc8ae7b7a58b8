import type { KeyPath } from './key-path.js';
import { formatPath } from './key-path.js';
import type { Problem } from './problem.js';
import type { Generator } from './resolve.js';

/** Where references come from, as a file says. */
interface Sources {
  /** Trace file. */
  readonly trace?: string | undefined;
  /** Makes the trace. */
  readonly generator?: Omit<Generator, 'seed'> | undefined;
}

/** Who replays references has one source of them. */
export function checkSource({ trace, generator }: Sources, path: KeyPath): Problem[] {
  const name = formatPath(path);
  if (trace === undefined && generator === undefined) {
    const hint = 'Add it: page trace; the path starts from the folder of the scenario file. Or a generator.';
    return [{ path: [...path, 'trace'], at: 'value', message: `${name}.trace is missing.`, hint }];
  }
  if (trace !== undefined && generator !== undefined) {
    const message = `${name}.trace and ${name}.generator exclude each other.`;
    const hint = 'Keep trace for a file, or generator to make references.';
    return [{ path: [...path, 'generator'], at: 'key', message, hint }];
  }
  if (generator?.kind !== 'sequential' || generator.pages <= generator.runs) return [];
  const message = `${name}.generator.pages is ${generator.pages}, but only ${generator.runs} runs are made.`;
  const hint = 'A sequential trace touches every page: give runs ≥ pages.';
  return [{ path: [...path, 'generator', 'pages'], at: 'value', message, hint }];
}
