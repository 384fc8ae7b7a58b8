import { describe, expect, it } from 'vitest';
import { build, events, fail, failLeaf, play } from './play.js';

const create = { op: 'create', encl: 'A', size_pages: 16 };
const add = { op: 'add', encl: 'A', page: 0, measure: true };
const release = { op: 'release', encl: 'A' };
const dump = { op: 'dump' };

describe('calls into the kernel that fail', () => {
  it('at open: there is no enclave', () => {
    const { records } = play([fail('kmalloc'), create, dump, create]);
    expect(records.map(({ r }) => r)).toEqual([0, 'ENOMEM', 0, 0]);
    expect(records[2]).toMatchObject({ dump: { encl: {} } });
  });

  it('at CREATE: nothing is left but the number of the version array', () => {
    const open = { op: 'open', encl: 'A' };
    const steps = [
      open,
      fail('kmalloc'),
      create,
      fail('kmalloc', 1),
      create,
      fail('shmem_file'),
      create,
      create,
    ];
    const { records, results, broken } = play(steps);
    expect(results.filter((r) => r !== 0)).toEqual(['ENOMEM', 'ENOMEM', 'ENOMEM']);
    expect(events(records.at(-1))[0]).toEqual(['EPA', '0:1', 'A', 'VA1', 0]);
    expect(broken).toEqual([]);
  });

  it('at INIT and mmap: they can be repeated', () => {
    const init = { op: 'init', encl: 'A' };
    const map = { op: 'map', encl: 'A' };
    const { results, broken } = play([create, fail('kmalloc'), init, init, fail('kmalloc'), map, map]);
    expect(results).toEqual([0, 0, 'ENOMEM', 0, 0, 'ENOMEM', 0]);
    expect(broken).toEqual([]);
  });

  it('at a page of the backing file: the page is skipped, or its load fails and can be repeated', () => {
    const steps = [
      ...build('A', 60),
      fail('shmem_page'),
      { op: 'ksgxd' },
      fail('shmem_page'),
      ['t', 'A', 9],
      ['t', 'A', 9],
    ];
    const { records, broken } = play(steps as never);
    expect(events(records[5])[1]).toEqual(['EBLOCK', '0:3', 'A', 1, 0]);
    expect(records.at(-2)).toMatchObject({ r: 'SIGBUS', f: ['SIGBUS'] });
    expect(records.at(-1)).toMatchObject({ r: 'OK' });
    expect(broken).toEqual([]);
  });

  it('at the notifier of a child: a reference is lost, and the enclave never goes (L-11)', () => {
    const fork = { op: 'fork', proc: 'A', child: 'P' };
    const touch = { op: 'touch', encl: 'A', proc: 'P', cpu: 1 };
    const steps = [...build('A', 4), ['t', 'A', 0], fail('mmu_notifier'), fork];
    const accesses = [
      { ...touch, page: 0 },
      { ...touch, page: 1 },
    ];
    const { results, broken } = play([
      ...steps,
      ...accesses,
      { op: 'exit_proc', proc: 'P' },
      release,
    ] as never);
    expect(results.slice(-4)).toEqual(['HIT', 'SIGBUS', 0, 'STILL_OPEN']);
    expect(broken).toEqual(['I-7']);
  });
});

