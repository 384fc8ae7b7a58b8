import { describe, expect, it } from 'vitest';
import type { OpenFile } from '../src/index.js';
import { CgroupErrno, Resource } from '../src/index.js';
import { M, PAGE, Stack } from './stack.js';

const { EACCES, EBUSY, EINVAL, EISDIR, ENODEV, ENOENT, ENOTDIR, ERANGE, ESRCH } = CgroupErrno;

describe('which files there are', () => {
  const control = ['cgroup.procs', 'cgroup.controllers', 'cgroup.subtree_control'];

  it('the root has no limit and no events, the others have no capacity', () => {
    const stack = new Stack();
    stack.groups('/a');
    expect(stack.tree.list(M)).toEqual([...control, 'misc.current', 'misc.peak', 'misc.capacity', 'a']);
    expect(stack.tree.list(`${M}/a`)).toEqual([
      ...control,
      ...['misc.max', 'misc.current', 'misc.peak', 'misc.events', 'misc.events.local'],
    ]);
  });

  it('without misc in the subtree_control above there is no misc file', () => {
    const stack = new Stack();
    expect(stack.mkdir('/a')).toBe(0);
    expect(stack.tree.list(`${M}/a`)).toEqual(control);
    expect(stack.write('/a/misc.max', 'sgx_epc 0')).toBe(-ENOENT);
    expect(stack.read('/a/cgroup.controllers')).toBe('');
    expect(stack.write('/a/cgroup.subtree_control', '+misc')).toBe(-ENOENT);
  });
});

describe('what is printed', () => {
  it('one line per resource that is there, in the order of the enumeration', () => {
    const stack = new Stack({ capacities: { sgx_epc: 98041856, tdx: 0, sev: 509 } });
    const [a] = stack.groups('/a') as [number];
    stack.charge(a, 10);
    stack.uncharge(a, 5);
    const shown = (path: string) => [stack.read(path), stack.tree.files.peek(M + path)];
    const both = (text: string) => [text, text];
    expect(shown('/misc.capacity')).toEqual(both('sev 509\nsgx_epc 98041856\n'));
    expect(shown('/misc.current')).toEqual(both('sev 0\nsgx_epc 20480\n'));
    expect(shown('/a/misc.current')).toEqual(both('sev 0\nsgx_epc 20480\n'));
    expect(shown('/a/misc.peak')).toEqual(both('sev 0\nsgx_epc 40960\n'));
    expect(shown('/a/misc.max')).toEqual(both('sev max\nsgx_epc max\n'));
    expect(shown('/a/misc.events')).toEqual(both('sev.max 0\nsgx_epc.max 0\n'));
    expect(shown('/a/misc.events.local')).toEqual(both('sev.max 0\nsgx_epc.max 0\n'));
  });

  it('counters outlive the capacity, limits do not; a file without lines is empty', () => {
    const stack = new Stack({ capacities: { sgx_epc: PAGE, tdx: 0 } });
    const [a] = stack.groups('/a') as [number];
    stack.charge(a);
    stack.charge(a);
    stack.run(stack.controller.setCapacity(stack.thread(), Resource.SGX_EPC, 0));
    expect(['capacity'].map((name) => stack.read(`/misc.${name}`))).toEqual(['']);
    const names = ['max', 'current', 'peak', 'events', 'events.local'];
    expect(names.map((name) => stack.read(`/a/misc.${name}`))).toEqual([
      '',
      'sgx_epc 4096\n',
      'sgx_epc 4096\n',
      'sgx_epc.max 1\n',
      'sgx_epc.max 1\n',
    ]);
    stack.uncharge(a);
    expect(stack.read('/a/misc.current')).toBe('');
  });

  it('a negative usage shows as the 64-bit number it wraps to', () => {
    const stack = new Stack();
    stack.uncharge(0);
    expect(stack.read('/misc.current')).toBe('sgx_epc 18446744073709547520\n');
  });
});

describe('writing misc.max', () => {
  it('keeps every 64-bit number exactly, and 2^64 - 1 is max', () => {
    const stack = new Stack();
    stack.groups('/a');
    const write = (value: string) => [
      stack.write('/a/misc.max', `sgx_epc ${value}\n`),
      stack.read('/a/misc.max'),
    ];
    expect(write('9007199254740993')).toEqual([25, 'sgx_epc 9007199254740993\n']);
    expect(write('18446744073709551614')).toEqual([29, 'sgx_epc 18446744073709551614\n']);
    expect(write('18446744073709551615')).toEqual([29, 'sgx_epc max\n']);
    expect(write('010')).toEqual([12, 'sgx_epc 8\n']);
    expect(write('max')).toEqual([12, 'sgx_epc max\n']);
    expect(write('-1')).toEqual([-EINVAL, 'sgx_epc max\n']);
  });

  it('looks at the capacity after the number', () => {
    const stack = new Stack({ capacities: { sgx_epc: 2 ** 20, tdx: 0 } });
    stack.groups('/a');
    expect(stack.write('/a/misc.max', 'tdx 5')).toBe(-EINVAL);
    expect(stack.write('/a/misc.max', 'tdx 18446744073709551616')).toBe(-ERANGE);
    expect(stack.write('/a/misc.max', 'sev 5')).toBe(-EINVAL);
    expect(stack.write('/a/misc.max', 'sgx_epc 1099511627776')).toBe(21);
  });

  it('4097 bytes are one page', () => {
    const stack = new Stack();
    const [a] = stack.groups('/a') as [number];
    stack.write('/a/misc.max', 'sgx_epc 4097');
    expect([stack.charge(a), stack.charge(a)]).toEqual([0, -EBUSY]);
    expect(stack.read('/a/misc.max')).toBe('sgx_epc 4097\n');
  });

  it('below the usage it fails later charges and nothing else', () => {
    const stack = new Stack();
    const [a] = stack.groups('/a') as [number];
    stack.charge(a, 3);
    expect(stack.write('/a/misc.max', 'sgx_epc 4096')).toBe(12);
    expect(stack.counters(a)).toEqual({ usage: 3 * PAGE, peak: 3 * PAGE, events: 0, local: 0 });
    expect(stack.charge(a)).toBe(-EBUSY);
    stack.write('/a/misc.max', 'sgx_epc max');
    expect(stack.charge(a)).toBe(0);
  });

  it('0 refuses every new charge below, but not one of nothing', () => {
    const stack = new Stack();
    const [b] = stack.groups('/a/b') as [number];
    stack.write('/a/misc.max', 'sgx_epc 0');
    expect([stack.charge(b), stack.charge(b, 0)]).toEqual([-EBUSY, 0]);
  });
});

