import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { facade } from '../src/index.js';
import { call } from './captured-io.js';
import { folderWithScenario } from './scenario/scenario-file.js';

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  readonly version: string;
};

describe('epckit', () => {
  it('tells the version of its package', async () => {
    const outcome = await call(['--version']);
    expect(outcome).toEqual({ exitCode: 0, stdout: `${manifest.version}\n`, stderr: '' });
  });

  it.each([[['--help']], [['run', '--help']], [['replay', '--help']]])('helps: %j', async (argv) => {
    const outcome = await call(argv);
    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    expect(outcome.stdout).toContain('Usage: epckit');
  });

  it.each([
    ['no command', [], 'Usage: epckit'],
    ['an unknown command', ['rnu'], "epckit: unknown command 'rnu'\n(Did you mean run?)"],
    [
      'an unknown option',
      ['run', 'x.yaml', '--jsno', 'y'],
      "epckit: unknown option '--jsno'\n(Did you mean --json?)",
    ],
    ['no scenario', ['run'], "epckit: missing required argument 'SCENARIO.yaml'"],
    ['two scenarios', ['run', 'a.yaml', 'b.yaml'], 'epckit: too many arguments'],
    ['no file for --json', ['run', 'a.yaml', '--json'], "epckit: option '--json <FILE>' argument missing"],
    ['no script', ['replay', '--check'], "epckit: missing required argument 'SCRIPT.json'"],
  ])('takes %s as misuse', async (_case, argv, message) => {
    const outcome = await call(argv);
    expect(outcome).toMatchObject({ exitCode: 2, stdout: '' });
    expect(outcome.stderr).toContain(message);
  });

  it.each([
    ['EPCKIT_MISUSE', 2],
    ['EPCKIT_INVARIANT', 3],
    ['EPCKIT_HARDWARE_MISUSE', 3],
    ['ENOSPC', 3],
  ])('tells errors apart by code: %s', async (code, exitCode) => {
    const run = () => {
      throw Object.assign(new Error('No.'), { code, details: ['given: 0'], hint: 'Give 1.' });
    };
    const outcome = await call(['run', 'x.yaml'], { cwd: folderWithScenario(), engine: { ...facade, run } });
    expect(outcome.exitCode).toBe(exitCode);
    expect(outcome.stderr).toMatch(/^epckit: (?:x\.yaml: )?No\.\n {2}given: 0\n {2}hint: Give 1\.\n/);
    expect(outcome.stderr.includes('defect')).toBe(exitCode === 3);
  });
});
