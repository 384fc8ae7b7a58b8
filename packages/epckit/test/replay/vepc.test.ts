import { describe, expect, it } from 'vitest';
import type { ScriptStep } from '../../src/index.js';
import { build, events, fail, failLeaf, play } from './play.js';

const open = (vepc = 'v0', pages = 16): ScriptStep => ({ op: 'vepc_open', vepc, pages });
const fault = (page: number, more: object = {}): ScriptStep => ({
  op: 'vepc_fault',
  vepc: 'v0',
  page,
  ...more,
});
const guest = (what: string, page: number, more: object = {}): ScriptStep => ({
  op: 'guest',
  vepc: 'v0',
  page,
  do: what,
  ...more,
});
const release = (vepc = 'v0'): ScriptStep => ({ op: 'vepc_release', vepc });
const removeAll: ScriptStep = { op: 'vepc_remove_all', vepc: 'v0' };

/** A guest with an enclave: SECS in page 0, a page of it in page 1. */
const enclave: readonly ScriptStep[] = [
  open(),
  ...[0, 1, 2].map((page) => fault(page)),
  guest('ecreate', 0, { label: 'G' }),
  guest('eadd', 1, { secs_page: 0, lin: 1 }),
];
const initialised = [...enclave, guest('einit', 0)];

/** An enclave with a TCS page. */
const native: readonly ScriptStep[] = [
  { op: 'create', encl: 'A', size_pages: 8 },
  { op: 'add', encl: 'A', page: 0, type: 'TCS' },
  { op: 'init', encl: 'A' },
  { op: 'map', encl: 'A' },
];

/** Records of the steps after `before`. */
function after(before: readonly ScriptStep[], steps: readonly ScriptStep[], machine: object = {}) {
  const { records, broken } = play([...before, ...steps], machine);
  expect(broken).toEqual([]);
  return records.slice(before.length);
}

describe('open of the virtual EPC device', () => {
  it('finds no device without VMX', () => {
    expect(after([], [open()], { vmx: false })).toEqual([{ r: 'ENODEV' }]);
  });

  it('finds it without launch control, where enclaves have no device', () => {
    const create = { op: 'create', encl: 'A', size_pages: 8 };
    const records = after([], [create, open(), fault(0)], { launch_control: false });
    expect(records.map(({ r }) => r)).toEqual(['ENODEV', 0, 'OK']);
  });

  it('is ENOMEM without memory; then the name is free', () => {
    expect(after([fail('kmalloc')], [open(), open()])).toEqual([{ r: 'ENOMEM' }, { r: 0 }]);
  });

  it.each<[string, readonly ScriptStep[], RegExp]>([
    ['a name that is taken', [open(), open()], /'v0' is open already/],
    ['an instance that is not there', [fault(0)], /no virtual EPC 'v0'/],
    ['an instance that is gone', [open(), release(), removeAll], /no virtual EPC 'v0'/],
    ['an unknown leaf', [open(), guest('ewb', 0)], /'do' of step 'guest'/],
  ])('and its steps name %s', (_what, steps, message) => {
    expect(() => play(steps)).toThrow(message);
  });
});

describe('an access of the VMM', () => {
  it('is a fault once, beyond the mapping MAPERR, and MAPERR for who has not mapped', () => {
    const records = after([open()], [fault(3), fault(3), fault(16), fault(3, { proc: 'other' })]);
    expect(records).toEqual([
      { r: 'OK', f: ['NOPAGE'], epc: '0:0', free: 63, nodes: [63] },
      { r: 'HIT', epc: '0:0' },
      { r: 'MAPERR' },
      { r: 'MAPERR' },
    ]);
  });

  it.each(['xa', 'pfn'])('is SIGBUS when %s fails, and the page is free again', (what) => {
    const records = after([open(), fail(what)], [fault(0), fault(0)]);
    expect(records).toEqual([
      { r: 'SIGBUS', f: ['SIGBUS'] },
      { r: 'OK', f: ['NOPAGE'], epc: '0:1', free: 63, nodes: [63] },
    ]);
  });

  it('is SIGBUS when nothing is free and nothing reclaimable', () => {
    const pages = Array.from({ length: 64 }, (_, page) => fault(page));
    expect(after([open('v0', 65), ...pages], [fault(64)])).toMatchObject([{ r: 'SIGBUS', f: ['SIGBUS'] }]);
  });

  it('never reclaims itself: it starts again until the daemon has made room', () => {
    const full = [...build('A', 61), open(), fault(0)];
    const records = after(full, [fault(1), { op: 'ksgxd' }, fault(1)]);
    expect(records).toMatchObject([
      { r: 'RETRY_LIMIT', f: ['RETRY', 'RETRY', 'RETRY'], wakes: 3 },
      { r: 'RAN' },
      { r: 'OK', f: ['NOPAGE'] },
    ]);
  });

  it('lets the daemon run between two faults', () => {
    const full = [...build('A', 61), { op: 'relax' }, open(), fault(0)];
    const steps = [1, 2, 3].map((page) => fault(page));
    const results = after(full, steps, { ksgxd: 'auto' }).map(({ r }) => r);
    expect(results).toEqual(['OK', 'OK', 'OK']);
  });

  it('by another process throws a thread out of its enclave', () => {
    const inside = [...native, open(), { op: 'enter', encl: 'A', cpu: 1 }];
    const [record] = after(inside, [fault(0, { cpu: 1 })]);
    expect(events(record)).toEqual([['AEX', 1, 'A']]);
  });

  it('shows in the accessed bits of a dump', () => {
    const [record] = after([open(), fault(5), fault(2)], [{ op: 'dump', what: 'all' }]);
    expect(record).toMatchObject({
      dump: {
        vepc: { v0: { 2: '0:1', 5: '0:0' } },
        young: {
          'vm/v0': [
            [2, 1],
            [5, 1],
          ],
        },
      },
    });
  });
});

