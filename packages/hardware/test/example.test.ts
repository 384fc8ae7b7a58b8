import { readFileSync } from 'node:fs';
import { expect, it, vi } from 'vitest';

const OUTPUT = `EINIT                              ok
EENTER on CPU 1                    ok
EWB before EBLOCK                  10 PAGE_NOT_BLOCKED
EBLOCK                             ok
ETRACK                             ok
EWB while CPU 1 has not left       11 NOT_TRACKED
ERESUME on CPU 1                   ok
EWB                                ok
ELDU into another page             ok
ELDU of the same blob once more    9 MAC_COMPARE_FAIL
children 2, violations 0`;

function file(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8');
}

it('the example prints what the README shows', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await import('../examples/evict-and-reload.js');
  const lines = log.mock.calls.map(([line]) => String(line));
  log.mockRestore();
  expect(lines.join('\n')).toBe(OUTPUT);
  expect(file('../README.md')).toContain(OUTPUT);
});

it('the README quotes the example as it is', () => {
  const quoted = /```ts\n(.*?)```/s.exec(file('../README.md'))?.[1];
  expect(file('../examples/evict-and-reload.ts')).toContain(quoted ?? 'no quotation');
});
