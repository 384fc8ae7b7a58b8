import { type Engine, facade } from '../../src/index.js';

/** The model as tests have it: workers run the sources, so that no build is needed. */
export const sourceEngine: Engine = {
  ...facade,
  worker: {
    file: new URL('../../src/compare/run-worker.ts', import.meta.url),
    execArgv: ['--import', new URL('./source-loader.mjs', import.meta.url).href],
  },
};
