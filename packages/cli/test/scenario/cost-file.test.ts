import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/index.js';
import { call } from '../captured-io.js';
import { folderWithScenario, soundScenario } from './scenario-file.js';

const withFile = `${soundScenario}costs:\n  file: mine.yaml\n`;

function folderWith(costs: string | null): string {
  const folder = folderWithScenario(withFile);
  if (costs !== null) writeFileSync(join(folder, 'mine.yaml'), costs);
  return folder;
}

describe('costs.file', () => {
  it('gives cycles, or a range with grade and source', async () => {
    const folder = folderWith(`
EWB: 12000
ELDU: { min: 7000, typical: 9000, max: 11000, grade: B, source: measured on our machine }
AEX: { typical: 3000, source: a guess }
`);
    const { scenario } = await loadScenario('x.yaml', folder);
    expect(scenario.costs).toMatchObject({
      file: 'mine.yaml',
      own: {
        EWB: { min: 12_000, typical: 12_000, max: 12_000, grade: null, source: null },
        ELDU: { min: 7000, typical: 9000, max: 11_000, grade: 'B', source: 'measured on our machine' },
        AEX: { min: 3000, typical: 3000, max: 3000, grade: null, source: 'a guess' },
      },
    });
  });

  it('is read for every run, and marked in the report', async () => {
    const folder = folderWith('ELDU: { typical: 9000, grade: A, source: a manual }\nEWB: 1\n');
    const outcome = await call(['run', 'x.yaml'], { cwd: folder });
    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    expect(outcome.stdout).toContain('costs: client at 3.5 GHz, own costs of mine.yaml\n');
    const said = outcome.stdout.slice(outcome.stdout.indexOf('Costs: '));
    expect(said).toMatch(/^Costs: \d+ of the \d+ entries that were charged are assumptions: /);
    expect(said).not.toContain('ELDU');
  });

  it('may be empty, or varied', async () => {
    expect((await call(['run', 'x.yaml', '-q'], { cwd: folderWith('') })).exitCode).toBe(0);
    const folder = folderWith('EWB: 10000\n');
    writeFileSync(join(folder, 'other.yaml'), 'EWB: 20000\n');
    const argv = ['compare', 'x.yaml', '--vary', 'costs.file=mine.yaml,other.yaml', '--jobs', '1'];
    const { exitCode, stdout } = await call(argv, { cwd: folder, columns: 150 });
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^ {2}costs\.file +mine\.yaml +other\.yaml$/m);
    expect(stdout).toMatch(/^Costs: \d+ of the \d+ entries/m);
  });

  const wrong: readonly (readonly [string, string | null, string, string])[] = [
    ['is not there', null, 'x.yaml:12:9: mine.yaml cannot be read: there is no such file', 'Check the path'],
    ['is no YAML', 'EWB: [', 'mine.yaml:1:7: This is not valid YAML', 'indentation'],
    [
      'is no mapping',
      '- EWB',
      'mine.yaml:1:1: A file with costs must be a mapping of keys to values, not a list.',
      'README',
    ],
    ['has an unknown entry', 'EBW: 1', 'mine.yaml:1:1: EBW is not a known key.', 'Did you mean EWB?'],
    [
      'has a part of a cycle',
      'EWB: 1.5',
      'mine.yaml:1:6: EWB must be a whole number, not 1.5.',
      'EWB: cycles',
    ],
    ['has a negative cost', '\nEWB: -1', 'mine.yaml:2:6: EWB must be at least 0, not -1.', 'EWB: cycles'],
    [
      'has an unknown key in an entry',
      'EWB: { typical: 1, grad: A }',
      'mine.yaml:1:20: EWB.grad is not a known key.',
      'Did you mean grade?',
    ],
    ['has an entry without a value', 'EWB: { min: 1 }', 'mine.yaml:1:6: EWB.typical is missing.', 'Add it'],
    [
      'has an unknown grade',
      'EWB: { typical: 1, grade: Z }',
      'mine.yaml:1:27: EWB.grade must be A or B or C or D or E, not "Z".',
      'Did you mean A?',
    ],
    [
      'has a range upside down',
      'EWB: { typical: 5, min: 6 }',
      'mine.yaml:1:1: EWB has min 6, typical 5 and max 5.',
      'Give min ≤ typical ≤ max.',
    ],
  ];

  it.each(wrong)('is refused if it %s', async (_case, costs, message, hint) => {
    const { exitCode, stderr, stdout } = await call(['run', 'x.yaml'], { cwd: folderWith(costs) });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(`epckit: ${message}`);
    expect(stderr).toContain(hint);
  });

  it('is no place for output', async () => {
    const folder = folderWith('EWB: 10000\n');
    const { exitCode, stderr } = await call(['run', 'x.yaml', '--json', 'mine.yaml'], { cwd: folder });
    expect(exitCode).toBe(2);
    expect(stderr).toContain('mine.yaml cannot be written: it is read by');
  });
});
