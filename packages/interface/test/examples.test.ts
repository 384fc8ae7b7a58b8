import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { output } from '../examples/names.js';

it('prints what the README says', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  expect(readme).toContain(`\`\`\`text\n${output.join('\n')}\n\`\`\``);
});
