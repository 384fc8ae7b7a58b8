import type { Routine } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { MiscGroup } from '../src/index.js';
import { CgroupErrno, Resource } from '../src/index.js';
import { M, PAGE, Stack } from './stack.js';

const { EBUSY, EEXIST, EINVAL, ENAMETOOLONG, ENOENT, ENOMEM, ENOSPC, ENOTDIR, ESRCH } = CgroupErrno;

describe('mkdir', () => {
  it.each([
    ['/a', -EEXIST],
    ['/misc.current', -EEXIST],
    ['', -EEXIST],
    ['/nosuch/b', -ENOENT],
    ['/misc.current/b', -ENOTDIR],
    ['x/b', -ENOENT],
    ['/a\nb', -EINVAL],
    [`/${'é'.repeat(128)}`, -ENAMETOOLONG],
    [`/${'é'.repeat(127)}x`, 0],
    ['/misc.max', 0],
    ['/a/b/', 0],
  ])('%j gives %i', (path, result) => {
    const stack = new Stack();
    stack.groups('/a');
    expect(stack.mkdir(path)).toBe(result);
    expect(stack.violations()).toEqual([]);
  });

  it('all that are missing', () => {
    const stack = new Stack();
    expect(stack.groups('/a/b/c', '/a/b/d', '/a/b/c')).toEqual([3, 4, 3]);
    expect(stack.run(stack.tree.mkdirAll(stack.thread(), `${M}/a/misc.max/x`))).toBe(-ENOTDIR);
    expect(stack.run(stack.tree.mkdirAll(stack.thread(), '/proc/1/x/y'))).toBe(-ENOENT);
    stack.tree.addProcess(7, `${M}/a/b/c`);
    expect(stack.run(stack.tree.mkdirAll(stack.thread(), `${M}/a/b/c/d`))).toBe(-EBUSY);
  });

  it('gives ENOSPC when 65,536 groups exist, and uses the number of one that was freed', () => {
    const stack = new Stack({ capacities: {} });
    const { controller } = stack;
    const made = Array.from({ length: 65_535 }, (_, i) =>
      stack.run(controller.create(stack.thread(), controller.root, `${i}`)),
    );
    stack.write('/cgroup.subtree_control', '+misc');
    expect(stack.mkdir('/a')).toBe(-ENOSPC);
    stack.run(controller.takeOffline(stack.thread(), made[41] as MiscGroup));
    expect(stack.mkdir('/a')).toBe(0);
    expect(stack.id('/a')).toBe(42);
    expect(stack.mkdir('/b')).toBe(-ENOSPC);
  });
});

