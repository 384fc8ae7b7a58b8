import { expect, it } from 'vitest';

it('two-enclaves', async () => {
  const { output } = await import('../examples/two-enclaves.js');
  expect(output).toEqual([
    'both are built: first 16 of 40 pages, second 40 of 40, 4 of 64 free',
    'the first one was read: first 40 of 40 pages, second 16 of 40, 4 of 64 free',
  ]);
});

it('own-policy', async () => {
  const { output } = await import('../examples/own-policy.js');
  expect(output).toEqual(['second chance: 704 reloads', 'segmented: 667 reloads']);
});
