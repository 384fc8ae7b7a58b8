import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RunFailure, type Scenario } from 'epckit';
import { describe, expect, it, vi } from 'vitest';
import { type Comparison, type Engine, facade } from '../../src/index.js';
import { call } from '../captured-io.js';
import { folderWithScenario, soundScenario } from '../scenario/scenario-file.js';
import { sourceEngine } from './source-engine.js';

vi.setConfig({ testTimeout: 60_000 });

/** Few references and few pages in the EPC: a run takes milliseconds. */
const quick = soundScenario.replace('4MiB', '700 pages').replace('5000', '1500\n    measured: false');
/** As {@link quick}, with something that draws from the seed. */
const seeded = `${quick}    startJitter: 1ms\n`;

const read = (folder: string, name: string) => readFileSync(join(folder, name), 'utf8');
const compare = (cwd: string, argv: readonly string[], engine: Engine = facade) =>
  call(['compare', 'x.yaml', ...argv], { cwd, engine, columns: 150 });

/** The model, counting what it runs. */
function countingEngine(): { readonly engine: Engine; readonly runs: Scenario[] } {
  const runs: Scenario[] = [];
  const run: Engine['run'] = (scenario, traces, options) => {
    runs.push(scenario);
    return facade.run(scenario, traces, options);
  };
  return { engine: { ...facade, run, worker: null }, runs };
}

