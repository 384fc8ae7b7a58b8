import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { output } from '../examples/two-guests.js';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

it('two-guests prints what the README says', () => {
  expect(read('README.md')).toContain(`\n${output.join('\n')}\n`);
});

it('the README shows parts of the example', () => {
  const shown = [...read('README.md').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  const example = read('examples/two-guests.ts');
  expect(shown.filter((code) => !example.includes(code.trimEnd()))).toEqual([]);
  expect(shown.length).toBe(2);
});
