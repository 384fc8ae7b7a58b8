import { expect, it } from 'vitest';
import { output } from '../examples/free-list.js';

it('free-list', () => {
  expect(output).toEqual(['taken 0', 'free 1 2 3 0', 'Page 0 is on a list already.']);
});
