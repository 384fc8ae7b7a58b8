import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { type Engine, facade } from '../../src/index.js';
import { call } from '../captured-io.js';
import { folderWithScenario, soundScenario } from '../scenario/scenario-file.js';

vi.setConfig({ testTimeout: 60_000 });

/** Two threads that compute long enough to be interrupted while others evict. */
const text = `${soundScenario.replace('4MiB', '200 pages').replace('5000', '1500')}    threads: 2
    buildCost: false
costs: { overrides: { COMPUTE: 3000 } }
`;

interface ChromeEvent {
  readonly ph: string;
  readonly ts: number;
  readonly pid: number;
  readonly tid: number;
  readonly name: string;
  readonly s?: string;
  readonly args: Readonly<Record<string, unknown>>;
}

async function run(name: string, options: { readonly engine?: Engine } = {}) {
  const cwd = folderWithScenario(text);
  const outcome = await call(['run', 'x.yaml', '-q', '--events', name, '--json', 'r.json'], {
    cwd,
    ...options,
  });
  const read = (file: string) => readFileSync(join(cwd, file), 'utf8');
  return { cwd, outcome, read };
}

describe('epckit run --events', () => {
  it('writes a line of JSON per event, of one thread in order of time', async () => {
    const { outcome, read } = await run('e.ndjson');
    expect(outcome).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    const [head, ...events] = read('e.ndjson')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    expect(head).toEqual({ format: 'epckit-events-1', scenario: 'small', seed: 1, clockGhz: 3.5 });
    const { total } = JSON.parse(read('r.json')) as { total: Record<string, number> };
    const ended = (name: string) =>
      events.filter(({ event, phase }) => event === name && phase === 'end').length;
    expect(ended('batch')).toBe((total['ksgxdBatches'] ?? 0) + (total['directReclaims'] ?? 0));
    expect(ended('ipi')).toBe(total['ipiRounds']);
    expect(total['ipiRounds']).toBeGreaterThan(0);
    const last = new Map<unknown, number>();
    for (const { cycle, thread, cpu } of events) {
      expect(cpu).toBeTypeOf('number');
      expect(cycle as number).toBeGreaterThanOrEqual(last.get(thread) ?? 0);
      last.set(thread, cycle as number);
    }
    expect([...last.keys()].sort()).toEqual(['cpu0', 'cpu1', 'ksgxd']);
  });

  it('writes what Perfetto opens if the file ends in .trace.json', async () => {
    const { outcome, read } = await run('e.trace.json');
    expect(outcome.exitCode).toBe(0);
    const trace = JSON.parse(read('e.trace.json')) as {
      readonly displayTimeUnit: string;
      readonly traceEvents: readonly ChromeEvent[];
    };
    expect(trace.displayTimeUnit).toBe('ns');
    const { traceEvents } = trace;
    expect(new Set(traceEvents.map(({ ph }) => ph))).toEqual(new Set(['M', 'B', 'E', 'i', 'C']));
    const names = traceEvents.filter(({ ph, name }) => ph === 'M' && name === 'thread_name');
    expect(names.map(({ args }) => args['name']).sort()).toEqual([
      'cpu0 on CPU 0',
      'cpu1 on CPU 1',
      'ksgxd on CPU 2',
    ]);
    const open = new Map<number, string[]>();
    const time = new Map<number, number>();
    for (const { ph, ts, pid, tid, name, s } of traceEvents) {
      expect(pid).toBe(1);
      if (ph === 'M' || ph === 'C') continue;
      expect(names.some((one) => one.tid === tid)).toBe(true);
      expect(ts).toBeGreaterThanOrEqual(time.get(tid) ?? 0);
      time.set(tid, ts);
      const stack = open.get(tid) ?? [];
      open.set(tid, stack);
      if (ph === 'B') stack.push(name);
      if (ph === 'E') expect(stack.pop()).toBe(name);
      if (ph === 'i') expect(s).toBe('t');
    }
    expect([...open.values()].flat()).toEqual([]);
    const begun = new Set(traceEvents.filter(({ ph }) => ph === 'B').map(({ name }) => name));
    expect(begun).toEqual(new Set(['fault', 'batch', 'ipi', 'ksgxd.awake']));
  });

  it('does not change the report, and gives the same bytes twice', async () => {
    const first = await run('e.ndjson');
    const second = await run('e.ndjson');
    expect(second.read('e.ndjson')).toBe(first.read('e.ndjson'));
    const argv = ['run', 'x.yaml', '-q', '--json', 'plain.json'];
    await call(argv, { cwd: first.cwd });
    expect(first.read('plain.json')).toBe(first.read('r.json'));
  });

  it('leaves a former file alone when the run fails', async () => {
    const cwd = folderWithScenario(text);
    writeFileSync(join(cwd, 'e.ndjson'), 'former');
    const engine: Engine = {
      ...facade,
      run: (scenario, traces, options) => {
        facade.run(scenario, traces, options);
        throw new TypeError('it broke');
      },
    };
    const outcome = await call(['run', 'x.yaml', '--events', 'e.ndjson'], { cwd, engine });
    expect(outcome.exitCode).toBe(3);
    expect(readFileSync(join(cwd, 'e.ndjson'), 'utf8')).toBe('former');
    expect(readdirSync(cwd).sort()).toEqual(['e.ndjson', 'sample.runs.gz', 'x.yaml']);
  });

  it('may go to a device', async () => {
    const { outcome } = await run('/dev/null');
    expect(outcome.exitCode).toBe(0);
  });

  it('refuses the file of another result', async () => {
    const { outcome } = await run('r.json');
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('epckit: r.json cannot be written: two results would go to it.');
  });
});
