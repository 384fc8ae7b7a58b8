import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { output } from '../examples/evict-and-fault.js';
import { output as recordedOutput } from '../examples/recorded-ioctl.js';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

it('evict-and-fault prints what the README says', () => {
  expect(output).toEqual([
    'build: EPA(0) ECREATE(1) EADD(2) EADD(3) EINIT(1)',
    'evict: EBLOCK(2) EBLOCK(3) EWB(2) 11 ETRACK(1) EWB(2) EWB(3) EWB(1) EREMOVE(1)',
    'fault: ELDU(4) ELDU(5)',
    'violations 0',
  ]);
  expect(read('README.md')).toContain(`\n${output.join('\n')}\n`);
});

it('recorded-ioctl prints how far the call came', () => {
  expect(recordedOutput).toEqual([
    'EFAULT: count 8192 of 12288 bytes, result 0',
    'EMODT(2) ETRACK(1) EMODT(3) ETRACK(1)',
  ]);
});

it('the README shows parts of the examples', () => {
  const shown = [...read('README.md').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  const examples = ['evict-and-fault', 'recorded-ioctl'].map((name) => read(`examples/${name}.ts`));
  const isFrom = (code: string) => examples.some((example) => example.includes(code.trimEnd()));
  expect(shown.filter((code) => !isFrom(code))).toEqual([]);
  expect(shown.length).toBe(2);
});
