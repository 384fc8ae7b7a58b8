import type { PageIndex, Routine, SgxHardware, Thread } from '@epckit/interface';
import { Blocked, LeafFault, Prot, Pte } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { FaultResult } from '../src/index.js';
import { NativeOwner } from '../src/recipes.js';
import { Stack } from './stack.js';

describe('a page fault', () => {
  it('maps a resident page without a leaf and leaves it old', () => {
    const stack = new Stack();
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 4 });
    expect(stack.fault(mm, enclave, 1)).toBe(FaultResult.NOPAGE);
    expect(mm.table(enclave.id)?.pte[1]).toBe(Pte.PRESENT | Pte.R | Pte.W);
    expect([stack.log.leaves, stack.log.events]).toEqual([[], ['aged 1 young', 'fault 1 mapped']]);
  });

  it('over an entry that another thread has just made changes nothing and is repeated', () => {
    const stack = new Stack();
    const mm = stack.process(0, 1);
    const enclave = stack.build(mm, { pages: 4 });
    stack.touch(mm, enclave, 1, 1, 1);
    expect(stack.fault(mm, enclave, 1)).toBe(FaultResult.NOPAGE);
    expect(stack.log.events.at(-1)).toBe('fault 1 mapped');
    // The entry is old now: the kernel clears the accessed bit whoever made it.
    expect(mm.table(enclave.id)?.testAndClearYoung(stack.thread(), 1)).toBe(false);
    expect(stack.violations()).toEqual([]);
  });

  it.each([
    ['without a record', 3, Prot.R, FaultResult.SIGBUS],
    ['behind the range', 99, Prot.R, FaultResult.SIGBUS],
    ['through a mapping with more rights than the page', 0, Prot.R | Prot.X, FaultResult.SIGBUS],
    ['through a mapping with fewer', 0, Prot.R, FaultResult.NOPAGE],
  ])('%s', (_, page, prot, result) => {
    const stack = new Stack();
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 3 });
    const vma = { start: 0, end: 4, prot };
    const { faults } = stack.driver;
    expect(stack.run(faults.fault(stack.thread(), mm, vma, enclave, page))).toBe(result);
    expect(stack.violations()).toEqual([]);
  });

  it('waits while a reclaimer has the page', () => {
    const seen: unknown[] = [];
    const stack: Stack = new Stack({
      recipes: {
        owner: (parts) =>
          new (class extends NativeOwner {
            override *block(thread: Thread, page: PageIndex): Routine<typeof Blocked.OK> {
              seen.push([stack.fault(mm, enclave, 0, 1), mm.table(enclave.id)?.pte[0]]);
              yield* super.block(thread, page);
              seen.push([stack.fault(mm, enclave, 0, 1), mm.table(enclave.id)?.pte[0]]);
              return Blocked.OK;
            }
          })(parts),
      },
    });
    const mm = stack.process(0, 1);
    const enclave = stack.build(mm, { pages: 1 });
    expect(stack.reclaim()).toBe(1);
    expect(seen).toEqual([
      [FaultResult.NOPAGE, 0],
      [FaultResult.NOPAGE, 0],
    ]);
    expect(stack.violations()).toEqual([]);
  });

  it('ends without a page while EPC must be reclaimed first, and wakes the daemon', () => {
    const stack = new Stack({ epcPages: 16, lowPages: 1, highPages: 2 });
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 4 });
    stack.reclaim();
    stack.touch(mm, enclave, 1);
    stack.startDaemon();
    stack.hold(stack.free().length);
    stack.log.clear();
    const fault = stack.fault(mm, enclave, 2);
    expect([fault, mm.table(enclave.id)?.pte[2]]).toEqual([FaultResult.NOPAGE, 0]);
    expect(stack.log.events).toEqual(['woken', 'fault 2 not mapped']);
    stack.machine.runKernelThreads();
    expect(stack.touch(mm, enclave, 2)).toBe(true);
    expect(stack.violations()).toEqual([]);
  });

  it('without EPC and without anything to reclaim is SIGBUS', () => {
    const stack = new Stack({ epcPages: 16 });
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 4 });
    stack.reclaim();
    stack.hold(stack.free().length);
    expect(stack.fault(mm, enclave, 2)).toBe(FaultResult.SIGBUS);
    expect(stack.violations()).toEqual([]);
  });

  it('leaves the SECS behind when its page cannot be loaded (L-08)', () => {
    const stack = new Stack({ epcPages: 16 });
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 4 });
    stack.reclaim();
    stack.hold(stack.free().length - 1);
    expect(stack.fault(mm, enclave, 2)).toBe(FaultResult.SIGBUS);
    expect([enclave.secs >= 0, enclave.children, enclave.secsSlot]).toEqual([true, 0, -1]);
    expect(stack.violations()).toEqual([]);
  });

  it('when ELDU fails frees the page and keeps the slot, but the contents are gone (L-03)', () => {
    let isBroken = true;
    const leaves = (real: SgxHardware): Partial<SgxHardware> => ({
      eldu: (...operands) => (isBroken && operands[2] >= 0 ? LeafFault.GP : real.eldu(...operands)),
    });
    const stack = new Stack({ leaves });
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 2 });
    stack.reclaim();
    const slot = enclave.records.slot(1);
    expect(stack.fault(mm, enclave, 1)).toBe(FaultResult.SIGBUS);
    expect([enclave.records.epc(1), enclave.records.slot(1)]).toEqual([-1, slot]);
    expect(stack.violations()).toEqual(['I-9 Enclave 1: the contents of page 1 are not in the file.']);
    isBroken = false;
    expect(stack.fault(mm, enclave, 1)).toBe(FaultResult.SIGBUS);
    expect(stack.fault(mm, enclave, 0)).toBe(FaultResult.NOPAGE);
  });

  it('when the power was lost is SIGBUS', () => {
    const stack = new Stack();
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 2 });
    stack.reclaim();
    stack.hardware.powerCycle();
    expect(stack.fault(mm, enclave, 1)).toBe(FaultResult.SIGBUS);
    expect(stack.log.events.filter((event) => event.startsWith('warned'))).toEqual([]);
  });
});