describe('errors of open, read and write', () => {
  const stack = new Stack();
  stack.groups('/a');

  it.each([
    ['/misc.max', -ENOENT],
    ['/misc.events', -ENOENT],
    ['/a/misc.capacity', -ENOENT],
    ['/a/nosuch', -ENOENT],
    ['/nosuch/misc.max', -ENOENT],
    ['/a/misc.current', -EACCES],
    ['/misc.capacity', -EACCES],
    ['/a/cgroup.controllers', -EACCES],
    ['/a', -EISDIR],
    ['', -EISDIR],
    ['/', -EISDIR],
    ['/a/misc.max/b', -ENOTDIR],
    ['x/misc.max', -ENOENT],
  ])('writing %s gives %i', (path, errno) => {
    expect(stack.write(path, 'sgx_epc 5')).toBe(errno);
  });

  it('reading', () => {
    expect([stack.read('/a'), stack.read('/b'), stack.read('/a//./misc.max')]).toEqual([
      -EISDIR,
      -ENOENT,
      'sgx_epc max\n',
    ]);
    expect(stack.run(stack.tree.files.read(stack.thread(), '/proc/self/cgroup'))).toBe(-ENOENT);
    expect(stack.tree.files.peek('/proc')).toBe(-ENOENT);
  });

  it('an open file of a directory or group that is gone gives ENODEV', () => {
    const { tree } = stack;
    stack.groups('/gone', '/off');
    const [gone, off] = ['/gone', '/off'].map((path) => tree.files.open(`${M}${path}/misc.max`, true)) as [
      OpenFile,
      OpenFile,
    ];
    const use = (file: OpenFile) => [
      stack.run(tree.files.readOpen(stack.thread(), file)),
      stack.run(tree.files.writeOpen(stack.thread(), file, 'sgx_epc 5')),
    ];
    expect(use(gone)).toEqual(['sgx_epc max\n', 9]);
    expect(stack.rmdir('/gone')).toBe(0);
    expect(use(gone)).toEqual([-ENODEV, -ENODEV]);
    stack.write('/cgroup.subtree_control', '-misc +misc -misc');
    stack.write('/cgroup.subtree_control', '+misc');
    expect(use(off)).toEqual([-ENODEV, -ENODEV]);
    const readOnly = tree.files.open(`${M}/off/misc.peak`, false) as OpenFile;
    expect(stack.run(tree.files.writeOpen(stack.thread(), readOnly, '0'))).toBe(-EACCES);
  });
});

describe('cgroup.procs', () => {
  it.each([
    ['7\n', 2],
    ['0x7', 3],
    ['+7', 2],
    ['', -EINVAL],
    ['seven', -EINVAL],
    ['-7', -EINVAL],
    ['7 8', -EINVAL],
    ['2147483648', -EINVAL],
    ['18446744073709551616', -EINVAL],
    ['9', -ESRCH],
    ['0', -EINVAL],
  ])('%j gives %i', (text, result) => {
    const stack = new Stack();
    stack.groups('/a');
    stack.tree.addProcess(7);
    expect(stack.write('/a/cgroup.procs', text)).toBe(result);
    expect(stack.read('/a/cgroup.procs')).toBe(result > 0 ? '7\n' : '');
    expect(stack.violations()).toEqual([]);
  });

  it('0 is the process that writes', () => {
    const stack = new Stack();
    stack.groups('/a');
    stack.tree.addProcess(12);
    stack.tree.addProcess(7);
    stack.tree.processes.setCurrent(stack.thread(), 12);
    expect(stack.write('/a/cgroup.procs', '0\n')).toBe(2);
    expect([stack.read('/a/cgroup.procs'), stack.read('/cgroup.procs')]).toEqual(['12\n', '7\n']);
  });

  it('a directory that enables misc takes no process, and one with processes cannot enable it', () => {
    const stack = new Stack();
    stack.groups('/a/b');
    stack.tree.addProcess(7);
    expect(stack.write('/a/cgroup.procs', '7')).toBe(-EBUSY);
    expect(stack.write('/a/b/cgroup.procs', '7')).toBe(1);
    expect(stack.write('/a/b/cgroup.subtree_control', '+misc')).toBe(-EBUSY);
    expect(stack.write('/cgroup.procs', '7')).toBe(1);
    expect(stack.violations()).toEqual([]);
  });
});