describe('rmdir', () => {
  it('refuses the root, directories in use, files and what is not there', () => {
    const stack = new Stack();
    stack.groups('/a/b');
    stack.tree.addProcess(7, `${M}/a/b`);
    expect(
      ['', '/a', '/a/b', '/a/misc.max', '/nosuch', '/nosuch/b', '/misc.current/b', 'x'].map((path) =>
        stack.rmdir(path),
      ),
    ).toEqual([-EBUSY, -EBUSY, -EBUSY, -ENOTDIR, -ENOENT, -ENOENT, -ENOTDIR, -ENOENT]);
    expect(stack.run(stack.tree.exit(stack.thread(), 7))).toBe(0);
    expect([stack.rmdir('/a/b'), stack.rmdir('/a'), stack.rmdir('/a')]).toEqual([0, 0, -ENOENT]);
    expect(stack.violations()).toEqual([]);
  });

  it('of a group with charges: it dies, the charge stays above until the last one goes', () => {
    const stack = new Stack();
    const { controller, tree } = stack;
    const [a, b] = stack.groups('/a', '/a/b') as [number, number];
    tree.addProcess(7, `${M}/a/b`);
    tree.processes.setCurrent(stack.thread(), 7);
    const charged = [0, 1].map(() => {
      const group = stack.run(tree.processes.getCurrent(stack.thread()));
      expect(stack.charge(group)).toBe(0);
      return group;
    });
    expect(charged).toEqual([b, b]);
    expect(stack.run(tree.exit(stack.thread(), 7))).toBe(0);
    expect([stack.rmdir('/a/b'), stack.rmdir('/a')]).toEqual([0, 0]);

    const seen = () =>
      controller.groups().map(({ name, isOnline, refs }) => `${name} ${isOnline} ${refs.value}`);
    expect(seen()).toEqual(['/ true 2', '/a false 1', '/a/b false 2']);
    expect([a, b, 0].map((id) => stack.counters(id).usage)).toEqual([2, 2, 2].map((pages) => pages * PAGE));
    expect(stack.read('/misc.current')).toBe('sgx_epc 8192\n');
    // The same name again is another group.
    const [again] = stack.groups('/a') as [number];
    expect(again).not.toBe(a);
    expect(stack.read('/a/misc.current')).toBe('sgx_epc 0\n');
    expect(stack.violations()).toEqual([]);

    for (const group of charged) {
      stack.uncharge(group);
      stack.run(controller.put(stack.thread(), group));
    }
    expect(seen()).toEqual(['/ true 2', '/a true 1']);
    expect([controller.group(a), controller.group(b)]).toEqual([undefined, undefined]);
    expect(stack.read('/misc.current')).toBe('sgx_epc 0\n');
    expect(stack.violations()).toEqual([]);
  });

  it('keeps a dying parent while a child is alive in memory', () => {
    const stack = new Stack();
    const { controller } = stack;
    const [a, b] = stack.groups('/a', '/a/b').map((id) => controller.group(id)) as [MiscGroup, MiscGroup];
    stack.run(controller.get(stack.thread(), b.id));
    stack.rmdir('/a/b');
    stack.rmdir('/a');
    expect(stack.run(controller.tryGet(stack.thread(), a))).toBe(true);
    stack.run(controller.put(stack.thread(), a.id));
    stack.run(controller.put(stack.thread(), b.id));
    expect(stack.run(controller.tryGet(stack.thread(), a))).toBe(false);
    expect(controller.groups()).toEqual([controller.root]);
    expect(() => stack.run(controller.put(stack.thread(), controller.root.id))).toThrow(/nobody had taken/);
  });
});

it('the walk visits parents first, dying groups too, and ends at the top', () => {
  const stack = new Stack();
  const { controller } = stack;
  const ids = stack.groups('/a', '/a/b', '/a/b/c', '/a/d', '/e');
  const dying = controller.group(ids[1] as number) as MiscGroup;
  stack.run(controller.get(stack.thread(), dying.id));
  stack.rmdir('/a/b/c');
  stack.rmdir('/a/b');
  const walk = (top: MiscGroup) => {
    const names = [];
    for (let at: MiscGroup | null = top; at !== null; at = controller.after(top, at)) names.push(at.name);
    return names.join(' ');
  };
  expect(walk(controller.root)).toBe('/ /a /a/b /a/d /e');
  expect(walk(controller.group(ids[0] as number) as MiscGroup)).toBe('/a /a/b /a/d');
  expect(walk(dying)).toBe('/a/b');
});

