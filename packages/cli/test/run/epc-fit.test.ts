import { describe, expect, it } from 'vitest';
import { call } from '../captured-io.js';
import { folderWithScenario, soundScenario } from '../scenario/scenario-file.js';

/** 1,520 pages and a TCS in the trace: 3 version array pages, a SECS. */
const run = (machine: string) => {
  const text = soundScenario.replace('  epc: 4MiB', machine).replace('  batch: 16', '  low: 1\n  high: 2');
  return call(['run', 'x.yaml', '--quiet'], { cwd: folderWithScenario(text) });
};

describe('an EPC that is just large enough', () => {
  it('runs', async () => {
    expect(await run('  epc: 8 pages')).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });

  it.each([
    ['in one section', '  epc: 7 pages', 'x.yaml:4:8: An EPC of 7 pages'],
    [
      'in several',
      '  sections: [{ node: 0, epc: 3 pages }, { node: 1, epc: 4 pages }]',
      'x.yaml:4:13: An EPC of 7 pages',
    ],
  ])('is refused with one page less, %s', async (_case, machine, message) => {
    const outcome = await run(machine);
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain(`epckit: ${message} is too small to ever run this scenario.`);
    expect(outcome.stderr).toContain('Give at least 8 pages, or lower reclaim.high.');
  });

  it('needs no room for the daemon if everything fits above the low mark', async () => {
    const text = 'machine: { epc: 1590 pages }\nreclaim: { low: 32, high: 1589 }\n';
    const cwd = folderWithScenario(`${text}enclaves: [{ name: a, trace: sample.runs.gz, runs: 100 }]\n`);
    expect(await call(['run', 'x.yaml', '-q'], { cwd })).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  });
});
