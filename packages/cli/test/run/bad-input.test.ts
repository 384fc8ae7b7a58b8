import { existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { InvariantViolation } from '@epckit/interface';
import { RunFailure } from 'epckit';
import { describe, expect, it } from 'vitest';
import { type Engine, facade } from '../../src/index.js';
import { call } from '../captured-io.js';
import { folderWithScenario, soundScenario } from '../scenario/scenario-file.js';

/** Changes one line of the sound scenario. */
function withLine(from: string, to: string): string {
  const text = soundScenario.replace(from, to);
  if (text === soundScenario) throw new Error(`the scenario has no "${from}"`);
  return text;
}

const anotherEnclave = (keys: string) => `${soundScenario}  - { ${keys}, trace: sample.runs.gz }\n`;

/** Case, scenario, the message as a whole or its start, and a part of the hint. */
const cases: readonly (readonly [string, string, string, string])[] = [
  [
    'unknown key',
    withLine('batch: 16', 'btach: 16'),
    'x.yaml:6:3: reclaim.btach is not a known key.',
    'Did you mean batch? Known here: batch, low, high, policy, daemons, daemonPlacement, daemonNodes.',
  ],
  ['unknown key at the top', `${soundScenario}sed: 3\n`, 'x.yaml:11:1: sed is not', 'Did you mean seed?'],
  [
    'unknown key in a list',
    anotherEnclave('nmae: b, name: c'),
    'x.yaml:11:7: enclaves[1].nmae is not a known key.',
    'Did you mean name?',
  ],
  [
    'unknown key of a CPU',
    withLine('cpus: 2', 'cpus: [{ nod: 0 }]'),
    'x.yaml:3:12: machine.cpus[0].nod is not a known key.',
    'Did you mean node?',
  ],
  [
    'cost so large that sums of cycles lose digits',
    `${soundScenario}costs: { overrides: { EWB: 9e15 } }\n`,
    'x.yaml:11:28: costs.overrides.EWB must be at most 1000000000, not 9000000000000000.',
    'cycles of EWB',
  ],
  [
    'endless repetition',
    `${soundScenario}    repeat: 1000001\n`,
    'x.yaml:11:13: enclaves[0].repeat must be at most 1000000, not 1000001.',
    'how often the trace is replayed',
  ],
  [
    'clock that stands still',
    `${soundScenario}costs: { clockGhz: 0 }\n`,
    'x.yaml:11:20: costs.clockGhz must be more than 0, not 0.',
    'core clock in GHz',
  ],
  [
    'size in bytes',
    withLine('epc: 4MiB', 'epc: 5000B'),
    'x.yaml:4:8: machine.epc is 5000 bytes, which is not a multiple of 4096.',
    'the next size is 2 pages',
  ],
  [
    'folder as a trace',
    withLine('sample.runs.gz', '.'),
    'x.yaml:9:12: . is a directory.',
    'Name one trace file',
  ],
  [
    'unknown cost',
    `${soundScenario}costs: { overrides: { EBW: 1 } }\n`,
    'x.yaml:11:23: costs.overrides.EBW is not a known key.',
    'Did you mean EWB?',
  ],
  [
    'size without unit',
    withLine('epc: 4MiB', 'epc: 8'),
    'x.yaml:4:8: machine.epc is 8 without a unit.',
    'give a unit: 8MiB or 2048 pages',
  ],
  ['wrong unit', withLine('4MiB', '4MB'), 'x.yaml:4:8: machine.epc has the unknown unit "MB".', '4MiB'],
  [
    'EPC of 0 pages',
    withLine('4MiB', '0 pages'),
    'x.yaml:4:8: machine.epc asks for an EPC of 0 pages.',
    'at least 1 page',
  ],
  [
    'EPC too small to run',
    withLine('4MiB', '69 pages'),
    'x.yaml:4:8: An EPC of 69 pages is too small to ever run this scenario.',
    'at least 70 pages',
  ],
  ['no EPC', withLine('  epc: 4MiB\n', ''), 'x.yaml:2:1: machine has no EPC.', 'machine.epc'],
  [
    'two kinds of EPC',
    withLine('epc: 4MiB', 'epc: 4MiB\n  sections: [{ node: 0, epc: 4MiB }]'),
    'x.yaml:5:3: machine.sections and machine.epc exclude each other.',
    'Keep',
  ],
  [
    'section without size',
    withLine('epc: 4MiB', 'sections: [{ node: 0 }]'),
    'x.yaml:4:14: machine.sections[0].epc is missing.',
    'size of the section',
  ],
  [
    'missing key',
    'machine: { epc: 4MiB }\n',
    'x.yaml:1:1: enclaves is missing.',
    'each with a trace of what its program touches',
  ],
  [
    'unknown preset',
    `preset: linux6\n${soundScenario}`,
    'x.yaml:1:9: preset must be linux-6 or epckit or cgroup-2020 or cgroup-v5 or cgroup-v17 or kvm-oversub, not "linux6".',
    'Did you mean linux-6?',
  ],
  [
    'wrong type',
    `seed: many\n${soundScenario}`,
    'x.yaml:1:7: seed must be a whole number, not "many".',
    'seed',
  ],
  ['fraction', `seed: 1.5\n${soundScenario}`, 'x.yaml:1:7: seed must be a whole number, not 1.5.', 'seed'],
  ['negative', `seed: -1\n${soundScenario}`, 'x.yaml:1:7: seed must be at least 0, not -1.', 'seed'],
  ['empty value', `seed:\n${soundScenario}`, 'x.yaml:1:6: seed must be a whole number, not empty.', 'seed'],
  ['no CPU', withLine('cpus: 2', 'cpus: 0'), 'x.yaml:3:9: machine.cpus must be at least 1, not 0.', 'CPUs'],
  [
    'empty list',
    'machine: { epc: 4MiB }\nenclaves: []\n',
    'x.yaml:2:11: enclaves must not be empty.',
    'enclaves',
  ],
  [
    'empty file',
    '# nothing\n',
    'x.yaml:1:1: A scenario must be a mapping of keys to values, not empty.',
    'README',
  ],
  [
    'low above high',
    withLine('batch: 16', 'low: 65'),
    'x.yaml:6:8: reclaim.low (65 pages) is above reclaim.high (64 pages).',
    'low ≤ high',
  ],
  [
    'two enclaves of one name',
    anotherEnclave('name: first'),
    'x.yaml:11:13: enclaves[1].name is "first", as that of enclaves[0].',
    'a name of its own',
  ],
  [
    'CPU out of range',
    anotherEnclave('name: b, cpu: 2'),
    'x.yaml:11:21: enclaves[1].cpu is 2, but the machine has 2 CPUs.',
    'a cpu from 0 to 1',
  ],
  [
    'more enclaves than CPUs',
    `${withLine('cpus: 2', 'cpus: 1')}  - { name: b, trace: sample.runs.gz }\n`,
    'x.yaml:11:5: enclaves[1].cpu is 1 (its place in the list, as no cpu is given), but the machine has 1 CPU.',
    'Raise machine.cpus to 2, or give cpu 0: threads of one CPU take turns.',
  ],
  [
    'a slice without length',
    withLine('epc: 4MiB', 'epc: 4MiB\n  slice: 0ms'),
    'x.yaml:5:10: machine.slice is 0: no thread would ever run.',
    'such as 3ms',
  ],
  [
    'a slice without unit',
    withLine('epc: 4MiB', 'epc: 4MiB\n  slice: 3'),
    'x.yaml:5:10: machine.slice is 3 without a unit.',
    'give a unit',
  ],
  [
    'distances of more nodes than there are',
    withLine('epc: 4MiB', 'epc: 4MiB\n  distances: [[10, 20], [20, 10]]'),
    'x.yaml:5:14: machine.distances has 2 rows, but the machine has 1 node.',
    'Give a row and a column for each node',
  ],
  [
    'a row of distances that is too short',
    withLine('epc: 4MiB', 'sections: [{ node: 1, epc: 4MiB }]\n  distances: [[10, 20], [20]]'),
    'x.yaml:5:25: machine.distances[1] has 1 distance, but the machine has 2 nodes.',
    '10 on the diagonal',
  ],
  [
    'a node as near as itself',
    withLine('epc: 4MiB', 'sections: [{ node: 1, epc: 4MiB }]\n  distances: [[10, 10], [20, 10]]'),
    'x.yaml:5:20: machine.distances[0][1] is 10, from node 0 to node 1.',
    '11 to 254 elsewhere',
  ],
  [
    'a node that is not where it is',
    withLine('epc: 4MiB', 'epc: 4MiB\n  distances: [[11]]'),
    'x.yaml:5:16: machine.distances[0][0] is 11, from node 0 to itself.',
    '10 on the diagonal',
  ],
  [
    'a distance that means unreachable',
    withLine('epc: 4MiB', 'epc: 4MiB\n  distances: [[255]]'),
    'x.yaml:5:16: machine.distances[0][0] must be at most 254, not 255.',
    '',
  ],
  [
    'the nearest node without distances',
    `${soundScenario}allocator: { fallback: byDistance }\n`,
    'x.yaml:11:24: allocator.fallback is byDistance, but machine.distances is missing.',
    '[[10, 21], [21, 10]]',
  ],
  [
    'half a daemon',
    withLine('batch: 16', 'daemons: 0.5'),
    'x.yaml:6:12: reclaim.daemons must be a whole number, not 0.5.',
    'one per node',
  ],
  [
    'no daemon',
    withLine('batch: 16', 'daemons: 0'),
    'x.yaml:6:12: reclaim.daemons must be at least 1, not 0.',
    'reclaim daemons',
  ],
  [
    'daemons on CPUs that do not exist',
    withLine('batch: 16', 'daemonPlacement: cpu9'),
    'x.yaml:6:20: reclaim.daemonPlacement must be own or shared, not "cpu9".',
    'taking turns',
  ],
  [
    'more daemons than nodes',
    withLine('batch: 16', 'daemons: 3\n  daemonNodes: perNode'),
    'x.yaml:6:12: reclaim.daemons is 3, but 1 node of the machine has EPC (daemonNodes is perNode).',
    'Give 1.',
  ],
  [
    'a daemon on a node without CPUs',
    withLine('epc: 4MiB', 'sections: [{ node: 1, epc: 4MiB }]').replace(
      'batch: 16',
      'daemonNodes: perNode\n  daemonPlacement: shared',
    ),
    'x.yaml:7:20: reclaim.daemonPlacement is shared, but node 1 has no CPU for its daemon.',
    'Give own',
  ],
  [
    'equal nodes without their EPC',
    withLine('epc: 4MiB', 'epc: 4MiB\n  nodes: 2'),
    'x.yaml:5:3: machine.nodes is given without machine.epcPerNode.',
    'Equal nodes take',
  ],
  [
    'equal nodes and a number of CPUs',
    withLine('epc: 4MiB', 'epcPerNode: 4MiB'),
    'x.yaml:3:3: machine.cpus and machine.epcPerNode exclude each other.',
    'cpusPerNode',
  ],
  [
    'more threads than CPUs',
    `${soundScenario}    threads: 3\n`,
    'x.yaml:8:5: A thread of enclaves[0] is on CPU 2, but the machine has 2 CPUs.',
    'Raise machine.cpus to 3, or give a cpu from 0 to 1: threads of one CPU take turns.',
  ],
  [
    'a list of threads, and a trace for all',
    `${soundScenario}    threads: [{ trace: sample.runs.gz }]\n`,
    'x.yaml:9:5: enclaves[0].trace and a list of enclaves[0].threads exclude each other.',
    'Give trace to each thread',
  ],
  [
    'a thread without a trace',
    withLine('trace: sample.runs.gz\n', 'threads: [{ cpu: 1 }]\n'),
    'x.yaml:9:15: enclaves[0].threads[0].trace is missing.',
    'Or a generator',
  ],
  [
    'an unknown key of a thread',
    withLine('trace: sample.runs.gz\n', 'threads: [{ trac: a }]\n'),
    'x.yaml:9:17: enclaves[0].threads[0].trac is not a known key.',
    'Did you mean trace? Known here: trace, generator, cpu, start.',
  ],
  [
    'a trace of a thread that is not there',
    withLine('trace: sample.runs.gz\n', 'threads: [{ trace: sample.runs.gz }, { trace: b.gz }]\n'),
    'x.yaml:9:51: There is no file b.gz.',
    'Check the path',
  ],
  [
    'a thread of a list on a CPU that does not exist',
    withLine('trace: sample.runs.gz\n', 'threads: [{ trace: a, cpu: 7 }]\n'),
    'x.yaml:9:32: enclaves[0].threads[0].cpu is 7, but the machine has 2 CPUs.',
    'Raise machine.cpus to 8, or give a cpu from 0 to 1',
  ],
  [
    'more runs than the trace of one thread has',
    `${withLine('trace: sample.runs.gz\n', 'threads: [{ generator: { kind: scan, runs: 9, pages: 3 } }]\n')}`,
    'x.yaml:10:11: enclaves[0].runs is 5000, but the trace has 9 runs.',
    'Leave runs out',
  ],
  [
    'pages added at run time on a part that cannot do that',
    `${soundScenario}    dynamicShare: 0.5\n`,
    'x.yaml:11:19: enclaves[0].dynamicShare is 0.5, but the client table is of parts without EAUG (SGX1).',
    'Give costs.table: server, or costs of EAUG, EACCEPT, EMODPE of your own.',
  ],
  [
    'more than all pages added at run time',
    `${soundScenario}    dynamicShare: 2\n`,
    'x.yaml:11:19: enclaves[0].dynamicShare must be at most 1, not 2.',
    'added on first touch',
  ],
  [
    'several enclaves on the CPUs of one',
    `${soundScenario}    instances: 2\n    cpus: [1]\n`,
    'x.yaml:12:5: enclaves[0].instances is 2, but enclaves[0].cpus lists the cpus of one.',
    'Give threads as a number',
  ],
  [
    'an enclave with the name of an instance',
    `${soundScenario}    instances: 2\n  - { name: first 1, trace: sample.runs.gz }\n`,
    'x.yaml:12:13: enclaves[1].name is "first 1", as that of enclaves[0].',
    'a name of its own',
  ],
  [
    'more enclaves of one entry than CPUs',
    `${soundScenario}    instances: 3\n`,
    'x.yaml:8:5: A thread of enclaves[0] is on CPU 2, but the machine has 2 CPUs.',
    'Raise machine.cpus to 3',
  ],
  [
    'an unknown level of costs',
    `${soundScenario}costs: { level: max }\n`,
    'x.yaml:11:17: costs.level must be minimum or typical or maximum, not "max".',
    'which value of each entry',
  ],
  [
    'microcode that makes transitions free',
    `${soundScenario}costs: { microcode: 0 }\n`,
    'x.yaml:11:21: costs.microcode must be more than 0, not 0.',
    '2.25 for L1TF',
  ],
  [
    'an unknown way of interrupts',
    `${soundScenario}costs: { ipi: trap }\n`,
    'x.yaml:11:15: costs.ipi must be bare-metal or trapped, not "trap".',
    '',
  ],
  [
    'fewer CPUs than threads',
    `${soundScenario}    cpus: [1]\n    threads: 2\n`,
    'x.yaml:11:11: enclaves[0].cpus lists 1 CPU for 2 threads.',
    'Give each thread a CPU',
  ],
  [
    'a CPU given twice',
    `${soundScenario}    cpus: [1]\n    cpu: 1\n`,
    'x.yaml:11:5: enclaves[0].cpus and enclaves[0].cpu exclude each other.',
    'Keep cpu',
  ],
  [
    'a trace and a generator',
    `${soundScenario}    generator: { kind: scan, runs: 10, pages: 5 }\n`,
    'x.yaml:11:5: enclaves[0].trace and enclaves[0].generator exclude each other.',
    'Keep trace',
  ],
  [
    'neither trace nor generator',
    withLine('    trace: sample.runs.gz\n', ''),
    'x.yaml:8:5: enclaves[0].trace is missing.',
    'Or a generator.',
  ],
  [
    'fewer references than pages',
    withLine('trace: sample.runs.gz', 'generator: { kind: sequential, runs: 10, pages: 11 }'),
    'x.yaml:9:53: enclaves[0].generator.pages is 11, but only 10 runs are made.',
    'give runs ≥ pages',
  ],
  [
    'time without unit',
    `${soundScenario}horizon: 20\n`,
    'x.yaml:11:10: horizon is 20 without a unit.',
    'give a unit: 20ms',
  ],
  [
    'unknown unit of time',
    `${soundScenario}    start: 3min\n`,
    'x.yaml:11:12: enclaves[0].start has the unknown unit "min".',
    'cycles, ns, us, ms and s',
  ],
  [
    'half a cycle',
    `${soundScenario}    start: 0.5 cycles\n`,
    'x.yaml:11:12: enclaves[0].start is 0.5 cycles, which is not a whole number.',
    'whole cycles',
  ],
  [
    'more runs than the trace has',
    withLine('runs: 5000', 'runs: 200001'),
    'x.yaml:10:11: enclaves[0].runs is 200001, but the trace has 200000 runs.',
    'Leave runs out',
  ],
  [
    'YAML syntax error',
    withLine('  cpus: 2', '  cpus: [2'),
    'x.yaml:4:3: This is not valid YAML: ',
    'indentation, colons and quotes',
  ],
  ['key given twice', `${soundScenario}name: again\n`, 'x.yaml:11:1: This is not valid YAML: ', 'Check'],
  ['unknown tag', `seed: !big 1\n${soundScenario}`, 'x.yaml:1:7: This is not valid YAML: ', 'Check'],
  [
    'missing trace',
    withLine('sample.runs.gz', 'smaple.runs.gz'),
    'x.yaml:9:12: There is no file smaple.runs.gz.',
    'starts from the folder of the scenario file',
  ],
  [
    'trace by bare name',
    withLine('sample.runs.gz', 'sqlite3'),
    'x.yaml:9:12: There is no file sqlite3.',
    'path',
  ],
];

/** Runs x.yaml with an existing report, and checks that the report is left alone. */
async function runInto(folder: string) {
  const report = join(folder, 'report.json');
  writeFileSync(report, 'the former report');
  const before = readdirSync(folder);
  const outcome = await call(['run', 'x.yaml', '--json', 'report.json'], { cwd: folder });
  expect(readFileSync(report, 'utf8')).toBe('the former report');
  expect(readdirSync(folder)).toEqual(before);
  expect(outcome.stdout).toBe('');
  expect(outcome.exitCode).toBe(2);
  return outcome.stderr;
}

describe('epckit run refuses', () => {
  it.each(cases)('%s', async (_case, text, message, hint) => {
    const [first, ...rest] = (await runInto(folderWithScenario(text))).split('\n');
    expect(first).toContain(`epckit: ${message}`);
    expect(rest.join('\n')).toContain(hint);
  });

  it('a truncated trace', async () => {
    const folder = folderWithScenario();
    truncateSync(join(folder, 'sample.runs.gz'), 30_000);
    const stderr = await runInto(folder);
    expect(stderr).toMatch(/^epckit: x\.yaml:9:12: sample\.runs\.gz is a truncated gzip file/);
    expect(stderr).toContain('hint: Copy or download the file again');
  });

  it('a trace cut in its last line', async () => {
    const folder = folderWithScenario();
    writeFileSync(join(folder, 'sample.runs.gz'), '40a0 W 1\n4ab1 X');
    expect(await runInto(folder)).toMatch(/^epckit: x\.yaml:9:12: sample\.runs\.gz/);
  });

  it.each([
    ['text', Buffer.from('a,b,c\n1,2,3\n')],
    ['compressed text', gzipSync('a,b,c\n1,2,3\n')],
    ['binary data', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0])],
    ['an empty file', Buffer.alloc(0)],
  ])('a file that is no trace: %s', async (_kind, bytes) => {
    const folder = folderWithScenario();
    writeFileSync(join(folder, 'sample.runs.gz'), bytes);
    const stderr = await runInto(folder);
    expect(stderr).toMatch(/^epckit: x\.yaml:9:12: sample\.runs\.gz/);
    expect(stderr).toContain('  hint: ');
  });

  it('an EPC in which the second of two enclaves turns out not to run, and points at it', async () => {
    const folder = folderWithScenario(anotherEnclave('name: b'));
    const engine: Engine = {
      ...facade,
      run: () => {
        throw new RunFailure(
          'b',
          "Enclave 'b' cannot run: EENTER fails.",
          ["'b' needs 2 pages"],
          'Give more.',
        );
      },
    };
    const outcome = await call(['run', 'x.yaml', '--json', 'r.json'], { cwd: folder, engine });
    const text =
      "epckit: x.yaml:11:5: Enclave 'b' cannot run: EENTER fails.\n  'b' needs 2 pages\n  hint: Give more.\n";
    expect(outcome).toEqual({ exitCode: 2, stdout: '', stderr: text });
    expect(readdirSync(folder)).not.toContain('r.json');
  });

  it('nothing: a defect of the model during a run names the scenario', async () => {
    const engine: Engine = {
      ...facade,
      run: () => {
        throw new InvariantViolation('Page 3 is on two lists.', ['free, reclaimable']);
      },
    };
    const env = { EPCKIT_DEBUG: '1' };
    const outcome = await call(['run', 'x.yaml'], { cwd: folderWithScenario(), engine, env });
    expect(outcome).toMatchObject({ exitCode: 3, stdout: '' });
    expect(outcome.stderr).toContain('epckit: x.yaml: Page 3 is on two lists.\n  free, reclaimable\n');
    expect(outcome.stderr).toMatch(/caused by InvariantViolation: .*\n +at .*bad-input/);
  });

  it('a missing scenario', async () => {
    const folder = folderWithScenario();
    const outcome = await call(['run', 'y.yaml', '--json', 'new.json'], { cwd: folder });
    expect(outcome).toMatchObject({ exitCode: 2, stdout: '' });
    expect(outcome.stderr).toMatch(/^epckit: y\.yaml cannot be read: there is no such file or folder\./);
    expect(existsSync(join(folder, 'new.json'))).toBe(false);
  });

  it('a scenario that is not text', async () => {
    const folder = folderWithScenario();
    const outcome = await call(['run', 'sample.runs.gz'], { cwd: folder });
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('sample.runs.gz is not text in UTF-8.');
  });

  it('every problem at once, the first in full', async () => {
    const text = withLine('batch: 16', 'btach: 16\n  hgih: 3').replace('4MiB', '4');
    const stderr = await runInto(folderWithScenario(text));
    expect(stderr).toMatch(/^epckit: x\.yaml:4:8: machine\.epc is 4 without a unit\.\n/);
    expect(stderr).toContain('  x.yaml:6:3: reclaim.btach is not a known key. (Did you mean batch?');
    expect(stderr).toContain('  x.yaml:7:3: reclaim.hgih is not a known key. (Did you mean high?');
  });
});