describe('processes', () => {
  it('a child is where its parent is; moving a process moves no charge', () => {
    const stack = new Stack();
    const { tree } = stack;
    const [a, b] = stack.groups('/a', '/b') as [number, number];
    tree.addProcess(7, `${M}/a`);
    expect(stack.run(tree.fork(stack.thread(), 7, 8))).toBe(0);
    expect(stack.run(tree.fork(stack.thread(), 9, 10))).toBe(-ESRCH);
    tree.processes.setCurrent(stack.thread(), 8);
    const current = () => stack.run(tree.processes.getCurrent(stack.thread()));
    expect(current()).toBe(a);
    stack.charge(a);
    stack.write('/b/cgroup.procs', '8');
    expect(current()).toBe(b);
    expect([a, b].map((id) => stack.counters(id).usage)).toEqual([PAGE, 0]);
    expect([stack.read('/a/cgroup.procs'), stack.read('/b/cgroup.procs')]).toEqual(['7\n', '8\n']);
    // A process that is gone, and a thread that runs none, charge the root.
    expect(stack.run(tree.exit(stack.thread(), 8))).toBe(0);
    expect(stack.run(tree.exit(stack.thread(), 8))).toBe(-ESRCH);
    expect(current()).toBe(0);
    tree.processes.setCurrent(stack.thread(), 7);
    tree.processes.setCurrent(stack.thread(), null);
    expect(current()).toBe(0);
  });

  it('misuse', () => {
    const { tree, ...stack } = new Stack();
    tree.addProcess(7);
    const misuse = expect.objectContaining({ code: 'EPCKIT_MISUSE' });
    expect(() => tree.addProcess(7)).toThrow(misuse);
    expect(() => tree.addProcess(0)).toThrow(misuse);
    expect(() => tree.addProcess(8, `${M}/nosuch`)).toThrow(misuse);
    expect(() => tree.processes.setCurrent(stack.threads[0] as never, 8)).toThrow(misuse);
  });
});

describe('cgroup.subtree_control', () => {
  it.each([
    ['+misc', 5],
    ['+misc\n', 6],
    ['', 0],
    ['-misc', 5],
    ['+misc  -misc +misc', 18],
    ['misc', -EINVAL],
    ['+memory', -EINVAL],
    ['+misc +memory', -EINVAL],
    ['+misc\t-misc', -EINVAL],
  ])('%j gives %i', (text, result) => {
    const stack = new Stack();
    expect(stack.write('/cgroup.subtree_control', text)).toBe(result);
    const enabled = text.trimEnd().endsWith('+misc') && result > 0;
    expect(stack.read('/cgroup.subtree_control')).toBe(enabled ? 'misc\n' : '');
    expect(stack.read('/cgroup.controllers')).toBe('misc\n');
  });

  it('cannot be switched off above one that has it on', () => {
    const stack = new Stack();
    stack.groups('/a/b/c');
    expect(stack.write('/cgroup.subtree_control', '-misc')).toBe(-EBUSY);
    expect(stack.write('/a/b/cgroup.subtree_control', '-misc')).toBe(5);
    expect(stack.read('/a/b/c/cgroup.controllers')).toBe('');
    expect(stack.violations()).toEqual([]);
  });

  it('processes without a group of their own charge the nearest one above', () => {
    const stack = new Stack();
    const { tree } = stack;
    const [a] = stack.groups('/a') as [number];
    stack.mkdir('/a/b');
    tree.addProcess(7, `${M}/a/b`);
    tree.processes.setCurrent(stack.thread(), 7);
    const current = () => stack.run(tree.processes.getCurrent(stack.thread()));
    expect(current()).toBe(a);
    expect(stack.write('/a/cgroup.subtree_control', '+misc')).toBe(5);
    const own = current();
    expect(own).toBe(stack.id('/a/b'));
    expect(own).not.toBe(a);
    stack.charge(own);
    // Switched off: the group dies with its charge, the process charges the one above.
    expect(stack.write('/a/cgroup.subtree_control', '-misc')).toBe(5);
    expect(current()).toBe(a);
    expect(stack.controller.group(own)?.isOnline).toBe(false);
    expect([own, a, 0].map((id) => stack.counters(id).usage)).toEqual([PAGE, PAGE, PAGE]);
    expect(stack.violations()).toEqual([]);
  });
});

/** Private parts that are made for the first `limit` groups. */
function installParts(
  stack: Stack,
  resource: (typeof Resource)[keyof typeof Resource],
  limit: number,
): string[] {
  const log: string[] = [];
  stack.controller.setOps(resource, {
    alloc: ({ name }) => {
      const isMade = log.filter((line) => line.startsWith('alloc')).length < limit;
      log.push(`${isMade ? 'alloc' : 'fail'} ${resource} ${name}`);
      return isMade ? 0 : -ENOMEM;
    },
    *free(_, { name }): Routine<void> {
      log.push(`free ${resource} ${name}`);
    },
  });
  return log;
}

