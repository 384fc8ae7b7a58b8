import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Comparison } from '../../src/index.js';
import { call, temporaryFolder } from '../captured-io.js';

const scenario = `
machine: { cpus: 4, epc: 2MiB }
cgroups: { a: { max: 1MiB } }
preset: epckit
enclaves:
  - { name: native, cgroup: /a, measured: false, generator: { kind: uniform, runs: 300, pages: 60 } }
vms:
  - { name: one, epc: [{ size: 1MiB }], migrations: [1ms], enclaves: [{ name: app, generator: { kind: scan, runs: 300, pages: 80 } }] }
  - { name: two, epc: [{ size: 512KiB }], enclaves: [{ name: app, generator: { kind: uniform, runs: 400, pages: 140 } }] }
`;

/** Compares two batch sizes of `text`, or two values of another key. */
async function compared(text: string, vary = 'reclaim.batch=4,16') {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, 'x.yaml'), text);
  const argv = ['--vary', vary, '--jobs', '1', '--json', 'c.json', '--csv', 'c.csv'];
  const { exitCode, stdout, stderr } = await call(['compare', 'x.yaml', ...argv], { cwd, columns: 150 });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  const read = (name: string) => readFileSync(join(cwd, name), 'utf8');
  const [head, ...rows] = read('c.csv')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));
  return { stdout, comparison: JSON.parse(read('c.json')) as Comparison, head: head as string[], rows };
}

describe('a comparison of runs with cgroups and guests', () => {
  it('has columns of each cgroup and each guest, a row per run', async () => {
    const { head, rows, comparison, stdout } = await compared(scenario);
    const [{ groups = {}, vms = {}, runs }] = comparison.combinations as [Comparison['combinations'][number]];
    expect(Object.keys(vms)).toEqual(['one', 'two']);
    expect(Object.keys(groups)).toContain('/a');
    const at = (name: string) => Number(rows[0]?.[head.indexOf(name)]);
    const [one, two] = runs[0]?.report.vms ?? [];
    expect(at('one: accesses')).toBe(300);
    expect(at('two: guestEvictions')).toBe(two?.guestEvictions);
    expect([at('one: migrations'), at('one: rebuilds'), at('two: migrations')]).toEqual([1, 1, 0]);
    expect(at('one: accessesPerMicrosecond')).toBeCloseTo((one?.accessesPerSecond as number) / 1e6);
    expect(at('one: peakPages')).toBe(vms['one']?.['peakPages']?.median);
    expect(at('/a: peakPages')).toBe(groups['/a']?.['peakPages']?.median);
    expect(new Set([head, ...rows].map(({ length }) => length)).size).toBe(1);
    expect(new Set(head).size).toBe(head.length);
    expect(stdout).toMatch(/^ *guest one *$/m);
    expect(stdout).toMatch(/^ *enclaves built again( +1 ×1\.00){2}$/m);
    expect(stdout).toMatch(/^ *cgroup \/a *$/m);
  });

  it('has none of them without', async () => {
    const { head, comparison } = await compared(
      scenario
        .replace(/vms:[\s\S]*/, '')
        .replace(/cgroups.*/, '')
        .replace('cgroup: /a, ', ''),
    );
    expect(head.filter((name) => name.includes(': '))).toEqual([]);
    expect(comparison.combinations[0]).not.toHaveProperty('vms');
    expect(comparison.combinations[0]).not.toHaveProperty('groups');
  });

  it('leaves out everywhere what not every run has', async () => {
    const text = scenario.replace(/cgroups.*/, '').replace('cgroup: /a, ', '');
    const { head, comparison, stdout } = await compared(text, 'vms.1.instances=1,2');
    for (const { vms = {} } of comparison.combinations) expect(Object.keys(vms)).toEqual(['one']);
    expect(comparison.combinations.map(({ runs }) => runs[0]?.report.vms?.length)).toEqual([2, 3]);
    expect(head.filter((name) => name.startsWith('two'))).toEqual([]);
    expect(stdout).not.toMatch(/^ *guest two/m);
    expect(stdout).toMatch(/^ *version array pages, most( +\d+ ×1\.00){2}$/m);
  });
});
