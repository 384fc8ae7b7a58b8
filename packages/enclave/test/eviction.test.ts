import type { SgxHardware } from '@epckit/interface';
import { LeafFault } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Enclave } from '../src/index.js';
import { Stack } from './stack.js';

const filePages = (enclave: Enclave): number[] => enclave.paging?.backing.presentPages() ?? [];

describe('eviction and load', () => {
  it('keep the pages of the backing file that evicted pages need, and no others', () => {
    const stack = new Stack();
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 40 });
    for (const page of [0, 39]) stack.touch(mm, enclave, page);
    stack.reclaimAll();
    stack.reclaimAll();
    // 64 pages in the range: the SECS is file page 64, PCMD pages of 32 entries follow.
    const all = Array.from({ length: 40 }, (_, page) => page);
    expect(filePages(enclave)).toEqual([...all, 64, 65, 66, 67]);
    stack.touch(mm, enclave, 35);
    expect(filePages(enclave)).toEqual([...all.filter((page) => page !== 35), 65, 66]);
    for (let page = 32; page < 40; page++) stack.touch(mm, enclave, page);
    expect(filePages(enclave)).toEqual([...all.slice(0, 32), 65]);
    expect(stack.violations()).toEqual([]);
  });

  it('zap a page before it is blocked, and block all before the first is written', () => {
    const stack = new Stack();
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 2, init: false });
    stack.log.label({ S: enclave.secs, a: enclave.records.epc(0), b: enclave.records.epc(1) });
    for (const page of [0, 1]) stack.fault(mm, enclave, page);
    stack.log.clear();
    stack.reclaim();
    expect(stack.log.order.join(', ')).toBe(
      'age 0, age 1, zap 0, EBLOCK a, zap 1, EBLOCK b, EWB a 11, ETRACK S, EWB a, EWB b',
    );
  });

  it('put a TCS page and a data page back as they were', () => {
    const stack = new Stack();
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 3, tcs: true });
    const before = [0, 1, 2].map((page) => entryOf(stack, enclave, page));
    stack.reclaimAll();
    expect(enclave.secs).toBe(-1);
    for (const page of [2, 0, 1]) expect(stack.touch(mm, enclave, page)).toBe(true);
    const after = [0, 1, 2].map((page) => entryOf(stack, enclave, page));
    expect(after).toEqual(before.map((entry) => ({ ...entry, secs: enclave.secs })));
    expect(stack.enter(enclave, 0)).toBe(0);
  });

  it('leave the SECS of an enclave that is not initialized', () => {
    const stack = new Stack();
    const enclave = stack.build(stack.process(0), { pages: 2, init: false });
    const { secs } = enclave;
    stack.reclaim();
    expect([enclave.children, enclave.secs]).toEqual([0, secs]);
    expect(stack.violations()).toEqual([]);
  });

  it('leave the SECS when its backing fails, until the last child leaves again', () => {
    let left = 6;
    const stack = new Stack({ mayAllocate: () => left-- > 0 });
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 2 });
    const { secs } = enclave;
    left = 4;
    expect(stack.reclaim()).toBe(2);
    expect([enclave.children, enclave.secs]).toEqual([0, secs]);
    left = 100;
    stack.touch(mm, enclave, 0);
    stack.reclaimAll();
    expect(enclave.secs).toBe(-1);
    expect(stack.violations()).toEqual([]);
  });

  it('put a page without backing back onto the list', () => {
    let isFull = false;
    const stack = new Stack({ mayAllocate: () => !isFull });
    const enclave = stack.build(stack.process(0), { pages: 2 });
    const before = stack.reclaimable();
    isFull = true;
    expect(stack.reclaim()).toBe(0);
    expect([stack.reclaimable(), stack.log.leaves, enclave.refs.value]).toEqual([before, [], 2]);
    expect(stack.log.events.filter((event) => event.startsWith('BUSY'))).toHaveLength(2);
    expect(stack.violations()).toEqual([]);
  });

  it('free a page whose EWB failed although it is still valid (L-02)', () => {
    const leaves = (): Partial<SgxHardware> => ({ ewb: () => LeafFault.GP });
    const stack = new Stack({ leaves });
    const enclave = stack.build(stack.process(0), { pages: 1, init: false });
    const page = enclave.records.epc(0);
    expect(stack.reclaim()).toBe(1);
    expect(stack.log.events).toContain('warned sgx_encl_ewb');
    expect(stack.violations()).toEqual([
      'I-6 Enclave 1: page 0 is neither resident nor evicted.',
      'I-2 Enclave 1: the EPCM has 1 children, 0 are resident.',
      `I-1b EPC page ${page} is free and valid in the EPCM.`,
    ]);
  });

  it('go on after an EBLOCK that failed', () => {
    const leaves = (): Partial<SgxHardware> => ({ eblock: () => LeafFault.GP });
    const stack = new Stack({ leaves });
    stack.build(stack.process(0), { pages: 1 });
    stack.reclaim();
    expect(stack.log.events).toContain('warned sgx_reclaimer_block');
    expect(stack.log.leaves).toContain('EWB 2 10');
  });
});

function entryOf(stack: Stack, enclave: Enclave, page: number) {
  return stack.hardware.entry(enclave.records.epc(page));
}
