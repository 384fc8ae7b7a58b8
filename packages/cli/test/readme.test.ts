import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { samplePath } from '@epckit/trace';
import { describe, expect, it, vi } from 'vitest';
import { scenarioJsonSchema } from '../src/index.js';
import { call, temporaryFolder } from './captured-io.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

interface SchemaNode {
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
}

/** Every key below a node of the schema with its default; costs by name are one key for the reader. */
function keysOf(node: SchemaNode, path: string): (readonly [string, unknown])[] {
  if (path === 'costs.overrides') return [];
  const below = Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const childPath = path === '' ? key : `${path}.${key}`;
    return [[childPath, child.default] as const, ...keysOf(child, childPath)];
  });
  const inList = node.items === undefined ? [] : keysOf(node.items, `${path}[]`);
  return [...below, ...inList, ...(node.anyOf ?? []).flatMap((branch) => keysOf(branch, path))];
}

describe('the README', () => {
  it.each(keysOf(scenarioJsonSchema(), ''))('tells the key %s and its default', (key, value) => {
    const row = readme.split('\n').find((line) => line.startsWith(`| \`${key}\` `));
    expect(row).toBeDefined();
    if (value !== undefined && typeof value !== 'object') expect(row).toContain(`| \`${value}\` `);
  });

  it('shows a scenario that runs', async () => {
    const scenario = /```yaml\n([^`]*)```/.exec(readme)?.[1] ?? '';
    const cwd = temporaryFolder();
    const samples = join(cwd, 'node_modules/@epckit/trace/samples');
    mkdirSync(samples, { recursive: true });
    copyFileSync(samplePath('sqlite3-small'), join(samples, 'sqlite3-small.runs.gz'));
    writeFileSync(join(cwd, 'scenario.yaml'), scenario);
    const outcome = await call(['run', 'scenario.yaml'], { cwd });
    expect(outcome).toMatchObject({ exitCode: 0, stderr: '' });
    expect(outcome.stdout).toContain('accesses');
  });

  it('shows an error as it is printed', async () => {
    const shown = /```text\n([^`]*)```/.exec(readme)?.[1];
    const cwd = temporaryFolder();
    const before = 'machine:\n  epc: 4MiB\n  cpus: 1\n\nenclaves: [{ name: a, trace: a.gz }]\nreclaim:\n';
    writeFileSync(join(cwd, 'scenario.yaml'), `${before}  btach: 3\n`);
    expect((await call(['run', 'scenario.yaml'], { cwd })).stderr).toBe(shown);
  });
});

it('examples/run-a-scenario runs', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  await import('../examples/run-a-scenario.js');
  const printed = log.mock.calls.map((words) => words.join(' '));
  log.mockRestore();
  expect(printed).toEqual(['exit code 0', 'with page faults in 768 EPC pages']);
});
