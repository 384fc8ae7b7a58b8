import { describe, expect, it } from 'vitest';
import type { MachineDescription } from '../src/index.js';
import { createEpc, createSysfs } from '../src/index.js';

type Section = MachineDescription['sections'][number];

const path = (node: number): string => `/sys/devices/system/node/node${node}/x86/sgx_total_bytes`;

/** What the files of nodes 0 to 3 hold. */
function contents(sections: readonly Section[]): (string | null)[] {
  const sysfs = createSysfs({ sections });
  return [0, 1, 2, 3].map((node) => sysfs.read(path(node)));
}

const pages = (node: number, pageCount: number): Section => ({ node, pageCount });

describe('sgx_total_bytes', () => {
  it('is the EPC of each node, on machines of one to four nodes', () => {
    expect(contents([pages(0, 64)])).toEqual(['262144\n', null, null, null]);
    expect(contents([pages(0, 64), pages(1, 32)])).toEqual(['262144\n', '131072\n', null, null]);
    const three = [pages(0, 1), pages(1, 2), pages(2, 3)];
    expect(contents(three)).toEqual(['4096\n', '8192\n', '12288\n', null]);
    expect(contents([...three, pages(3, 4)])).toEqual(['4096\n', '8192\n', '12288\n', '16384\n']);
  });

  it('sums up the sections of a node, in whatever order they come', () => {
    const sections = [pages(1, 10), pages(0, 20), pages(1, 30), pages(0, 70)];
    expect(contents(sections)).toEqual(['368640\n', '163840\n', null, null]);
    expect(createSysfs({ sections }).paths).toEqual([path(0), path(1)]);
  });

  it('is not there for a node without EPC', () => {
    expect(contents([pages(2, 16)])).toEqual([null, null, '65536\n', null]);
    expect(createSysfs({ sections: [pages(2, 16)] }).paths).toEqual([path(2)]);
  });

  it('counts eight of nine sections, and none after one of an unknown type', () => {
    const nine = Array.from({ length: 9 }, (_, i) => pages(i % 2, 2 ** i));
    expect(contents(nine)).toEqual([`${85 * 4096}\n`, `${170 * 4096}\n`, null, null]);
    const [first, second, third] = nine as [Section, Section, Section];
    const isBadType = true;
    expect(contents([first, { ...second, isBadType }, third])).toEqual(['4096\n', null, null, null]);
  });

  it('gives a section without a node to node 0', () => {
    expect(contents([pages(-1, 5)])).toEqual(['20480\n', null, null, null]);
  });

  it('is exact for more EPC than a machine word of 32 bits counts', () => {
    expect(contents([pages(0, 2 ** 28), pages(0, 1)])[0]).toBe('1099511631872\n');
  });
});

describe('a machine without SGX', () => {
  it.each([
    ['no section', { sections: [] }],
    ['only sections of an unknown type', { sections: [{ ...pages(0, 64), isBadType: true }] }],
    ['no SGX at all', null],
  ])('shows nothing: %s (B-49)', (_what, machine) => {
    const sysfs = createSysfs(machine);
    expect(sysfs.paths).toEqual([]);
    expect(sysfs.read(path(0))).toBeNull();
  });
});

describe('the files of a stack', () => {
  const machine = { cpus: [{ node: 0 }], sections: [pages(0, 64), pages(1, 64), pages(1, 8)] };

  it('hold what its pools have after the boot', () => {
    const epc = createEpc({ machine });
    epc.boot();
    const sysfs = createSysfs(epc.options.machine);
    for (const node of epc.pools.nodes) {
      expect(sysfs.read(path(node))).toBe(`${epc.pools.freeOnNode(node) * 4096}\n`);
    }
    expect(sysfs.paths).toHaveLength(epc.pools.nodes.length);
  });

  it('count poisoned pages', () => {
    const epc = createEpc({ machine });
    epc.boot();
    const [cpu] = epc.cpus as [(typeof epc.cpus)[0]];
    epc.machine.run(cpu.thread, epc.memoryFailure.report(cpu.thread, 3));
    expect(createSysfs(epc.options.machine).read(path(0))).toBe('262144\n');
  });

  it('are no others', () => {
    const sysfs = createSysfs(machine);
    expect(sysfs.read('/sys/devices/system/node/node0/meminfo')).toBeNull();
    expect(sysfs.read(`${path(0)}/`)).toBeNull();
  });
});
