import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

describe('README', () => {
  it.each(['slots-and-backing', 'mask-before-track'])('shows examples/%s.ts as it is', (name) => {
    expect(read('README.md')).toContain(`\`\`\`ts\n${read(`examples/${name}.ts`)}\`\`\`\n`);
  });

  it('shows what the example prints', async () => {
    const lines: string[] = [];
    const log = vi.spyOn(console, 'log').mockImplementation((...values) => {
      lines.push(values.map((value) => JSON.stringify(value)).join(' '));
    });
    await import('../examples/slots-and-backing.js');
    log.mockRestore();
    expect(lines).toEqual(['0 40 [3,65]', '7 []']);
    expect(read('README.md')).toContain(`\`\`\`text\n${lines.join('\n')}\n\`\`\`\n`);
  });
});
