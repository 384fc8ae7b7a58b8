import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, it, vi } from 'vitest';

afterEach(() => vi.restoreAllMocks());

/** Imports an example and returns the lines it prints. */
async function run(example: () => Promise<unknown>): Promise<string[]> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await example();
  return log.mock.calls.map((call) => call.join(' '));
}

describe('the examples', () => {
  it('read-a-trace prints what the README shows, from the text the README shows', async () => {
    const printed = await run(() => import('../examples/read-a-trace.js'));
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const source = readFileSync(new URL('../examples/read-a-trace.ts', import.meta.url), 'utf8');
    expect(readme).toContain(`\`\`\`ts\n${source}\`\`\``);
    expect(readme).toContain(printed.join('\n'));
    expect(printed.length).toBe(3);
  });

  it('generate-and-stream', async () => {
    const printed = await run(() => import('../examples/generate-and-stream.js'));
    expect(printed).toEqual([
      expect.stringMatching(/^(79|80)\d{3} of 100000 references are hot$/),
      'EPCKIT_TRACE_NOT_FOUND',
    ]);
  });
});
