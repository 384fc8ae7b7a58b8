import { describe, expect, it } from 'vitest';
import type { Script, ScriptMachine, ScriptStep } from '../src/index.js';
import { createEpc, replayScript } from '../src/index.js';

const base: ScriptMachine = {
  nodes: [{}],
  cpus: [{ node: 0 }],
  sections: [{ node: 0, pages: 64 }],
  ksgxd: 'manual',
  resume: 'manual',
};

function script(steps: readonly ScriptStep[], machine: object = {}): Script {
  return { format: 1, name: 'test', machine: { ...base, ...machine }, steps };
}

function results(steps: readonly ScriptStep[], machine: object = {}): unknown[] {
  return [...replayScript(script(steps, machine))].map(({ record }) => record['r']);
}

const boot = { op: 'boot' };
const create = { op: 'create', encl: 'A', size_pages: 8 };
const add = { op: 'add', encl: 'A', page: 0 };

describe('a script that cannot be replayed', () => {
  it.each<[string, readonly ScriptStep[], RegExp]>([
    ['an enclave that was never created', [boot, ['t', 'B', 0]], /no enclave 'B'/],
    ['a CPU that is not there', [boot, { ...create, cpu: 7 }], /no CPU 7/],
    ['a number that is none', [boot, { ...create, size_pages: 'zz' }], /'size_pages' of step 'create'/],
    ['a missing name', [boot, { op: 'create', size_pages: 8 }], /'encl' of step 'create'/],
    ['a name that is taken', [boot, create, { op: 'open', encl: 'A' }], /'A' is open already/],
    ['a process that is there', [boot, create, { op: 'fork', proc: 'A', child: 'A' }], /'A' exists already/],
    ['a write that is neither yes nor no', [boot, create, ['t', 'A', 0, 0, 2]], /'write' of step 'touch'/],
    ['rights that are none', [boot, create, { ...add, perms: 'rq' }], /'rq' is no protection/],
    ['half a page', [boot, create, { ...add, page: 0.5 }], /'page' of step 'add'/],
    ['a page before the first', [boot, create, ['t', 'A', -1]], /'page' of step 'touch'/],
    ['an EPC page that is not there', [boot, { op: 'poison', page: '1:0' }], /no EPC page '1:0'/],
    ['a failure of nothing', [boot, { op: 'inject', what: 'rain' }], /'what' of step 'inject'/],
    ['a leaf result of 0', [boot, { op: 'inject', what: 'encls', leaf: 'EWB', ret: 0 }], /'ret' of step/],
    ['leftovers after the boot', [boot, { op: 'dirty', page: '0:1', kind: 'va' }], /'dirty' comes before/],
    [
      'a child without parent',
      [{ op: 'dirty', page: '0:1', kind: 'reg', secs: 'K' }],
      /cannot be left behind/,
    ],
    [
      'a mapping before CREATE',
      [boot, { op: 'open', encl: 'A' }, { op: 'map', encl: 'A', count: 1 }],
      /after/,
    ],
  ])('names %s', (_what, steps, message) => {
    expect(() => results(steps)).toThrow(message);
  });
});

describe('a script that says something unknown of itself or its machine', () => {
  it.each<[object, RegExp]>([
    [{ sgx3: true }, /machine has an unknown key 'sgx3'/],
    [{ sgx2: 1 }, /machine.sgx2 must be true or false/],
    [{ ksgxd: 'never' }, /machine.ksgxd must be one of: auto, manual/],
    [{ nodes: [{ meory: false }] }, /machine.nodes\[0\] has an unknown key 'meory'/],
    [{ cpus: [{ node: 1 }] }, /machine.cpus\[0\].node must be a whole number from 0 to 0/],
    [{ cpus: [{ node: 0, smt: 2 }] }, /machine.cpus\[0\] has an unknown key 'smt'/],
    [{ sections: [{ node: 0, pages: 64, size: 1 }] }, /machine.sections\[0\] has an unknown key 'size'/],
    [{ sections: [{ node: 2, pages: 64 }] }, /machine.sections\[0\].node/],
    [{ sections: [{ node: 0, pages: 6.4 }] }, /machine.sections\[0\].pages/],
  ])('is refused: %j', (machine, message) => {
    expect(() => results([boot], machine)).toThrow(message);
  });

  it('is refused at the top level', () => {
    const strange = { ...script([boot]), seed: 1 };
    expect(() => [...replayScript(strange)]).toThrow(/script has an unknown key 'seed'/);
  });
});

describe('what is not supported', () => {
  it.each<[ScriptStep, string]>([
    [{ op: 'cough' }, 'cough'],
    [{ ...create, debugg: true }, "create with 'debugg'"],
    [{ op: 'ksgxd', forec: true }, "ksgxd with 'forec'"],
    [{ op: 'preempt', after: 'EWB', n: 1, steps: [{ op: 'cough' }] }, 'cough'],
    [{ op: 'preempt', before: 'EWB', steps: [] }, "preempt with 'before'"],
  ])('is named and never skipped: %j', (step, unsupported) => {
    expect([...replayScript(script([boot, step]))][1]).toMatchObject({ unsupported, record: {} });
  });
});

describe('a machine without SGX memory', () => {
  it.each([
    [{ sections: [] }, 'ENOMEM'],
    [{ sections: [{ node: 0, pages: 64, bad_type: true }] }, 'ENOMEM'],
    [{ sgx: false }, 'ENODEV'],
    [{ vmx: false, launch_control: false }, 'ENODEV'],
  ])('%j does not boot', (machine, r) => {
    const [first, second] = replayScript(script([boot, create], machine));
    expect(first?.record).toEqual({ r, sections: 0, total: [] });
    expect(second?.unsupported).toBe('create without EPC');
  });

  it('has no native driver without launch control', () => {
    expect(results([boot, create], { launch_control: false })).toEqual([0, 'ENODEV']);
  });
});

describe('sizes that CREATE refuses', () => {
  it('leave the next enclave intact', () => {
    const steps = [boot, { ...create, size_pages: 0 }, { ...create, size_pages: 3 }, create];
    expect(results(steps)).toEqual([0, 'EINVAL', 'EINVAL', 0]);
  });
});

describe('a machine', () => {
  it.each([[[]], [[{ node: -1 }]], [[{ node: Number.NaN }]]])('needs CPUs on nodes, not %j', (cpus) => {
    expect(() => createEpc({ machine: { cpus, sections: [{ node: 0, pageCount: 64 }] } })).toThrow(
      /at least one CPU/,
    );
  });

  it('of a stack needs EPC', () => {
    expect(() => createEpc({ machine: { cpus: [{ node: 0 }], sections: [] } })).toThrow(/no usable EPC/);
  });
});
