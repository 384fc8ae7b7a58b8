import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { output as policyOutput } from '../examples/own-policy.js';
import { output as enclavesOutput } from '../examples/two-enclaves.js';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const block = (language: string, text: string): string => `\`\`\`${language}\n${text}\n\`\`\``;

describe('the README of the project', () => {
  const readme = read('../../../README.md');

  it('shows a part of the example as it is', () => {
    const example = read('../examples/two-enclaves.ts');
    const part = example.slice(example.indexOf('// Two CPUs'), example.indexOf('\n\n/** Creates'));
    expect(readme).toContain(block('ts', part));
  });

  it('shows what the example prints', () => {
    expect(readme).toContain(block('text', enclavesOutput.join('\n')));
  });
});

describe('the how-to about policies', () => {
  const howTo = read('../../../docs/how-to/write-a-policy.md');

  it('shows the policy of the example as it is', () => {
    const example = read('../examples/own-policy.ts');
    const start = example.indexOf('export function segmented');
    expect(howTo).toContain(block('ts', example.slice(start, example.indexOf('\n}\n', start) + 2)));
  });

  it('shows what the example prints', () => {
    expect(howTo).toContain(block('text', policyOutput.join('\n')));
  });
});
