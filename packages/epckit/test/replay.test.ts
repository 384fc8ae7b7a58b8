import { describe, expect, it } from 'vitest';
import type { Script, ScriptStep } from '../src/index.js';
import { createEpc, replayScript } from '../src/index.js';

function script(steps: readonly ScriptStep[], pages = 64): Script {
  const sections = pages === 0 ? [] : [{ node: 0, pages }];
  const machine = { nodes: [{}], cpus: [{ node: 0 }], sections, ksgxd: 'manual', resume: 'manual' } as const;
  return { format: 1, name: 'test', machine, steps };
}

const boot = { op: 'boot' };
const create = { op: 'create', encl: 'A', size_pages: 8 };

describe('a script that cannot be replayed', () => {
  it.each<[string, readonly ScriptStep[], RegExp]>([
    ['an enclave that was never created', [boot, ['t', 'B', 0]], /no enclave 'B'/],
    ['a CPU that is not there', [boot, { ...create, cpu: 7 }], /no CPU 7/],
    ['a number that is none', [boot, { ...create, size_pages: 'zz' }], /'size_pages' of step 'create'/],
    ['a missing name', [boot, { op: 'create', size_pages: 8 }], /'encl' of step 'create'/],
  ])('names %s', (_what, steps, message) => {
    expect(() => [...replayScript(script(steps))]).toThrow(message);
  });

  it('names a machine without EPC', () => {
    expect(() => [...replayScript(script([boot], 0))]).toThrow(/no usable EPC section/);
  });
});

describe('what is not supported', () => {
  it.each<[ScriptStep, string]>([
    [{ op: 'poison', page: '0:5' }, 'poison'],
    [{ ...create, debug: true }, "create with 'debug'"],
    [{ op: 'ksgxd', forec: true }, "ksgxd with 'forec'"],
  ])('is named and never skipped: %j', (step, unsupported) => {
    expect([...replayScript(script([boot, step]))][1]).toMatchObject({ unsupported, record: {} });
  });
});

describe('sizes that CREATE refuses', () => {
  it('leave the next enclave intact', () => {
    const steps = [boot, { ...create, size_pages: 0 }, { ...create, size_pages: 3 }, create];
    const records = [...replayScript(script(steps))].map(({ record }) => record['r']);
    expect(records).toEqual([0, 'EINVAL', 'EINVAL', 0]);
  });
});

describe('a machine', () => {
  it.each([[[]], [[{ node: -1 }]], [[{ node: Number.NaN }]]])('needs CPUs on nodes, not %j', (cpus) => {
    expect(() => createEpc({ machine: { cpus, sections: [{ node: 0, pageCount: 64 }] } })).toThrow(
      /at least one CPU/,
    );
  });
});
