import { expect, it } from 'vitest';
import { output } from '../examples/lost-update.js';

it('lost update', () => {
  expect(output.join('\n')).toMatchInlineSnapshot(`
    "violation in 'counting' after 6 steps

    CPU 0 (thread 1)
      1  start
      2  read used   R used
    CPU 1 (thread 2)
      3  start
      4  read used   R used
      5  write used  W used
    CPU 0 (thread 1)
      6  write used  W used

    InvariantViolation: Two pages are used, not 1.
    reproduce: replay(case 'counting', '1*2 2*3 1')
    used 2
    dfs: exhausted, 10
    sleepSets: exhausted, 2
    dpor: exhausted, 2"
  `);
});
