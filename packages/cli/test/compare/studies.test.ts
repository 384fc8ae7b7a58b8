import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { call } from '../captured-io.js';

const root = fileURLToPath(new URL('../../../..', import.meta.url));
const folders = readdirSync(`${root}/docs/studies`, { withFileTypes: true }).filter((one) =>
  one.isDirectory(),
);

/** Commands that a file shows: in the comments of a scenario, or in a README. */
function commandsIn(path: string): string[] {
  return [...readFileSync(path, 'utf8').matchAll(/^(?:# {3})?epckit (compare docs\/.*)$/gm)].map(
    ([, command]) => command as string,
  );
}

const commands = folders.flatMap(({ name: folder }) =>
  readdirSync(`${root}/docs/studies/${folder}`)
    .filter((name) => /\.(yaml|md)$/.test(name))
    .flatMap((name) =>
      commandsIn(`${root}/docs/studies/${folder}/${name}`).map((one) => [folder, one] as const),
    ),
);

describe('the studies', () => {
  it.each(folders.map(({ name }) => name))('%s says how it is done', (folder) => {
    expect(commands.some(([other]) => other === folder)).toBe(true);
  });

  it.each(commands)('%s: %s is in order', { timeout: 60_000 }, async (folder, command) => {
    expect(command).toMatch(new RegExp(`^compare docs/studies/${folder}/\\w+\\.yaml `));
    const outcome = await call([...command.split(' '), '--dry-run'], { cwd: root });
    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    expect(outcome.stdout).toMatch(/^\d+ combinations?, \d+ runs?; scenario and traces are in order/);
  });
});
