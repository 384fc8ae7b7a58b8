import { expect, it } from 'vitest';
import { output } from '../examples/two-nodes.js';

it('two-nodes', () => {
  expect(output).toEqual([
    'node 0: 2 pages, node 1: 1 pages',
    'free: 3',
    'CPU 1: page 2 of node 1',
    'CPU 1: page 0 of node 0',
    'CPU 2: page 1 of node 0',
    'CPU 2: no page',
  ]);
});
