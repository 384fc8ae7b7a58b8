import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import type { ReplayedStep, Script } from 'epckit';
import { describe, expect, it } from 'vitest';
import { type Engine, facade } from '../../src/index.js';
import { call, temporaryFolder } from '../captured-io.js';

const recorded = (name: string) =>
  fileURLToPath(new URL(`../../../epckit/test/golden/${name}.json`, import.meta.url));

const machine = { nodes: [{}], cpus: [{ node: 0 }], sections: [{ node: 0, pages: 100 }] };

const threeSteps = {
  format: 1,
  name: 'three',
  machine,
  steps: [{ op: 'boot' }, ['t', 'A', 0], { op: 'moonwalk', cpu: 0 }],
  expect: [{ r: 0 }, { r: 'HIT' }, {}],
};

/** A model that yields these records. */
function engineOf(records: readonly Omit<ReplayedStep, 'index' | 'step'>[]): Engine {
  return {
    ...facade,
    *replay(script: Script) {
      for (const [index, record] of records.entries()) yield { index, step: script.steps[index]!, ...record };
    },
  };
}

function folderWithScript(script: unknown = threeSteps): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 's.json'), typeof script === 'string' ? script : JSON.stringify(script));
  return folder;
}

describe('epckit replay --check', () => {
  it('agrees with recordings', async () => {
    const outcome = await call(['replay', '--check', recorded('01-single-fits'), recorded('24-secs-evict')]);
    expect(outcome).toEqual({
      exitCode: 0,
      stderr: '',
      stdout:
        'ok 01-single-fits (131 steps)\nok 24-secs-evict (294 steps)\n2 scripts: 2 ok, 0 failed; 425 steps compared\n',
    });
  });

  it('reads gzip, whatever the name', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'x.json.gz'), gzipSync(readFileSync(recorded('01-single-fits'))));
    const outcome = await call(['replay', 'x.json.gz', '--check', '--quiet'], { cwd: folder });
    expect(outcome).toMatchObject({ exitCode: 0, stdout: '1 script: 1 ok, 0 failed; 131 steps compared\n' });
  });

  it('shows the first step that differs, and goes on with the next script', async () => {
    const script = JSON.parse(readFileSync(recorded('01-single-fits'), 'utf8')) as {
      expect: Record<string, unknown>[];
    };
    script.expect[9] = { ...script.expect[9], r: 'SIGBUS' };
    const cwd = folderWithScript(script);
    const outcome = await call(['replay', 's.json', recorded('01-single-fits'), '--check'], { cwd });
    const [failed, step, expected, actual, ok, closing] = outcome.stdout.split('\n');
    expect(outcome.exitCode).toBe(1);
    expect(failed).toMatch(/^FAILED 01-single-fits: step 9: \S/);
    expect(step).toMatch(/^ {2}step {5}\[/);
    expect(expected).toMatch(/^ {2}expected \{.*"SIGBUS"/);
    expect(actual).toMatch(/^ {2}actual {3}\{/);
    expect(ok).toBe('ok 01-single-fits (131 steps)');
    expect(closing).toBe('2 scripts: 1 ok, 1 failed; 141 steps compared');
  });

  it('names an operation that is not supported, and counts it as a failure', async () => {
    const engine = engineOf([
      { record: { r: 0 } },
      { record: { r: 'HIT' } },
      { record: {}, unsupported: 'moonwalk' },
    ]);
    const outcome = await call(['replay', 's.json', '--check', '-q'], { cwd: folderWithScript(), engine });
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stdout).toBe(
      `FAILED three: step 2: operation "moonwalk" is not supported
  step     {"op":"moonwalk","cpu":0}
1 script: 0 ok, 1 failed; 3 steps compared
`,
    );
  });

  it('goes on behind a missing file, a script that fails and a step that cannot be performed', async () => {
    const misuse = Object.assign(new Error('There is no enclave B.'), { code: 'EPCKIT_MISUSE' });
    const engine: Engine = {
      ...facade,
      *replay(script) {
        if (script.name === 'three') throw misuse;
        yield* facade.replay(script);
      },
    };
    const paths = ['none.json', 's.json', recorded('01-single-fits')];
    const outcome = await call(['replay', ...paths, '--check'], { cwd: folderWithScript(), engine });
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('epckit: none.json cannot be read: there is no such file or folder.\n');
    expect(outcome.stderr).toContain('epckit: s.json: step 0: There is no enclave B.\n');
    expect(outcome.stdout).toBe(
      'ok 01-single-fits (131 steps)\n3 scripts: 1 ok, 0 failed, 2 not checked; 131 steps compared\n',
    );
  });

  it('ends with the code of a defect if there is one, whatever else there is', async () => {
    const engine: Engine = {
      ...facade,
      replay: () => {
        throw new TypeError('undefined is not a page');
      },
    };
    const outcome = await call(['replay', 's.json', 'none.json', '--check'], {
      cwd: folderWithScript(),
      engine,
    });
    expect(outcome.exitCode).toBe(3);
    expect(outcome.stderr).toContain('This is a defect of epckit.');
  });

  it('fails when the replay ends early', async () => {
    const engine = engineOf([{ record: { r: 0 } }]);
    const outcome = await call(['replay', 's.json', '--check'], { cwd: folderWithScript(), engine });
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stdout).toContain('FAILED three: step 1: the replay ended after 1 of 3 steps\n');
    expect(outcome.stdout).toContain('  expected {"r":"HIT"}\n  actual   nothing\n');
  });
});

