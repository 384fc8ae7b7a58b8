import { describe, expect, it } from 'vitest';
import { build, events, play } from './play.js';

const release = { op: 'release', encl: 'A' };
const fork = { op: 'fork', proc: 'A', child: 'P' };

describe('the file of an enclave', () => {
  it('lives as long as somebody has a descriptor or a mapping', () => {
    const close = { op: 'close', encl: 'A' };
    const unmap = { op: 'unmap', encl: 'A' };
    const { records, results, broken } = play([
      ...build('A', 3),
      fork,
      close,
      close,
      { ...close, proc: 'P' },
      unmap,
      { ...unmap, proc: 'P' },
    ]);
    expect(results.slice(4)).toEqual([0, 'STILL_OPEN', 'EBADF', 'STILL_OPEN', 0, 0]);
    expect(events(records.at(-2))).toEqual([]);
    expect(events(records.at(-1))).toHaveLength(5);
    expect(broken).toEqual([]);
  });

  it('goes with the process that has it alone, mapped or not', () => {
    const steps = [...build('A', 2), { op: 'create', encl: 'B', proc: 'A', size_pages: 16 }];
    const { records, broken } = play([...steps, { op: 'exit_proc', proc: 'A' }]);
    const removed = events(records.at(-1)).map((event) => (event as unknown[])[2]);
    expect(removed).toEqual(['B', 'B', 'A', 'A', 'A', 'A']);
    expect(broken).toEqual([]);
  });

  it('is closed for everybody by a release', () => {
    expect(play([...build('A', 2), fork, release]).results.at(-1)).toBe('GONE');
  });
});

describe('fork and exit', () => {
  it('let a name be used again', () => {
    const exit = { op: 'exit_proc', proc: 'P' };
    const touch = { op: 'touch', encl: 'A', page: 1, proc: 'P', cpu: 1 };
    const { results } = play([...build('A', 2), fork, touch, exit, fork, touch, exit, touch]);
    expect(results.slice(4)).toEqual([0, 'OK', 0, 0, 'OK', 0, 'MAPERR']);
  });

  it('throw threads out; who is out cannot come back', () => {
    const tcs = { op: 'add', encl: 'A', page: 9, type: 'TCS' };
    const [create, add, init, map] = build('A', 2);
    const enter = { op: 'enter', encl: 'A', tcs: 9, cpu: 2 };
    const resume = { op: 'resume', cpu: 2 };
    const steps = [
      create,
      add,
      tcs,
      init,
      map,
      resume,
      enter,
      resume,
      { op: 'exit_proc', proc: 'A' },
      resume,
    ];
    const { records, results } = play(steps as never);
    expect(results.slice(5)).toEqual(['NOT_OUT', 'INSIDE', 'NOT_OUT', 0, 'FAULT']);
    expect(events(records[8])[0]).toEqual(['AEX', 2, 'A']);
  });
});

describe('an enclave that is gone', () => {
  it('is mapped by nobody, until its name is used again', () => {
    const steps = [...build('A', 2), release, ['t', 'A', 0], release, ...build('A', 2), ['t', 'A', 0]];
    expect(play(steps as never).results.slice(4)).toEqual(['GONE', 'MAPERR', 'GONE', 0, 0, 0, 0, 'OK']);
  });

  it('may go while a step is interrupted', () => {
    const steps = [
      ['t', 'A', 0, 1],
      ['t', 'A', 0, 1],
    ] as const;
    const preempt = { op: 'preempt', after: 'EREMOVE', n: 1, steps };
    const { records } = play([...build('A', 2), preempt, release]);
    expect(events(records.at(-1)).slice(1, 3)).toEqual([
      ['STEP', { r: 'MAPERR' }],
      ['STEP', { r: 'MAPERR' }],
    ]);
    expect(records.at(-1)).toMatchObject({ r: 'GONE' });
  });
});

describe('mappings', () => {
  it('may reach beyond the range before INIT, where every access is a SIGBUS', () => {
    const [create, add, init] = build('A', 2);
    const map = { op: 'map', encl: 'A', page: 60, count: 8 };
    const unmap = { op: 'unmap', encl: 'A', page: 64, count: 4 };
    const { results } = play([create, add, map, ['t', 'A', 65], init, map, ['t', 'A', 65], unmap] as never);
    expect(results.slice(2)).toEqual([0, 'SIGBUS', 0, 'EACCES', 'MAPERR', 0]);
  });

  it('of nothing are refused', () => {
    const empty = { encl: 'A', page: 0, count: 0 };
    const steps = [
      { op: 'map', ...empty },
      { op: 'unmap', ...empty },
      { op: 'mprotect', ...empty },
    ];
    expect(play([...build('A', 2), ...steps]).results.slice(4)).toEqual(['EINVAL', 'EINVAL', 0]);
  });
});

describe('attributes', () => {
  it('are allowed by PROVISION, with the right file, after CREATE', () => {
    const provision = { op: 'provision', encl: 'A' };
    const init = { op: 'init', encl: 'A' };
    const { results } = play([
      { op: 'open', encl: 'A' },
      provision,
      { op: 'create', encl: 'A', size_pages: 16, attributes: 0x14 },
      init,
      { ...provision, fd: 'other' },
      { ...provision, bad_arg: true },
      provision,
      init,
    ]);
    expect(results).toEqual([0, 0, 0, 'EACCES', 'EINVAL', 'EFAULT', 0, 0]);
  });
});
