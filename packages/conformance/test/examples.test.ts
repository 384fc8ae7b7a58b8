import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

it('the README quotes the example as it is, and what it prints', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await import('../examples/own-policy.js');
  const lines = log.mock.calls.map(([line]) => String(line));
  log.mockRestore();
  expect(read('README.md')).toContain(`\`\`\`ts\n${read('examples/own-policy.ts')}\`\`\``);
  expect(read('README.md')).toContain(`\`\`\`text\n${lines.join('\n')}\n\`\`\``);
});

it('the README names every kit', async () => {
  const kits = Object.keys(await import('../src/index.js'));
  const readme = read('README.md');
  expect(kits.filter((name) => !readme.includes(`| \`${name}\``))).toEqual([]);
});