describe('epckit replay', () => {
  it('prints one line of JSON per step, and the closing line elsewhere', async () => {
    const outcome = await call(['replay', recorded('01-single-fits')]);
    const lines = outcome.stdout.trimEnd().split('\n');
    expect(outcome.exitCode).toBe(0);
    expect(lines).toHaveLength(131);
    expect(JSON.parse(lines[0] as string)).toMatchObject({
      script: '01-single-fits',
      index: 0,
      step: { op: 'boot' },
      record: { r: 0 },
    });
    expect(outcome.stderr).toBe('1 script: 131 steps replayed, 0 not supported\n');
  });

  it('needs no expected records', async () => {
    const { expect: _without, ...script } = threeSteps;
    const engine = engineOf([{ record: { r: 0 } }, { record: {} }, { record: {}, unsupported: 'moonwalk' }]);
    const outcome = await call(['replay', 's.json'], { cwd: folderWithScript(script), engine });
    expect(outcome.exitCode).toBe(1);
    expect(outcome.stdout.split('\n')[2]).toBe(
      '{"script":"three","index":2,"step":{"op":"moonwalk","cpu":0},"record":{},"unsupported":"moonwalk"}',
    );
    expect(outcome.stderr).toBe(`epckit: three: step 2: operation "moonwalk" is not supported
1 script: 3 steps replayed, 1 not supported
`);
  });

  it('tells file and step of an error of the model', async () => {
    const misuse = Object.assign(new Error('There is no enclave B.'), {
      code: 'EPCKIT_MISUSE',
      hint: 'Create it.',
    });
    const engine: Engine = {
      ...facade,
      *replay(script) {
        yield { index: 0, step: script.steps[0]!, record: {} };
        throw misuse;
      },
    };
    const outcome = await call(['replay', 's.json'], { cwd: folderWithScript(), engine });
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toBe('epckit: s.json: step 1: There is no enclave B.\n  hint: Create it.\n');
  });
});

describe('epckit replay refuses', () => {
  const { expect: records, ...withoutExpect } = threeSteps;
  it.each([
    ['what is not JSON', '{"format": 1,', 's.json:1:14: This is not JSON: the file ends here, unfinished.'],
    [
      'a comma too many',
      '{"format": 1,\n "steps": [\n  1,\n ]}',
      's.json:4:2: This is not JSON: a value is expected, not "]".',
    ],
    ['another format', { ...threeSteps, format: 2 }, 's.json has format 2.'],
    ['no format', [1, 2], 's.json has no format.'],
    ['lengths that differ', { ...threeSteps, expect: records.slice(1) }, 's.json has 3 steps but 2 records'],
    ['nothing to compare with', withoutExpect, 's.json has no expect.'],
    ['a step without op', { ...threeSteps, steps: [{ cpu: 0 }, ['t', 'A', 0], { op: 'x' }] }, 'at steps[0]'],
    ['no machine', { ...threeSteps, machine: undefined }, 'at machine.'],
    ['an unknown key', { ...threeSteps, author: 'me' }, "s.json: the script has an unknown key 'author'."],
    [
      'unknown keys of the machine',
      { ...threeSteps, machine: { ...threeSteps.machine, cores: 2, sgx3: true } },
      "s.json: machine has unknown keys 'cores', 'sgx3'.",
    ],
    [
      'an unknown key of a section',
      {
        ...threeSteps,
        machine: { ...threeSteps.machine, sections: [{ node: 0, pages: 9, size: 1 }] },
      },
      "s.json: machine.sections[0] has an unknown key 'size'.",
    ],
    ['one byte of a gzip file', '\u001f', 's.json:1:1: This is not JSON: a value is expected'],
  ])('%s', async (_kind, script, message) => {
    const cwd = folderWithScript(script);
    const outcome = await call(['replay', 's.json', recorded('01-single-fits'), '--check'], { cwd });
    expect(outcome).toMatchObject({
      exitCode: 2,
      stdout: 'ok 01-single-fits (131 steps)\n2 scripts: 1 ok, 0 failed, 1 not checked; 131 steps compared\n',
    });
    expect(outcome.stderr).toMatch(/^epckit: s\.json[: ]/);
    expect(outcome.stderr).toContain(message);
    expect(outcome.stderr).toContain('  hint: ');
  });

  it('a bad script before the first is replayed, if nothing is checked', async () => {
    const cwd = folderWithScript('{');
    const outcome = await call(['replay', recorded('01-single-fits'), 's.json'], { cwd });
    expect(outcome).toMatchObject({ exitCode: 2, stdout: '' });
    expect(outcome.stderr).toContain('s.json:1:2: This is not JSON: ');
  });

  it('what is not text', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 's.json'), Buffer.from([0x7b, 0xff, 0xfe]));
    const outcome = await call(['replay', 's.json', '--check'], { cwd: folder });
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('s.json is not text in UTF-8.');
  });

  it('a damaged gzip file', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 's.json.gz'), gzipSync('{}').subarray(0, 15));
    const outcome = await call(['replay', 's.json.gz'], { cwd: folder });
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('s.json.gz is a damaged or truncated gzip file.');
  });

  it('a missing file', async () => {
    const outcome = await call(['replay', 'none.json'], { cwd: temporaryFolder() });
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('none.json cannot be read: there is no such file or folder.');
  });
});
