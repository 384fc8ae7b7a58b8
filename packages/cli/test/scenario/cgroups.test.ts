import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadScenario } from '../../src/index.js';
import { parseGroupLimit } from '../../src/scenario/group-limit.js';
import { call, temporaryFolder } from '../captured-io.js';

const head = `machine: { cpus: 2, epc: 4MiB }
enclaves:
  - { name: one, generator: { kind: uniform, runs: 400, pages: 64 }, cgroup: /a/b, buildCost: false, measured: false }
  - { name: two, generator: { kind: uniform, runs: 400, pages: 64 }, cgroup: /c, buildCost: false, measured: false }
`;

const groups = `cgroups:
  a: { max: 50%, groups: { b: { max: 40 pages, limits: [{ at: 1ms, max: max }] } } }
  c: { max: 512KiB }
`;

function written(text: string): { readonly folder: string; readonly path: string } {
  const folder = temporaryFolder();
  const path = join(folder, 'scenario.yaml');
  writeFileSync(path, text);
  return { folder, path };
}

describe('cgroups of a scenario', () => {
  it('become groups with limits in bytes, those above first', async () => {
    const { scenario } = await loadScenario(written(groups + head).path);
    expect(scenario.cgroups).toEqual({
      groups: [
        { path: '/a', maxBytes: 512 * 4096, limits: [] },
        { path: '/a/b', maxBytes: 40 * 4096, limits: [{ atCycles: 3_500_000, maxBytes: null }] },
        { path: '/c', maxBytes: 512 * 1024, limits: [] },
      ],
      kill: null,
      victim: null,
      workers: 1,
    });
    expect(scenario.enclaves.map(({ cgroup }) => cgroup)).toEqual(['/a/b', '/c']);
  });

  it.each([
    ['{ epc: 512Ki }', 512 * 1024],
    ['{ epc: 1e6 }', 1_000_000],
    ['{ unified: { misc.max: sgx_epc 1048576 } }', 1_048_576],
    ['{ unified: { misc.max: sgx_epc max } }', null],
    ['{ max: 4096B }', 4096],
    ['{ max: 0 }', 0],
    ['{}', null],
  ])('c: %s is a limit of %s bytes', async (group, maxBytes) => {
    const text = groups.replace('{ max: 512KiB }', group) + head;
    const { scenario } = await loadScenario(written(text).path);
    expect(scenario.cgroups?.groups.at(-1)).toMatchObject({ path: '/c', maxBytes });
  });
});

describe('what is wrong is refused with file, line and what would be right', () => {
  it.each([
    [
      'a bare number',
      groups.replace('512KiB', '100'),
      /:3:\d+: cgroups\.c\.max is 100 without a unit/,
      /accepted: max, 50%/,
    ],
    ['a share above all', groups.replace('50%', '150%'), /:2:\d+: cgroups\.a\.max is 150%/, /accepted/],
    [
      'no size',
      groups.replace('512KiB', 'lots'),
      /cgroups\.c\.max is "lots", which is not a limit/,
      /accepted/,
    ],
    [
      'a quantity',
      groups.replace('{ max: 512KiB }', '{ epc: 5kb }'),
      /cgroups\.c\.epc is refused/,
      /suffixes/,
    ],
    [
      'a unified value',
      groups.replace('{ max: 512KiB }', '{ unified: { misc.max: sgx_epc 1M } }'),
      /cgroups\.c\.unified is refused/,
      /accepted/,
    ],
    [
      'another file',
      groups.replace('{ max: 512KiB }', '{ unified: { memory.max: "1" } }'),
      /sets memory\.max, which is not simulated/,
      /misc\.max/,
    ],
    [
      'two limits',
      groups.replace('{ max: 512KiB }', '{ max: 1MiB, epc: 1Mi }'),
      /cgroups\.c\.epc and cgroups\.c\.max exclude each other/,
      /keep one/,
    ],
    [
      'a group that is not there',
      groups.replace('  c:', '  d:'),
      /enclaves\[1\]\.cgroup is \/c, but there is no such group/,
      /Groups: \/a, \/a\/b, \/d/,
    ],
    [
      'a preset without a controller',
      `preset: linux-6\n${groups}`,
      /:1:\d+: preset is linux-6, which has no EPC controller/,
      /cgroup-v17/,
    ],
    [
      'a key that is mistyped',
      groups.replace('{ max: 512KiB }', '{ mx: 512KiB }'),
      /cgroups\.c\.mx is not a known key/,
      /Did you mean max/,
    ],
    [
      'a name that is none',
      groups.replace('  c:', '  1c/d:'),
      /has a name that cannot stand there/,
      /begins with a letter/,
    ],
    [
      'limits out of order',
      groups.replace('[{ at: 1ms, max: max }]', '[{ at: 1ms, max: max }, { at: 1ms, max: 1MiB }]'),
      /limits\[1\]\.at is not after/,
      /in order of time/,
    ],
    [
      'a policy without groups',
      'controller: { kill: mark }\n',
      /enclaves\[0\]\.cgroup|controller\.kill/,
      /./,
    ],
  ])('%s', async (_, text, message, hint) => {
    const { folder } = written(text + head);
    const outcome = await call(['run', 'scenario.yaml'], { cwd: folder });
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stdout).toBe('');
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stderr).toMatch(hint);
    expect(outcome.stderr).toMatch(/scenario\.yaml:\d+/);
  });

  it.each([['50%'], ['max'], ['8MiB'], ['12 pages'], ['0 pages'], ['8192B']])('%s is a limit', (limit) => {
    expect(parseGroupLimit(limit)).toHaveProperty('kind');
  });
});

describe('reports', () => {
  it('a run shows each group, and who could not go on', async () => {
    const { folder } = written(groups.replace('512KiB', '2 pages') + head);
    const outcome = await call(['run', 'scenario.yaml'], { cwd: folder });
    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    expect(outcome.stdout).toMatch(/What happened to cgroups \(design epckit\)/);
    expect(outcome.stdout).toMatch(
      /two could not go on: ADD_PAGES fails \(ENOMEM\); refused by the limit of \/c/,
    );
    expect(outcome.stdout).toMatch(/\/a\/b/);
  });

  it('compare varies limits and designs', async () => {
    const { folder } = written(groups + head);
    const varies = [
      '--vary',
      'cgroups.a.max=50%,20 pages',
      '--vary',
      'preset=epckit,cgroup-2020,cgroup-v5,cgroup-v17',
    ];
    const outcome = await call(
      ['compare', 'scenario.yaml', ...varies, '--jobs', '1', '--csv', 'out.csv', '--json', 'out.json'],
      {
        cwd: folder,
      },
    );
    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    expect(outcome.stdout).toMatch(/cgroup \/a\/b/);
    expect(outcome.stdout).toMatch(/fairness of throughput \(Jain\)/);
  });
});

it('a group of an enclave begins with /', async () => {
  const { folder } = written(`${groups}${head.replace('cgroup: /c', 'cgroup: c')}`);
  const { stderr } = await call(['run', 'scenario.yaml'], { cwd: folder });
  expect(stderr).toContain('enclaves[1].cgroup must be a path that begins with / and a name, not "c".');
  expect(stderr).toContain('such as /tenants/a');
});