describe('exit of the VMM', () => {
  const exit = (proc: string): ScriptStep => ({ op: 'exit_proc', proc });

  it('releases its instances', () => {
    const records = after([...initialised, guest('enter', 0, { cpu: 1 })], [exit('vm'), { op: 'dump' }]);
    expect(records).toMatchObject([{ r: 0, free: 64 }, { dump: { vepc: {}, zombies: [] } }]);
    expect(events(records[0]).slice(0, 2)).toEqual([
      ['AEX', 1, 'G'],
      ['EREMOVE', '0:0', 'G', 'SECS', 13],
    ]);
  });

  it('leaves them to its child, which has no mapping of them', () => {
    const steps = [
      { op: 'fork', proc: 'vm', child: 'child' },
      fault(0, { proc: 'child' }),
      exit('vm'),
      { op: 'dump' },
      exit('child'),
      { op: 'dump' },
    ];
    const records = after([open(), fault(0)], steps);
    expect(records).toMatchObject([
      { r: 0 },
      { r: 'MAPERR' },
      { r: 0 },
      { dump: { vepc: { v0: { 0: '0:0' } } } },
      { r: 0, free: 64 },
      { dump: { vepc: {} } },
    ]);
  });
});

describe("a guest's leaf", () => {
  it('is not executed on a page that is not there', () => {
    const steps = [
      guest('ecreate', 9, { label: 'H' }),
      guest('enter', 9),
      guest('eadd', 2, { secs_page: 9, lin: 2 }),
    ];
    expect(after(enclave, steps)).toEqual([{ r: 'UNMAPPED' }, { r: 'UNMAPPED' }, { r: 'UNMAPPED' }]);
  });

  it('that fails is named by what the page holds, or would have held of a SECS that is there', () => {
    const steps = [
      guest('ecreate', 1, { label: 'H' }),
      guest('eadd', 1, { secs_page: 0, lin: 7 }),
      guest('eadd', 2, { secs_page: 1, lin: 7 }),
      guest('eremove', 0),
    ];
    expect(after(enclave, steps)).toEqual([
      { r: 'EFAULT', trap: 14, ev: [['ECREATE', '0:1', 'G', 1, '#PF']] },
      { r: '#PF', ev: [['EADD', '0:1', 'G', 7, '#PF']] },
      { r: '#PF', ev: [['EADD', '0:2', null, null, '#PF']] },
      { r: 13, ev: [['EREMOVE', '0:0', 'G', 'SECS', 13]] },
    ]);
  });

  it('can be made to fail', () => {
    const steps = [failLeaf('EINIT', 128), guest('einit', 0), failLeaf('EREMOVE', '#GP'), removeAll];
    expect(after(enclave, steps)).toMatchObject([
      { r: 0 },
      { r: 128, ev: [['EINIT', '0:0', 'G', 'SECS', 128, 'injected']] },
      { r: 0 },
      { r: 'EBUSY', ev: [['EREMOVE', '0:0', 'G', 'SECS', '#GP', 'injected']] },
    ]);
  });

  it('on a page whose contents were lost with the power begins anew', () => {
    const steps = [guest('enter', 0), guest('eremove', 0), guest('ecreate', 0, { label: 'G' }), release()];
    const records = after([...initialised, { op: 'power_cycle' }], steps);
    expect(records).toMatchObject([
      { r: 'NOSECS' },
      { r: 0, ev: [['EREMOVE', '0:0', null, null, 0]] },
      { r: 0, ev: [['ECREATE', '0:0', 'G', 'SECS', 0]] },
      { r: 0, free: 64 },
    ]);
  });
});

describe("a guest's thread", () => {
  it('enters what is an enclave and is initialised', () => {
    expect(after(enclave, [guest('enter', 2), guest('enter', 0)])).toEqual([
      { r: 'NOSECS' },
      { r: 'NOT_INIT' },
    ]);
  });

  it('enters as long as a page of the enclave is left', () => {
    const steps = [
      guest('eadd', 2, { secs_page: 0, lin: 2 }),
      guest('einit', 0),
      guest('eremove', 1),
      guest('enter', 0),
      { op: 'exit' },
      guest('eremove', 2),
      guest('enter', 0),
    ];
    const results = after(enclave, steps).map(({ r }) => r);
    expect(results).toEqual([0, 0, 0, 'INSIDE', 0, 0, 'NOT_INIT']);
  });

  it('does not come back for a thread of an enclave that was thrown out on its CPU', () => {
    const steps = [
      { op: 'enter', encl: 'A', cpu: 1 },
      guest('enter', 0, { cpu: 1 }),
      { op: 'exit', cpu: 1 },
      { op: 'resume', cpu: 1 },
    ];
    const records = after([...native, ...initialised], steps).slice(1);
    expect(records.map(({ r, ev }) => [r, ev])).toEqual([
      [
        'INSIDE',
        [
          ['AEX', 1, 'A'],
          ['EENTER', 1, 'G'],
        ],
      ],
      [0, [['EEXIT', 1, 'G']]],
      ['NOT_OUT', undefined],
    ]);
  });
});
