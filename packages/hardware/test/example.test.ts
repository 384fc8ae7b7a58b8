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

const INSTRUCTIONS = `ECREATE  ok
EADD     ok
EADD     ok
EADD     fault 13
EPA      ok
EBLOCK   ok
EWB      11 NOT_TRACKED
ETRACK   ok
EWB      ok
ELDU     9 MAC_COMPARE_FAIL
ELDU     ok
in page 4: secret
MRENCLAVE so far: 2a21f5afeccf9e295e7529942fdca2626c5d5124f73644cc95ad86026b2bb58e`;

function file(path: string): string {
  return readFileSync(new URL(path, import.meta.url), 'utf8');
}

async function printed(example: string): Promise<string> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await import(example);
  const lines = log.mock.calls.map(([line]) => String(line));
  log.mockRestore();
  return lines.join('\n');
}

it('the examples print what the README shows', async () => {
  expect(await printed('../examples/evict-and-reload.js')).toBe(OUTPUT);
  expect(file('../README.md')).toContain(OUTPUT);
  expect(await printed('../examples/two-page-enclave.js')).toBe(INSTRUCTIONS);
  expect(file('../README.md')).toContain(INSTRUCTIONS);
});

it('the README quotes the example as it is', () => {
  const quoted = /```ts\n(.*?)```/s.exec(file('../README.md'))?.[1];
  expect(file('../examples/evict-and-reload.ts')).toContain(quoted ?? 'no quotation');
});
