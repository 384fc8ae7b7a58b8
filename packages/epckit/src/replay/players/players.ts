import type { StepObject } from '../step.js';
import { accessFamily } from './access.js';
import { bootFamily } from './boot.js';
import { buildFamily } from './build.js';
import type { PlayContext } from './context.js';
import { debugFamily } from './debug.js';
import { edmmFamily } from './edmm.js';
import type { Family, Operation, Played } from './family.js';
import { fileFamily } from './files.js';
import { mappingFamily } from './mapping.js';
import { memoryFamily } from './memory.js';
import { noteFamily, notes } from './notes.js';
import { threadFamily } from './threads.js';
import { vepcFamily } from './vepc.js';

/** Every operation that scripts may use, by name. */
const operations: Family = {
  ...bootFamily,
  ...buildFamily,
  ...fileFamily,
  ...mappingFamily,
  ...accessFamily,
  ...threadFamily,
  ...memoryFamily,
  ...vepcFamily,
  ...edmmFamily,
  ...debugFamily,
  ...noteFamily,
};

/** Performs the operations of scripts on a stack. */
export class Players {
  readonly #context: PlayContext;

  constructor(context: PlayContext) {
    this.#context = context;
  }

  /**
   * What of the step is not supported: its operation, or a key of it; null if all of it is. A key that is not
   * known is never ignored: it would change what the step does.
   */
  unsupported(step: StepObject): string | null {
    if (notes.has(step.op)) return null;
    const operation = operations[step.op];
    if (operation === undefined) return step.op;
    const unknown = Object.keys(step).find((key) => key !== 'op' && !operation.keys.includes(key));
    return unknown === undefined ? null : `${step.op} with '${unknown}'`;
  }

  /** Performs a step that is supported. */
  play(step: StepObject): Played {
    if (notes.has(step.op)) return { r: 0 };
    return (operations[step.op] as Operation).play(this.#context, step);
  }
}
