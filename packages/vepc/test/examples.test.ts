import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { output } from '../examples/two-sections.js';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

it('two-sections prints what the README says', () => {
  expect(output).toEqual([
    'first section: EPC page 0',
    'second section: EPC pages 1 and 2',
    'guest: ECREATE(0) EADD(1) EADD(2)',
    'reboot, 1, 0, 0 left: EREMOVE(0) 13 EREMOVE(1) EREMOVE(2) EREMOVE(0)',
    'first close, zombies: 1: EREMOVE(0) 13 EREMOVE(0) 13',
    'second close, zombies: 0: EREMOVE(1) EREMOVE(2) EREMOVE(0)',
    'violations 0',
  ]);
  expect(read('README.md')).toContain(`\n${output.join('\n')}\n`);
});

it('the README shows parts of the example', () => {
  const shown = [...read('README.md').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  const example = read('examples/two-sections.ts');
  expect(shown.filter((code) => !example.includes(code.trimEnd()))).toEqual([]);
  expect(shown.length).toBe(2);
});
