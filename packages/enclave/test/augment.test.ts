import type { AddressSpace, Routine, SgxHardware, Thread } from '@epckit/interface';
import { LeafFault, PageType, Prot, Pte, SecInfo } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Enclave } from '../src/index.js';
import { FaultResult } from '../src/index.js';
import { Stack } from './stack.js';

const FOUR = { pages: 4, range: 16 };

describe('a fault without a record', () => {
  it('adds a page that waits for the enclave and is young', () => {
    const stack = new Stack({ dynamic: true });
    const mm = stack.process(0);
    const enclave = stack.build(mm, FOUR);
    expect(stack.fault(mm, enclave, 9)).toBe(FaultResult.NOPAGE);
    expect(stack.log.leaves).toEqual(['EAUG 6']);
    expect(stack.hardware.entry(6).flags).toBe(SecInfo.R | SecInfo.W | SecInfo.PENDING);
    expect([enclave.records.type(9), enclave.records.ceiling(9)]).toEqual([PageType.REG, 7]);
    expect(mm.table(enclave.id)?.pte[9]).toBe(Pte.PRESENT | Pte.R | Pte.W | Pte.ACCESSED);
    expect([enclave.children, enclave.slotUsers.value]).toEqual([5, 6]);
    expect(stack.accept(enclave, 9)).toBe(0);
    expect(stack.violations()).toEqual([]);
  });

  it('is SIGBUS without SGX2, before INIT, and in a mapping that the driver does not know', () => {
    const without = new Stack();
    const mm = without.process(0);
    expect(without.fault(mm, without.build(mm, FOUR), 9)).toBe(FaultResult.SIGBUS);
    const stack = new Stack({ dynamic: true });
    const other = stack.process(0);
    const early = stack.build(other, { ...FOUR, init: false });
    expect(stack.fault(other, early, 9)).toBe(FaultResult.SIGBUS);
    expect(stack.init(early)).toBe(0);
    stack.run(orphan(stack.thread(), other, early, 9));
    expect(stack.fault(other, early, 9)).toBe(FaultResult.SIGBUS);
    expect(stack.log.leaves).toEqual(['EINIT 1']);
  });

  it('loads the SECS first, then takes page and version array (T6)', () => {
    const stack = new Stack({ dynamic: true, epcPages: 600 });
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 511, range: 1024 });
    stack.reclaimAll();
    expect(enclave.secs).toBe(-1);
    stack.log.clear();
    expect(stack.fault(mm, enclave, 700)).toBe(FaultResult.NOPAGE);
    const [secs, page] = [enclave.secs, enclave.records.epc(700)];
    const versionArray = [...(enclave.paging?.slots.pages() ?? [])][0]?.page;
    expect(stack.log.leaves).toEqual([`ELDU ${secs}`, `EPA ${versionArray}`, `EAUG ${page}`]);
    const allocated = stack.log.events.filter((event) => event.startsWith('allocated'));
    expect(allocated).toEqual([secs, page, versionArray].map((it) => `allocated ${it}`));
    expect(stack.violations()).toEqual([]);
  });

  it('faults again while EPC must be reclaimed, also for the version array alone', () => {
    const stack = new Stack({ dynamic: true, epcPages: 514 });
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 511, range: 1024 });
    expect(stack.free()).toHaveLength(1);
    expect(stack.fault(mm, enclave, 700)).toBe(FaultResult.NOPAGE);
    expect([enclave.records.exists(700), stack.free().length]).toEqual([false, 1]);
    expect(stack.log.leaves).toEqual(['EREMOVE 513']);
    stack.hold(1);
    expect(stack.fault(mm, enclave, 700)).toBe(FaultResult.NOPAGE);
    expect([enclave.records.exists(700), enclave.slotUsers.value]).toEqual([false, 512]);
  });

  it('is SIGBUS when nothing can be reclaimed', () => {
    const stack = new Stack({ dynamic: true });
    const mm = stack.process(0);
    const enclave = stack.build(mm, FOUR);
    stack.hold(stack.free().length);
    for (const page of stack.reclaimable()) stack.run(stack.lists.unmark(stack.thread(), page));
    expect(stack.fault(mm, enclave, 9)).toBe(FaultResult.SIGBUS);
  });

  it.each([
    ['kmalloc', FaultResult.OOM, []],
    ['xa', FaultResult.SIGBUS, ['EREMOVE 6']],
  ] as const)('undoes everything when %s fails', (call, result, leaves) => {
    const stack = new Stack({ dynamic: true });
    const mm = stack.process(0);
    const enclave = stack.build(mm, FOUR);
    stack.failNext(call);
    expect(stack.fault(mm, enclave, 9)).toBe(result);
    expect(stack.log.leaves).toEqual(leaves);
    expect([enclave.records.exists(9), enclave.slotUsers.value]).toEqual([false, 5]);
    expect(stack.violations()).toEqual([]);
  });

  it('undoes everything when EAUG fails, the version array too', () => {
    const leaves = (): Partial<SgxHardware> => ({ eaug: () => LeafFault.PF });
    const stack = new Stack({ dynamic: true, epcPages: 600, leaves });
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 511, range: 1024 });
    const free = stack.free().length;
    expect(stack.fault(mm, enclave, 700)).toBe(FaultResult.SIGBUS);
    expect([stack.free().length, enclave.slotUsers.value]).toEqual([free, 512]);
    expect(stack.violations()).toEqual([]);
  });

  it('keeps the page when its entry cannot be made: the next fault finds it', () => {
    const stack = new Stack({ dynamic: true });
    const mm = stack.process(0);
    const enclave = stack.build(mm, FOUR);
    stack.failNext('pfn');
    expect(stack.fault(mm, enclave, 9)).toBe(FaultResult.SIGBUS);
    expect(enclave.records.epc(9)).toBe(6);
    expect(stack.fault(mm, enclave, 9)).toBe(FaultResult.NOPAGE);
    expect(stack.log.leaves).toEqual(['EAUG 6']);
    expect(stack.violations()).toEqual([]);
  });

  it('behind the range of a mapping from before INIT ends in a refused EAUG', () => {
    const stack = new Stack({ dynamic: true });
    const mm = stack.process(0);
    const enclave = stack.build(mm, { ...FOUR, init: false, map: false });
    expect(stack.map(mm, enclave, 0, 20)).toBe(0);
    stack.init(enclave);
    stack.log.clear();
    expect(stack.fault(mm, enclave, 18)).toBe(FaultResult.SIGBUS);
    expect(stack.log.leaves).toEqual([`EAUG 6 ${LeafFault.GP}`, 'EREMOVE 6']);
    expect(stack.violations()).toEqual([]);
  });

  it('and a page that waits comes back from the backing store as it was', () => {
    const stack = new Stack({ dynamic: true });
    const mm = stack.process(0);
    const enclave = stack.build(mm, FOUR);
    stack.fault(mm, enclave, 9);
    stack.reclaimAll();
    expect(enclave.records.epc(9)).toBe(-1);
    expect(stack.violations()).toEqual([]);
    stack.fault(mm, enclave, 9);
    expect(stack.accept(enclave, 9)).toBe(0);
    expect(stack.map(mm, enclave, 9, 10, Prot.R | Prot.X)).toBe(0);
    expect(stack.violations()).toEqual([]);
  });
});

function* orphan(thread: Thread, mm: AddressSpace, enclave: Enclave, page: number): Routine<void> {
  while (mm.lock.mustWaitWrite(thread)) yield mm.lock.acquireWrite;
  mm.table(enclave.id)?.orphan(thread, page);
  mm.lock.releaseWrite(thread);
}
