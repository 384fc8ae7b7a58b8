import { dump } from '../dump.js';
import { text } from '../step.js';
import type { Family } from './family.js';

/** Looks at the state, and notes of whoever recorded the script. */
export const noteFamily: Family = {
  dump: {
    keys: ['what'],
    play: (context, step) => ({ r: 0, dump: dump(context, text(step, 'what', '') === 'all') }),
  },
};

/** Notes for whoever recorded the script: without effect, whatever they say. */
export const notes: ReadonlySet<string> = new Set(['relax', 'leak']);
