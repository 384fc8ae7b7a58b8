import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

const examples = [
  { name: 'three-worlds', run: () => import('../examples/three-worlds.js') },
  { name: 'idioms', run: () => import('../examples/idioms.js') },
];

describe.each(examples)('examples/$name.ts', ({ name, run }) => {
  it('is quoted in the README as it is', () => {
    const quotations = [...read('README.md').matchAll(/```ts\n(.*?)```/gs)].map(
      ([, quoted]) => quoted as string,
    );
    expect(quotations.some((quoted) => read(`examples/${name}.ts`).includes(quoted))).toBe(true);
  });

  it('prints what the README shows', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    await run();
    const lines = log.mock.calls.map(([line]) => String(line));
    log.mockRestore();
    expect(lines.length).toBeGreaterThan(0);
    expect(read('README.md')).toContain(`\`\`\`text\n${lines.join('\n')}\n\`\`\`\n`);
  });
});
