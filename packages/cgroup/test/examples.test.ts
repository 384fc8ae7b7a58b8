import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { output } from '../examples/pod-limit.js';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

it('pod-limit prints what the README says', () => {
  expect(output).toEqual([
    'limit: 12288 bytes, 3 pages',
    'page 4: EBUSY, refused by /kubepods/pod-a for its limit',
    '/kubepods/pod-a: sgx_epc 12288, sgx_epc 12288, sgx_epc 12288, sgx_epc.max 1, sgx_epc.max 1',
    '/kubepods/pod-a/container: sgx_epc max, sgx_epc 12288, sgx_epc 16384, sgx_epc.max 0, sgx_epc.max 0',
    'removed: sgx_epc 12288, groups /,/kubepods,/kubepods/pod-a,/kubepods/pod-a/container',
    'freed: sgx_epc 0, groups /,/kubepods',
  ]);
  expect(read('README.md')).toContain(`\n${output.join('\n')}\n`);
});

it('the README shows parts of the example', () => {
  const shown = [...read('README.md').matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] as string);
  const example = read('examples/pod-limit.ts');
  expect(shown.filter((code) => !example.includes(code.trimEnd()))).toEqual([]);
  expect(shown.length).toBe(2);
});
