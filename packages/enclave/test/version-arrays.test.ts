import { describe, expect, it } from 'vitest';
import type { Enclave } from '../src/index.js';
import { versionArrayNumber, versionArrayRecord } from '../src/index.js';
import { Stack } from './stack.js';

describe('version array pages', () => {
  it('come with CREATE, and before every page that makes page_cnt a multiple of 512', () => {
    const stack = new Stack({ epcPages: 1100 });
    const mm = stack.process();
    const enclave = stack.create(2048);
    const counts: [number, number][] = [[enclave.slotUsers.value, enclave.paging?.slots.pageCount ?? 0]];
    for (const upTo of [511, 512, 1023, 1024]) {
      stack.add(mm, enclave, enclave.children, upTo - enclave.children);
      counts.push([enclave.slotUsers.value, enclave.paging?.slots.pageCount ?? 0]);
    }
    expect(counts).toEqual([
      [1, 1],
      [512, 1],
      [513, 2],
      [1024, 2],
      [1025, 3],
    ]);
    expect(stack.log.leaves.filter((leaf) => leaf.startsWith('EPA'))).toHaveLength(3);
    expect(stack.violations()).toEqual([]);
  });

  it('are allocated after the page that needs them', () => {
    const stack = new Stack({ epcPages: 600 });
    const enclave = stack.create(1024);
    const mm = stack.process();
    stack.add(mm, enclave, 0, 511);
    const [page, array] = stack.free();
    stack.log.clear();
    stack.add(mm, enclave, 511);
    expect(stack.log.leaves).toEqual([`EPA ${array}`, `EADD ${page}`]);
  });

  it('give slots from the newest page first; a full one goes to the end', () => {
    const stack = new Stack({ epcPages: 1100 });
    const mm = stack.process();
    const enclave = stack.build(mm, { pages: 520 });
    stack.reclaimAll();
    const [first, second] = [512, 0];
    expect(slotsOf(enclave, 520)).toEqual([
      ...Array.from({ length: 512 }, (_, bit) => first + bit),
      ...Array.from({ length: 8 }, (_, bit) => second + bit),
    ]);
    expect(enclave.secsSlot).toBe(8);
    expect(order(enclave)).toEqual([
      [0, 9],
      [1, 512],
    ]);
    expect(stack.violations()).toEqual([]);
  });

  it('come first again when a load has freed a slot of them; the lowest free slot is next', () => {
    const stack = new Stack({ epcPages: 1100 });
    const mm = stack.process();
    const enclave = stack.build(mm, { pages: 520 });
    stack.reclaimAll();
    stack.touch(mm, enclave, 3);
    // The SECS came first, from array 0; page 3 then moved array 1 to the head.
    expect(order(enclave)).toEqual([
      [1, 511],
      [0, 8],
    ]);
    stack.reclaimAll();
    expect([enclave.records.slot(3), enclave.secsSlot]).toEqual([515, 8]);
    expect(stack.violations()).toEqual([]);
  });

  it('have record numbers in order of EPA', () => {
    expect([0, 1, 7].map(versionArrayRecord)).toEqual([-2, -3, -9]);
    expect([-2, -3, -9, -1, 0, 5].map(versionArrayNumber)).toEqual([0, 1, 7, -1, -1, -1]);
  });
});

function slotsOf(enclave: Enclave, count: number): number[] {
  return Array.from({ length: count }, (_, page) => enclave.records.slot(page));
}

/** Number and used slots of the version array pages from head to tail. */
function order(enclave: Enclave): [number, number][] {
  return [...(enclave.paging?.slots.pages() ?? [])].map(({ index, used }) => [index, used]);
}
