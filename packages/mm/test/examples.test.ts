import { expect, it } from 'vitest';
import { output } from '../examples/replay.js';

it('replay', () => {
  expect(output).toEqual([
    'fault on 3',
    'fault on 4',
    'no right on 5',
    'young: true, then false',
    'a read of page 4: hit',
  ]);
});