describe('private parts of a resource', () => {
  it('are made with the group and freed with its last reference', () => {
    const stack = new Stack();
    const log = installParts(stack, Resource.SGX_EPC, 9);
    const [a] = stack.groups('/a').map((id) => stack.controller.group(id)) as [MiscGroup];
    stack.run(stack.controller.get(stack.thread(), a.id));
    stack.rmdir('/a');
    expect(log).toEqual(['alloc 3 /a']);
    stack.run(stack.controller.put(stack.thread(), a.id));
    expect(log).toEqual(['alloc 3 /a', 'free 3 /a']);
  });

  it('are freed only if they were made: not before they exist, not without capacity, not after a failure', () => {
    const stack = new Stack({ capacities: { sgx_epc: 2 ** 20, tdx: 0, sev: 1 } });
    stack.groups('/before');
    installParts(stack, Resource.TDX, 9);
    const sev = installParts(stack, Resource.SEV, 9);
    const epc = installParts(stack, Resource.SGX_EPC, 1);
    stack.rmdir('/before');
    expect([stack.mkdir('/a'), stack.mkdir('/b')]).toEqual([0, -ENOMEM]);
    expect(stack.rmdir('/b')).toBe(-ENOENT);
    stack.rmdir('/a');
    expect(sev).toEqual(['alloc 0 /a', 'alloc 0 /b', 'free 0 /b', 'free 0 /a']);
    expect(epc).toEqual(['alloc 3 /a', 'fail 3 /b', 'free 3 /a']);
    expect(stack.controller.groups()).toHaveLength(1);
    expect(stack.violations()).toEqual([]);
  });

  it('failing while misc is switched on leave it off', () => {
    const stack = new Stack();
    for (const path of ['/a', '/b', '/c']) stack.mkdir(path);
    const log = installParts(stack, Resource.SGX_EPC, 2);
    expect(stack.write('/cgroup.subtree_control', '+misc')).toBe(-ENOMEM);
    expect(log.filter((line) => line.startsWith('free'))).toEqual(['free 3 /a', 'free 3 /b']);
    expect(stack.read('/cgroup.subtree_control')).toBe('');
    expect(stack.controller.groups()).toHaveLength(1);
    expect(stack.violations()).toEqual([]);
  });

  it('need a resource that exists', () => {
    expect(() => installParts(new Stack(), Resource.TDX, 1)).toThrow(
      expect.objectContaining({ code: 'EPCKIT_MISUSE' }),
    );
  });
});

it('checkCgroups finds what is wrong', () => {
  const stack = new Stack();
  const [a, b] = stack.groups('/a', '/a/b').map((id) => stack.controller.group(id)) as [MiscGroup, MiscGroup];
  const thread = stack.thread();
  const [top, low] = [a, b].map((group) => group.counters(Resource.SGX_EPC));
  low?.usage.write(thread, 5);
  top?.usage.write(thread, -1);
  top?.eventsLocal.write(thread, 1);
  a.isOnline = false;
  b.refs.put(thread);
  stack.tree.addProcess(7);
  stack.tree.processes.get(7)?.group.write(thread, 1);
  stack.tree.root.children.get('a')?.pids.add(9);
  const directory = stack.tree.root.children.get('a')?.children.get('b');
  if (directory !== undefined) {
    directory.isRemoved = true;
    directory.group = null;
  }
  expect([...new Set(stack.violations().map((text) => text.split(':')[0]))].sort()).toEqual([
    'events',
    'group',
    'hierarchy',
    'leaf',
    'negative',
    'online',
    'peak',
    'process',
    'references',
    'removed',
    'subtree_control',
  ]);
});
