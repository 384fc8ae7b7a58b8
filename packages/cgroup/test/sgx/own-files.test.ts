import { describe, expect, it } from 'vitest';
import { CGROUP_MOUNT, CgroupErrno, cgroup2020, epcCgroupPresets } from '../../src/index.js';
import { EpcStack, PAGE } from './epc-stack.js';

const { EACCES, EINVAL, ENOENT, ENODEV, ERANGE } = CgroupErrno;
const bounds = ['sgx_epc.low', 'sgx_epc.high', 'sgx_epc.max'] as const;
const initial = { 'sgx_epc.low': '0\n', 'sgx_epc.high': 'max\n', 'sgx_epc.max': 'max\n' };

function stackOf(): EpcStack {
  const stack = new EpcStack({ design: cgroup2020 });
  stack.group('/a');
  return stack;
}

describe('which files there are', () => {
  const own = (stack: EpcStack, path: string): string[] => {
    const names = stack.tree.list(`${CGROUP_MOUNT}${path}`) as string[];
    return names.filter((name) => name.startsWith('sgx_epc'));
  };

  it('all of them below the root, on the root the usage', () => {
    const stack = stackOf();
    const all = ['current', 'low', 'high', 'max', 'stats', 'events'].map((name) => `sgx_epc.${name}`);
    expect(own(stack, '/a')).toEqual(all);
    expect(own(stack, '')).toEqual(['sgx_epc.current']);
  });

  it('none in a directory without a group', () => {
    const stack = stackOf();
    stack.run(stack.tree.mkdir(stack.thread(), `${CGROUP_MOUNT}/a/b`));
    expect(own(stack, '/a/b')).toEqual([]);
  });

  it.each(Object.values(epcCgroupPresets).filter(({ name }) => name !== 'cgroup-2020'))(
    'none in $name',
    (design) => {
      const stack = new EpcStack({ design });
      stack.group('/a');
      expect(own(stack, '/a')).toEqual([]);
      expect(stack.read('/a/sgx_epc.max')).toBe(-ENOENT);
    },
  );
});

describe.each(bounds)('%s', (file) => {
  it('is not limited or protected at first', () => {
    expect(stackOf().read(`/a/${file}`)).toBe(initial[file]);
  });

  it.each([
    ['40960', '40960'],
    [' 40960\n', '40960'],
    ['0xa000', '40960'],
    ['0120000', '40960'],
    ['+40960', '40960'],
    // Whole pages, rounded down.
    ['40959', '36864'],
    ['4095', '0'],
    ['0', '0'],
    ['max', 'max'],
    ['max\n', 'max'],
    ['18446744073709551615', 'max'],
    ['18446744073709551614', '18446744073709547520'],
  ])('takes %j and shows %s', (text, shown) => {
    const stack = stackOf();
    expect(stack.write(`/a/${file}`, text)).toBe(text.length);
    expect(stack.read(`/a/${file}`)).toBe(`${shown}\n`);
  });

  it.each([
    ['', EINVAL],
    [' ', EINVAL],
    ['-1', EINVAL],
    ['Max', EINVAL],
    ['max 5', EINVAL],
    ['5 6', EINVAL],
    ['1M', EINVAL],
    ['0x', EINVAL],
    ['five', EINVAL],
    ['sgx_epc 5', EINVAL],
    ['18446744073709551616', ERANGE],
  ])('refuses %j and changes nothing', (text, errno) => {
    const stack = stackOf();
    stack.write(`/a/${file}`, '8192');
    expect(stack.write(`/a/${file}`, text)).toBe(-errno);
    expect(stack.read(`/a/${file}`)).toBe('8192\n');
  });

  it('is not there on the root', () => {
    expect(stackOf().write(`/${file}`, '0')).toBe(-ENOENT);
  });

  it('is gone with its directory', () => {
    const stack = stackOf();
    const open = stack.tree.files.open(`${CGROUP_MOUNT}/a/${file}`, true);
    stack.rmdir('/a');
    if (typeof open === 'number') throw new Error('not opened');
    expect(stack.run(stack.tree.files.writeOpen(stack.thread(), open, '0'))).toBe(-ENODEV);
  });

  it('of a group that is made later in the same place is the initial one', () => {
    const stack = stackOf();
    stack.write(`/a/${file}`, '8192');
    stack.rmdir('/a');
    stack.group('/a');
    expect(stack.read(`/a/${file}`)).toBe(initial[file]);
  });
});

