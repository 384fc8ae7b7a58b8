import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { output } from '../examples/own-owner.js';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

it('own-owner prints what the README says', () => {
  expect(output).toEqual([
    'block 0',
    'block 2',
    'write 0',
    'write 2',
    'evicted 2, oldest left 1',
    'block 1',
    'write 1',
    'evicted 1, free 0 2 1',
  ]);
  expect(read('README.md')).toContain(`\n${output.join('\n')}\n`);
});

it('the README shows parts of the files that it names', () => {
  const shown = [...read('README.md').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  const files = ['examples/own-owner.ts', 'test/museum/free-before-put.ts'].map(read);
  expect(shown.filter((code) => !files.some((file) => file.includes(code.trimEnd())))).toEqual([]);
  expect(shown.length).toBe(2);
});