describe('leaves that fail', () => {
  it('are recorded with what the hardware holds', () => {
    const { records, broken } = play([
      create,
      failLeaf('EADD', '#PF', 1),
      { ...add, measure: false, count: 3 },
    ]);
    expect(records.at(-1)).toMatchObject({ r: 'EIO', count: 1 });
    expect(events(records.at(-1)).slice(1)).toEqual([
      ['EADD', '0:3', null, null, '#PF', 'injected'],
      ['EREMOVE', '0:3', null, null, 0],
    ]);
    expect(broken).toEqual([]);
  });

  it('at EEXTEND: the child count stays too high, the SECS is lost (L-04)', () => {
    const { records, broken } = play([create, failLeaf('EEXTEND', '#GP', 3), add, release, dump]);
    expect(events(records[2]).slice(2)).toEqual([
      ['EEXTEND', '0:2', 'A', 0, '#GP', 'injected'],
      ['WARN', '__sgx_encl_extend'],
      ['EREMOVE', '0:2', 'A', 0, 0],
    ]);
    expect(events(records[3])).toEqual([
      ['EREMOVE', '0:0', 'A', 'VA0', 0],
      ['WARN', 'sgx_encl_release'],
      ['WARN', 'sgx_encl_release'],
    ]);
    expect(records[4]).toMatchObject({ dump: { hw: { A: { secs_in_epc: 1 } } } });
    expect(broken).toEqual(['I-1', 'I-2']);
  });

  it('at EREMOVE: the page is lost, and with it the SECS', () => {
    const { records, broken } = play([...build('A', 1), failLeaf('EREMOVE', 7), release]);
    expect(events(records.at(-1))).toEqual([
      ['EREMOVE', '0:2', 'A', 0, 7, 'injected'],
      ['WARN', 'sgx_encl_free_epc_page'],
      ['EREMOVE', '0:1', 'A', 'SECS', 13],
      ['WARN', 'sgx_encl_free_epc_page'],
      ['EREMOVE', '0:0', 'A', 'VA0', 0],
    ]);
    expect(broken).toEqual(['I-1']);
  });

  it('at EINIT for good: the enclave is not initialized', () => {
    const init = { op: 'init', encl: 'A' };
    const unmasked = { op: 'inject', what: 'encls', leaf: 'EINIT', ret: 128, count: 1000 };
    const steps = [create, unmasked, init, failLeaf('EINIT', '#GP'), init, init];
    const { records, results } = play(steps);
    expect(results).toEqual([0, 0, 'EPERM', 0, 'EIO', 0]);
    expect(events(records[2])).toHaveLength(1000);
    expect(events(records[4]).at(-1)).toEqual(['WARN', 'sgx_encl_init']);
  });

  it('or a signal ends INIT between two rounds', () => {
    const unmasked = { op: 'inject', what: 'encls', leaf: 'EINIT', ret: 128, count: 1000 };
    const { records } = play([create, unmasked, { op: 'init', encl: 'A', signal_after: 1 }]);
    expect(records.at(-1)).toMatchObject({ r: 'ERESTARTSYS' });
    expect(events(records.at(-1))).toHaveLength(40);
  });
});

describe('loss of power', () => {
  it('leaves pages that nobody can use and that can be given back', () => {
    const steps = [
      ...build('A', 20),
      ['t', 'A', 0],
      { op: 'power_cycle' },
      ['t', 'A', 0],
      release,
      ...build('B', 4),
    ];
    const { records, broken } = play(steps as never);
    expect(records[6]).toMatchObject({ r: 'EPCM_PERM' });
    expect(events(records[7])[0]).toEqual(['EREMOVE', '0:2-21', null, null, 0]);
    expect(records.at(-1)).toEqual({ r: 0 });
    expect(broken).toEqual([]);
  });
});

describe('hardware errors', () => {
  it('before the pages are sanitized pin the SECS of an earlier kernel', () => {
    const { records } = play([
      { op: 'dirty', page: '0:0', kind: 'secs', secs: 'K' },
      { op: 'dirty', page: '0:1', kind: 'reg', secs: 'K', lin: 7 },
      { op: 'boot', run_ksgxd: false },
      { op: 'poison', page: '0:1' },
      { op: 'ksgxd' },
      dump,
    ]);
    expect(records[4]).toMatchObject({ r: 'RAN', free: 62 });
    expect(events(records[4]).slice(-3)).toEqual([
      ['EREMOVE', '0:0', 'K', 'SECS', 13],
      ['WARN', 'ksgxd'],
      ['KSGXD', 'end'],
    ]);
    expect(records[5]).toMatchObject({ dump: { dirty: ['0:0'], poison: { 0: ['0:1'] } } });
  });
});
