import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { facade } from '../../src/index.js';
import { call } from '../captured-io.js';
import { folderWithScenario } from '../scenario/scenario-file.js';

describe('epckit run', () => {
  it('prints a summary', async () => {
    const { exitCode, stdout, stderr } = await call(['run', 'x.yaml'], { cwd: folderWithScenario() });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('small: preset epckit, EPC 4 MiB = 1,024 pages, 2 CPUs, seed 1\n');
    expect(stdout).toContain('first: 1,521 pages');
    expect(stdout).toMatch(/^ {2}EADD +1,521 +1,521$/m);
    expect(stdout).toMatch(/^ {2}measuring pages +EEXTEND +[\d,]+ +[\d,]+ +\d+\.\d +\d+\.\d{6}$/m);
  });

  it('writes the same bytes on every run', async () => {
    const folder = folderWithScenario();
    const reports = [];
    for (const name of ['a.json', 'b.json']) {
      const outcome = await call(['run', 'x.yaml', '--json', name, '--quiet'], { cwd: folder });
      expect(outcome).toEqual({ exitCode: 0, stdout: '', stderr: '' });
      reports.push(readFileSync(join(folder, name), 'utf8'));
    }
    expect(reports[0]).toBe(reports[1]);
    expect(JSON.parse(reports[0] as string)).toMatchObject({
      format: 'epckit-run-1',
      seed: 1,
      scenario: { name: 'small', reclaim: { lowPages: 32 } },
      traces: { 'sample.runs.gz': { runs: 200_000, uniquePages: 1520 } },
    });
    expect(readdirSync(folder).sort()).toEqual(['a.json', 'b.json', 'sample.runs.gz', 'x.yaml']);
  });

  it('finds traces from the folder of the scenario, not from the current one', async () => {
    const folder = folderWithScenario();
    mkdirSync(join(folder, 'elsewhere'));
    const outcome = await call(['run', '../x.yaml', '-q'], { cwd: join(folder, 'elsewhere') });
    expect(outcome).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  it('draws progress on a terminal only, and erases it', async () => {
    const cwd = folderWithScenario();
    const { stderr, stdout } = await call(['run', 'x.yaml'], { cwd, isTTY: true });
    expect(stderr).toContain('reading sample.runs.gz');
    expect(stderr).toMatch(/\[#{30}\] 100 %/);
    expect(stderr.endsWith('\r\u001b[K')).toBe(true);
    expect(stdout).not.toContain('\u001b');
    const quiet = await call(['run', 'x.yaml', '--quiet'], { cwd, isTTY: true });
    expect(quiet).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  it('leaves a report alone when the model fails, and calls that a defect', async () => {
    const folder = folderWithScenario();
    writeFileSync(join(folder, 'report.json'), 'the former report');
    const engine = {
      ...facade,
      run: () => {
        throw new TypeError('it broke');
      },
    };
    const argv = ['run', 'x.yaml', '--json', 'report.json'];
    const outcome = await call(argv, { cwd: folder, engine });
    expect(outcome.exitCode).toBe(3);
    expect(outcome.stderr).toContain('epckit: it broke\n  This is a defect of epckit.');
    expect(outcome.stderr).toContain('epckit run x.yaml --json report.json');
    expect(outcome.stderr).not.toContain('    at ');
    expect(readFileSync(join(folder, 'report.json'), 'utf8')).toBe('the former report');
    const debug = await call(argv, { cwd: folder, engine, env: { EPCKIT_DEBUG: '1' } });
    expect(debug.stderr).toContain('    at ');
  });
});

describe('the report file', () => {
  it.each([
    ['a folder', '.', 'it is a folder'],
    ['in no folder', 'none/report.json', 'there is no such file or folder'],
  ])('is refused if it is %s', async (_kind, name, reason) => {
    const outcome = await call(['run', 'x.yaml', '--json', name], { cwd: folderWithScenario() });
    expect(outcome).toMatchObject({ exitCode: 2, stdout: '' });
    expect(outcome.stderr).toContain(`epckit: ${name} cannot be written: ${reason}.`);
  });

  it('may be a link, which stays one', async () => {
    const folder = folderWithScenario();
    writeFileSync(join(folder, 'real.json'), 'the former report');
    symlinkSync('real.json', join(folder, 'link.json'));
    await call(['run', 'x.yaml', '-q', '--json', 'link.json'], { cwd: folder });
    expect(readFileSync(join(folder, 'real.json'), 'utf8')).toContain('"epckit-run-1"');
    expect(readdirSync(folder)).toContain('link.json');
  });

  it('may be a device, which stays one', async () => {
    const cwd = folderWithScenario();
    const outcome = await call(['run', 'x.yaml', '-q', '--json', '/dev/null'], { cwd });
    expect(outcome.exitCode).toBe(0);
    expect(statSync('/dev/null').isCharacterDevice()).toBe(true);
  });
});