describe('epckit compare', () => {
  it('shows all combinations with their ratios, and writes JSON and CSV', async () => {
    const cwd = folderWithScenario(seeded);
    const { exitCode, stdout, stderr } = await compare(cwd, [
      ...['--vary', 'reclaim.batch=4,16', '--vary', 'machine.epc=700 pages,3MiB'],
      ...['--repeat', '3', '--jobs', '1', '--json', 'c.json', '--csv', 'c.csv'],
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(stdout).toContain('small: 4 combinations, 3 runs with different seeds of each; medians');
    expect(stdout).toMatch(/^ {2}reclaim\.batch +4 +4 +16 +16$/m);
    expect(stdout).toMatch(/^ {2}machine\.epc +700 pages +3MiB +700 pages +3MiB$/m);
    expect(stdout).toMatch(/^ {2}page faults( +[\d,]+ ×\d\.\d\d){4}$/m);
    expect(stdout).toMatch(/^ {4}min–max( +\d\.\d+–\d\.\d+){4}$/m);
    expect(stdout).toMatch(/^ {4}writing pages out \(EWB\)( +\d+\.\d{3} ×\d\.\d\d){4}$/m);

    const comparison = JSON.parse(read(cwd, 'c.json')) as Comparison;
    expect(comparison).toMatchObject({
      format: 'epckit-compare-1',
      vary: [
        { path: 'reclaim.batch', values: [4, 16] },
        { path: 'machine.epc', values: ['700 pages', '3MiB'] },
      ],
      repeat: 3,
    });
    expect(comparison.combinations.map(({ values }) => Object.values(values))).toEqual([
      [4, '700 pages'],
      [4, '3MiB'],
      [16, '700 pages'],
      [16, '3MiB'],
    ]);
    for (const { runs, statistics } of comparison.combinations) {
      const faults = runs.map(({ report }) => report.total.faults).sort((a, b) => a - b);
      expect(statistics['faults']).toMatchObject({ min: faults[0], median: faults[1], max: faults[2] });
      expect(runs.map(({ seed }) => seed)).toEqual(comparison.combinations[0]?.runs.map(({ seed }) => seed));
      expect(runs[0]?.seed).toBe(1);
    }
    expect(comparison.combinations[2]?.runs[1]?.report.scenario.reclaim.batchPages).toBe(16);

    const rows = read(cwd, 'c.csv').trimEnd().split('\n');
    expect(rows).toHaveLength(1 + 4 * 3);
    expect(rows[0]).toMatch(/^reclaim\.batch,machine\.epc,seed,elapsedSeconds,.*,cycles\.COMPUTE,/);
    expect(rows[1]).toMatch(/^4,700 pages,1,\d/);
    expect(new Set(rows.map((row) => row.split(',').length)).size).toBe(1);
  });

  it('gives the same bytes with one and with two workers', async () => {
    const cwd = folderWithScenario(seeded);
    const argv = ['--vary', 'reclaim.batch=1,16', '--repeat', '2', '-q'];
    const one = await compare(cwd, [...argv, '--jobs', '1', '--json', 'one.json', '--csv', 'one.csv']);
    const two = await compare(
      cwd,
      [...argv, '--jobs', '2', '--json', 'two.json', '--csv', 'two.csv'],
      sourceEngine,
    );
    expect([one, two]).toEqual([
      { exitCode: 0, stdout: '', stderr: '' },
      { exitCode: 0, stdout: '', stderr: '' },
    ]);
    expect(read(cwd, 'two.json')).toBe(read(cwd, 'one.json'));
    expect(read(cwd, 'two.csv')).toBe(read(cwd, 'one.csv'));
  });

  it('gives the same bytes with one and with two workers for every kind of key', async () => {
    const cwd = folderWithScenario(`name: many keys
machine:
  nodes: 2
  cpusPerNode: 2
  epcPerNode: 300 pages
  distances: [[10, 21], [21, 10]]
  slice: 50us
costs: { table: server, file: mine.yaml, level: maximum, microcode: 1.75, ipi: trapped }
enclaves:
  - name: first
    dynamicShare: 0.5
    measured: false
    threads:
      - { generator: { kind: zipf, runs: 1500, pages: 400 } }
      - { generator: { kind: scan, runs: 1000, pages: 300 }, start: 1ms }
  - name: second
    generator: { kind: uniform, runs: 1500, pages: 400 }
    measured: false
    cpus: [3, 3]
`);
    writeFileSync(join(cwd, 'mine.yaml'), 'ELDU: { typical: 9000, max: 12000 }\nCOMPUTE: 20\n');
    const argv = [
      ...['--vary', 'reclaim.daemons=1,2', '--vary', 'reclaim.daemonPlacement=own,shared'],
      ...['--vary', 'allocator.fallback=ascending,byDistance', '--out', 'out', '-q'],
    ];
    const one = await compare(cwd, [...argv, '--jobs', '1', '--json', 'one.json', '--csv', 'one.csv']);
    const files = readdirSync(join(cwd, 'out'));
    for (const name of files.slice(0, 5)) rmSync(join(cwd, 'out', name));
    const two = await compare(
      cwd,
      [...argv, '--jobs', '2', '--json', 'two.json', '--csv', 'two.csv'],
      sourceEngine,
    );
    expect([one, two]).toEqual([
      { exitCode: 0, stdout: '', stderr: '' },
      { exitCode: 0, stdout: '', stderr: '' },
    ]);
    expect(read(cwd, 'two.json')).toBe(read(cwd, 'one.json'));
    expect(read(cwd, 'two.csv')).toBe(read(cwd, 'one.csv'));
    const { combinations } = JSON.parse(read(cwd, 'one.json')) as Comparison;
    expect(combinations).toHaveLength(8);
    expect(combinations.map(({ runs }) => runs[0]?.report.daemons.length)).toEqual([1, 1, 1, 1, 2, 2, 2, 2]);
  });

  it('does not take results with other costs of one’s own for its own', async () => {
    const cwd = folderWithScenario(`${quick}costs: { file: mine.yaml }\n`);
    const argv = ['--jobs', '1', '--out', 'out', '-q'];
    for (const [cycles, runsNow] of [
      [1, 1],
      [2, 1],
      [1, 0],
    ] as const) {
      writeFileSync(join(cwd, 'mine.yaml'), `EWB: ${cycles}\n`);
      const { engine, runs } = countingEngine();
      expect((await compare(cwd, argv, engine)).exitCode).toBe(0);
      expect(runs).toHaveLength(runsNow);
    }
  });

  it('without --vary runs the scenario as it is', async () => {
    const { stdout, exitCode } = await compare(folderWithScenario(quick), ['--jobs', '1', '--repeat', '2']);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('small: 1 combination, 2 runs');
    expect(stdout).toContain('All seeds gave the same numbers');
  });

  it('varies generated traces with the seed, and the same ones in every combination', async () => {
    const text = quick.replace(
      /trace: .*\n.*\n/,
      'generator: { kind: zipf, runs: 2000, pages: 900, exponent: 0.8 }\n',
    );
    const cwd = folderWithScenario(text);
    await compare(cwd, ['--vary', 'reclaim.batch=4,16', '--repeat', '3', '--jobs', '1', '--json', 'c.json']);
    const { combinations } = JSON.parse(read(cwd, 'c.json')) as Comparison;
    const pages = combinations.map(({ runs }) => runs.map(({ report }) => report.enclaves[0]?.pages));
    expect(new Set(pages[0]).size).toBeGreaterThan(1);
    expect(pages[1]).toEqual(pages[0]);
  });

  it('splits a table that is too wide, each part with the first column', async () => {
    const batches = Array.from({ length: 18 }, (_, index) => index + 1);
    const { stdout } = await compare(folderWithScenario(quick), [
      ...['--vary', `reclaim.batch=${batches.join(',')}`, '--jobs', '1'],
    ]);
    const heads = stdout.split('\n').filter((line) => line.startsWith('  reclaim.batch'));
    expect(heads.length).toBeGreaterThan(1);
    for (const head of heads) expect(head).toMatch(/^ {2}reclaim\.batch +1 /);
    expect(Math.max(...stdout.split('\n').map(({ length }) => length))).toBeLessThanOrEqual(150);
    const shown = heads.flatMap((head) => head.trim().split(/ +/).slice(1).map(Number));
    expect([...new Set(shown)].sort((a, b) => a - b)).toEqual(batches);
  });

  it('draws progress on a terminal only', async () => {
    const cwd = folderWithScenario(quick);
    const argv = ['compare', 'x.yaml', '--vary', 'reclaim.batch=4,8', '--jobs', '1'];
    const { stderr } = await call(argv, { cwd, isTTY: true });
    expect(stderr).toMatch(/\[#{15}\.{15}\] {2}50 % {2}1 of 2 runs/);
    expect(stderr.endsWith('\r\u001b[K')).toBe(true);
  });
});

/** Case, arguments, message or its start, part of what follows. */
const refused: readonly (readonly [string, readonly string[], string, string])[] = [
  [
    'an unknown key',
    ['--vary', 'reclaim.btach=1,2'],
    '--vary reclaim.btach=1: reclaim.btach is not a known key.',
    'Did you mean batch?',
  ],
  [
    'a value of the wrong type',
    ['--vary', 'reclaim.batch=16,many'],
    '--vary reclaim.batch=many: reclaim.batch must be a whole number, not "many".',
    'pages per reclaim batch',
  ],
  [
    'a size without unit',
    ['--vary', 'machine.epc=4MiB,8'],
    '--vary machine.epc=8: machine.epc is 8 without a unit.',
    'give a unit',
  ],
  [
    'a key below a value',
    ['--vary', 'machine.cpus.0.node=1'],
    '--vary machine.cpus.0.node=1: There is no machine.cpus[0].node: machine.cpus is no list.',
    'numbered from 0',
  ],
  [
    'an entry that is not there',
    ['--vary', 'enclaves.1.runs=5'],
    '--vary enclaves.1.runs=5: There is no enclaves[1].runs: enclaves is a list of 1.',
    'numbered from 0',
  ],
  [
    'no values',
    ['--vary', 'reclaim.batch='],
    '--vary reclaim.batch=: its values are no list a,b,c.',
    'quotes',
  ],
  ['a gap', ['--vary', 'reclaim.batch=1,,2'], '--vary reclaim.batch=1,,2: its values are no list a,b,c.', ''],
  ['a list', ['--vary', 'name=[a],b'], '--vary name=[a],b: value 1 is not a text, a number', 'plain'],
  [
    'no path',
    ['--vary', 'reclaim'],
    '--vary reclaim: it is not of the form path=a,b,c.',
    'reclaim.batch=1,4,16',
  ],
  [
    'one value twice',
    ['--vary', 'reclaim.batch=4,4'],
    'Two combinations are the same: reclaim.batch=4 and reclaim.batch=4.',
    'Give each value once',
  ],
  [
    'two ways to write one value',
    ['--vary', 'machine.epc=4MiB,1024 pages'],
    'Two combinations are the same: machine.epc=4MiB and machine.epc=1024 pages.',
    '--repeat',
  ],
  [
    'one key twice',
    ['--vary', 'enclaves.0.runs=5', '--vary', 'enclaves[0].runs=6'],
    '--vary enclaves[0].runs: enclaves[0].runs is varied already.',
    'in one --vary',
  ],
  [
    'a combination that contradicts itself',
    ['--vary', 'reclaim.low=10,70', '--vary', 'reclaim.batch=4,8'],
    '--vary reclaim.low=70: reclaim.low (70 pages) is above reclaim.high (64 pages).',
    'in the combination reclaim.low=70, reclaim.batch=4',
  ],
  [
    'an EPC that is too small',
    ['--vary', 'machine.epc=4MiB,20 pages'],
    '--vary machine.epc=20 pages: An EPC of 20 pages is too small',
    'Give at least',
  ],
  [
    'a trace that is not there',
    ['--vary', 'enclaves.0.trace=sample.runs.gz,other.gz'],
    '--vary enclaves.0.trace=other.gz: There is no file other.gz.',
    'Check the path',
  ],
  [
    'more daemons than nodes',
    ['--vary', 'reclaim.daemonNodes=perNode', '--vary', 'reclaim.daemons=1,2'],
    '--vary reclaim.daemons=2: reclaim.daemons is 2, but 1 node of the machine has EPC',
    'Give 1.',
  ],
  ['no runs', ['--repeat', '0'], '--repeat must be a whole number from 1 to 1000, not "0".', ''],
  ['half a worker', ['--jobs', '1.5'], '--jobs must be a whole number from 1 to 1024, not "1.5".', ''],
  [
    'too many runs',
    ['--vary', 'seed=1,2', '--repeat', '1000', '--vary', 'reclaim.batch=1,2,3,4,5,6'],
    'The comparison has 12000 runs',
    '',
  ],
  [
    'its own input as output',
    ['--json', 'sample.runs.gz'],
    'sample.runs.gz cannot be written: it is read by',
    '',
  ],
  [
    'two results in one file',
    ['--json', 'r', '--csv', 'r'],
    'r cannot be written: two results would go to it.',
    '',
  ],
  [
    'a file as --out',
    ['--out', 'x.yaml'],
    '--out x.yaml cannot be used: it is not a folder.',
    'Give a folder',
  ],
  [
    'a folder in no folder',
    ['--out', 'a/b'],
    '--out a/b cannot be used: there is no such file or folder.',
    '',
  ],
];

describe('epckit compare refuses, before the first run,', () => {
  it.each(refused)('%s', async (_case, argv, message, more) => {
    const cwd = folderWithScenario(quick);
    const before = readdirSync(cwd);
    const { engine, runs } = countingEngine();
    const outcome = await compare(cwd, argv, engine);
    const [first, ...rest] = outcome.stderr.split('\n');
    expect(first).toContain(`epckit: ${message}`);
    expect(rest.join('\n')).toContain(more);
    expect(outcome).toMatchObject({ exitCode: 2, stdout: '' });
    expect(runs).toEqual([]);
    expect(readdirSync(cwd)).toEqual(before);
  });
});

describe('a run that fails', () => {
  it('names scenario and combination, and keeps what was finished', async () => {
    // Starts so late that its times have no exact numbers.
    const cwd = folderWithScenario(`${quick}    startJitter: 86400s\ncosts: { clockGhz: 100 }\n`);
    const argv = ['--vary', 'enclaves.0.start=0s,86400s', '--json', 'c.json'];
    for (const [jobs, engine] of [
      ['1', facade],
      ['2', sourceEngine],
    ] as const) {
      const outcome = await compare(cwd, [...argv, '--jobs', jobs, '--out', `out${jobs}`], engine);
      expect(outcome).toMatchObject({ exitCode: 2, stdout: '' });
      expect(outcome.stderr).toMatch(/^epckit: x\.yaml: The run took more than 2\^53 cycles/);
      expect(outcome.stderr).toContain('in the combination enclaves.0.start=86400s');
      expect(outcome.stderr).toContain('hint: Lower costs, runs or repeat.');
      expect(readdirSync(cwd)).not.toContain('c.json');
    }
    // One at a time, the first is finished when the second fails.
    expect(readdirSync(join(cwd, 'out1'))).toHaveLength(1);
  });

  it('names the enclave that cannot run', async () => {
    const run: Engine['run'] = () => {
      throw new RunFailure('first', "Enclave 'first' cannot run.", [], 'Give more.');
    };
    const outcome = await compare(folderWithScenario(quick), ['--jobs', '1'], { ...facade, run });
    expect(outcome.stderr).toBe("epckit: x.yaml:8:5: Enclave 'first' cannot run.\n  hint: Give more.\n");
  });

  it('is a defect if the model breaks', async () => {
    const engine: Engine = {
      ...facade,
      worker: null,
      run: () => {
        throw new TypeError('it broke');
      },
    };
    const outcome = await compare(folderWithScenario(quick), ['--vary', 'reclaim.batch=1,2'], engine);
    expect(outcome.exitCode).toBe(3);
    expect(outcome.stderr).toContain('epckit: it broke\n');
    expect(outcome.stderr).toContain('epckit compare x.yaml --vary reclaim.batch=1,2');
  });
});

describe('--out', () => {
  const argv = ['--vary', 'reclaim.batch=1,4,16', '--repeat', '2', '--out', 'out', '--jobs', '1', '-q'];

  it('goes on from what is finished, and gives the same bytes', async () => {
    const cwd = folderWithScenario(seeded);
    await compare(cwd, [...argv, '--json', 'whole.json']);
    const files = readdirSync(join(cwd, 'out')).sort();
    expect(files).toHaveLength(6);
    for (const name of files) expect(name).toMatch(/^run-[0-9a-f]{24}\.json$/);
    // As after a kill: some results, and the draft of one that was being written.
    for (const name of files.slice(2)) rmSync(join(cwd, 'out', name));
    const kept = files.slice(0, 2).map((name) => [name, statSync(join(cwd, 'out', name)).mtimeMs] as const);
    writeFileSync(join(cwd, 'out', `.${files[2]}.0.tmp`), '{"format":"epck');
    const { engine, runs } = countingEngine();
    const outcome = await compare(cwd, [...argv, '--json', 'resumed.json'], engine);
    expect(outcome).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    expect(runs).toHaveLength(4);
    expect(read(cwd, 'resumed.json')).toBe(read(cwd, 'whole.json'));
    for (const [name, time] of kept) expect(statSync(join(cwd, 'out', name)).mtimeMs).toBe(time);
    const again = countingEngine();
    await compare(cwd, [...argv, '--json', 'again.json'], again.engine);
    expect(again.runs).toEqual([]);
    expect(read(cwd, 'again.json')).toBe(read(cwd, 'whole.json'));
  });

  it('keeps a run as soon as it is finished', async () => {
    const cwd = folderWithScenario(seeded);
    let left = 3;
    const run: Engine['run'] = (scenario, traces, options) => {
      if (left-- === 0) throw new TypeError('killed');
      return facade.run(scenario, traces, options);
    };
    expect((await compare(cwd, argv, { ...facade, run, worker: null })).exitCode).toBe(3);
    expect(readdirSync(join(cwd, 'out'))).toHaveLength(3);
    const { engine, runs } = countingEngine();
    expect((await compare(cwd, argv, engine)).exitCode).toBe(0);
    expect(runs).toHaveLength(3);
  });

  it('does not take results of other scenarios, traces, seeds for its own', async () => {
    const cwd = folderWithScenario(seeded);
    await compare(cwd, argv);
    const change = async (text: string) => {
      writeFileSync(join(cwd, 'x.yaml'), text);
      const { engine, runs } = countingEngine();
      expect((await compare(cwd, argv, engine)).exitCode).toBe(0);
      return runs.length;
    };
    expect(await change(`${seeded}seed: 1\n`)).toBe(0);
    expect(await change(`${seeded}costs: { overrides: { EWB: 1 } }\n`)).toBe(6);
    expect(await change(`${seeded}seed: 2\n`)).toBe(6);
    writeFileSync(join(cwd, 'sample.runs.gz'), '40a0 W 1\n4ab1 R 1\n'.repeat(800));
    expect(await change(seeded)).toBe(6);
    expect(readdirSync(join(cwd, 'out'))).toHaveLength(24);
  });

  const spoil: readonly (readonly [string, (path: string) => void, string])[] = [
    ['cut off', (path) => truncateSync(path, statSync(path).size >> 1), 'it is no JSON, or cut off'],
    ['empty', (path) => truncateSync(path, 0), 'it is no JSON, or cut off'],
    ['of another format', (path) => writeFileSync(path, '{"format":"epckit-run-1"}'), 'its format is not'],
    ['no result at all', (path) => writeFileSync(path, '[]'), 'its format is not'],
    [
      'edited',
      (path) => writeFileSync(path, readFileSync(path, 'utf8').replace(/"faults":\d+/, '"faults":1')),
      'its report was changed',
    ],
    [
      'of another run',
      (path) => {
        const other = readdirSync(join(path, '..')).find((name) => !path.endsWith(name)) as string;
        writeFileSync(path, readFileSync(join(path, '..', other)));
      },
      'it belongs to another run',
    ],
  ];

  it.each(spoil)('neither reads nor overwrites a file that is %s', async (_kind, change, reason) => {
    const cwd = folderWithScenario(quick);
    const few = ['--vary', 'reclaim.batch=1,4', '--out', 'out', '--jobs', '1', '-q'];
    await compare(cwd, few);
    const name = readdirSync(join(cwd, 'out'))[0] as string;
    const path = join(cwd, 'out', name);
    change(path);
    const spoiled = readFileSync(path, 'utf8');
    const { engine, runs } = countingEngine();
    const outcome = await compare(cwd, few, engine);
    expect(outcome).toMatchObject({ exitCode: 2, stdout: '' });
    expect(outcome.stderr).toContain(`epckit: out/${name} is not a result of this comparison: ${reason}`);
    expect(runs).toEqual([]);
    expect(readFileSync(path, 'utf8')).toBe(spoiled);
    rmSync(path);
    expect((await compare(cwd, few)).exitCode).toBe(0);
  });
});