it('sgx_epc.max and misc.max are one limit', () => {
  const stack = stackOf();
  stack.write('/a/sgx_epc.max', '40960');
  expect(stack.read('/a/misc.max')).toBe('sgx_epc 40960\n');
  stack.limit('/a', 3 * PAGE);
  expect(stack.read('/a/sgx_epc.max')).toBe('12288\n');
});

it('writing sgx_epc.max blocks until usage is below it', () => {
  const stack = stackOf();
  const a = stack.group('/a', 40);
  stack.tenant('/a', 40);
  expect(stack.write('/a/sgx_epc.max', `${20 * PAGE}`)).toBe(5);
  expect(stack.usage(a)).toBeLessThanOrEqual(20);
});

describe('sgx_epc.current', () => {
  it('is the usage of the subtree in bytes, on the root too', () => {
    const stack = stackOf();
    stack.group('/a/b');
    stack.tenant('/a/b', 3);
    for (const path of ['', '/a', '/a/b']) expect(stack.read(`${path}/sgx_epc.current`)).toBe('12288\n');
  });

  it('cannot be written', () => expect(stackOf().write('/a/sgx_epc.current', '0')).toBe(-EACCES));
});

describe('sgx_epc.stats', () => {
  it('tells direct from indirect pages and counts what reclaimers have done; a write resets that', () => {
    const stack = stackOf();
    stack.group('/a', 20);
    stack.group('/a/b');
    stack.tenant('/a', 4);
    stack.tenant('/a/b', 8);
    const shown = 'pages 12\ndirect 4\nindirect 8\nreclaimed 0\nreclamations 0\n';
    expect(stack.read('/a/sgx_epc.stats')).toBe(shown);
    stack.write('/a/sgx_epc.max', `${4 * PAGE}`);
    // 4 pages of its own and 8 below it: one round asks for 16, and comes to both.
    expect(stack.read('/a/sgx_epc.stats')).toBe(
      'pages 0\ndirect 0\nindirect 0\nreclaimed 4\nreclamations 1\n',
    );
    expect(stack.read('/a/b/sgx_epc.stats')).toBe(
      'pages 0\ndirect 0\nindirect 0\nreclaimed 8\nreclamations 1\n',
    );
    expect(stack.write('/a/sgx_epc.stats', 'anything')).toBe(8);
    expect(stack.read('/a/sgx_epc.stats')).toBe(
      'pages 0\ndirect 0\nindirect 0\nreclaimed 0\nreclamations 0\n',
    );
    expect(stack.read('/a/b/sgx_epc.stats')).toMatch('reclaimed 8\n');
  });

  it('does not count what owners give back, nor pages that a reclaimer has put back', () => {
    const stack = stackOf();
    stack.group('/a', 40);
    const toy = stack.tenant('/a', 6);
    for (const record of [0, 1, 2, 3, 4, 5]) toy.young.add(record);
    const request = { target: stack.group('/a'), maxPages: 16, isAgeIgnored: false, lookedAt: 0, evicted: 0 };
    stack.run(stack.reclaimer.batch(stack.thread(), request));
    expect([request.lookedAt, request.evicted]).toEqual([6, 0]);
    stack.run(stack.toys.close(stack.thread(), toy));
    expect(stack.read('/a/sgx_epc.stats')).toMatch(/^pages 0\n(.*\n)*reclaimed 0\nreclamations 1\n$/);
  });
});

describe('sgx_epc.events', () => {
  it('counts requests for the limit, and a write resets them', () => {
    const stack = stackOf();
    stack.group('/a', 8);
    stack.group('/a/b');
    const toy = stack.tenant('/a/b', 8);
    expect(stack.load(toy, [50])).toBe(0);
    expect(stack.read('/a/sgx_epc.events')).toBe('low 0\nhigh 0\nmax 1\n');
    // Who refused is asked, not who was charged.
    expect(stack.read('/a/b/sgx_epc.events')).toBe('low 0\nhigh 0\nmax 0\n');
    expect(stack.write('/a/sgx_epc.events', '\n')).toBe(1);
    expect(stack.read('/a/sgx_epc.events')).toBe('low 0\nhigh 0\nmax 0\n');
  });

  it('tells pollers of each event and of a reset', () => {
    const notified: string[] = [];
    const stack = new EpcStack({
      design: cgroup2020,
      listener: { modified: (group, file) => void notified.push(`${group} ${file}`) },
    });
    const a = stack.group('/a', 8);
    const toy = stack.tenant('/a', 8);
    stack.load(toy, [50]);
    stack.write('/a/sgx_epc.events', '0');
    const own = notified.filter((line) => line.endsWith('sgx_epc.events'));
    expect(own).toEqual([`${a} sgx_epc.events`, `${a} sgx_epc.events`]);
  });
});
