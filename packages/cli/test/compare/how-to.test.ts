import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { call } from '../captured-io.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const howTo = readFileSync(`${root}/docs/how-to/compare.md`, 'utf8');

/** Numbers follow the cost model; what is compared is everything else. */
const withoutNumbers = (text: string) =>
  text
    .split('\n')
    .filter((line) => !line.includes('min–max'))
    .map((line) => line.replaceAll(/-{2,}|[\d,.]+/g, '#').replaceAll(/ +/g, ' '));

it('the how-to shows a comparison that prints these lines', { timeout: 120_000 }, async () => {
  const command = /^epckit (compare scenarios.*)$/m.exec(howTo)?.[1] ?? '';
  const shown = /```text\n([^`]*)\n```/.exec(howTo)?.[1] ?? '';
  const argv = [...command.split(' '), '--jobs', '1'];
  const { stdout, stderr, exitCode } = await call(argv, { cwd: root, columns: 160 });
  expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
  const printed = withoutNumbers(stdout);
  // Causes are sorted by size, which is a number as well.
  const [counts] = withoutNumbers(shown).join('\n').split(' ms of all threads');
  for (const line of (counts as string).split('\n')) expect(printed).toContain(line);
});

it('the how-to shows the keys of the scenario as they are', () => {
  const scenario = readFileSync(`${root}/scenarios/sqlite-sample.yaml`, 'utf8');
  const shown = (/```yaml\n([^`]*)```/.exec(howTo)?.[1] ?? '').replaceAll(/ *#.*$/gm, '');
  expect(scenario).toContain(shown);
});
