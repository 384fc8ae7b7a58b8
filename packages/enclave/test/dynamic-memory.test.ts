import type { AddressSpace, SgxHardware } from '@epckit/interface';
import { Errno, LeafFault, PageType, Prot, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { DynamicArgument, DynamicResult, Enclave } from '../src/index.js';
import { FaultResult } from '../src/index.js';
import { requestFor } from './request-for.js';
import type { BuildOptions, StackOptions } from './stack.js';
import { Stack } from './stack.js';

/** A stack with one enclave: TCS page 0, REG pages from 1. */
class Setup {
  readonly stack: Stack;
  readonly mm: AddressSpace;
  readonly enclave: Enclave;

  constructor(options: StackOptions = {}, build: Partial<BuildOptions> = {}) {
    this.stack = new Stack({ dynamic: true, ...options });
    this.mm = this.stack.process(0, 1);
    this.enclave = this.stack.build(this.mm, { pages: 8, range: 16, tcs: true, ...build });
  }

  restrict(page: number, count = 1, permissions: number = Prot.R, more: Partial<DynamicArgument> = {}) {
    const argument = { page, count, permissions, ...more };
    const { stack, enclave } = this;
    return stack.run(stack.driver.restrictPermissions.run(stack.thread(), enclave, argument));
  }

  modify(page: number, count = 1, type: number = PageType.TRIM, more: Partial<DynamicArgument> = {}) {
    const argument = { page, count, type, ...more };
    const { stack, enclave } = this;
    return stack.run(stack.driver.modifyTypes.run(stack.thread(), enclave, argument));
  }

  remove(page: number, count = 1, more: Partial<DynamicArgument> = {}) {
    const { stack, enclave } = this;
    return stack.run(stack.driver.removePages.run(stack.thread(), enclave, { page, count, ...more }));
  }

  accept(page: number): number {
    return this.stack.accept(this.enclave, page);
  }

  evict(): void {
    this.stack.reclaimAll();
    this.stack.log.clear();
  }
}

const done = (count: number): DynamicResult => ({ result: 0, count, leafResult: 0 });
const failed = (errno: number, count = 0, leafResult = 0): DynamicResult => {
  return { result: -errno, count, leafResult };
};
const injected = (leaves: Partial<SgxHardware>): StackOptions => ({ leaves: () => leaves });

type Call = (setup: Setup, page: number, count: number, more?: Partial<DynamicArgument>) => DynamicResult;
const calls: readonly [name: string, call: Call][] = [
  ['RESTRICT_PERMISSIONS', (setup, page, count, more) => setup.restrict(page, count, Prot.R, more)],
  ['MODIFY_TYPES', (setup, page, count, more) => setup.modify(page, count, PageType.TRIM, more)],
  ['REMOVE_PAGES', (setup, page, count, more) => setup.remove(page, count, more)],
];

describe.each(calls)('%s', (_, call) => {
  it('is ENODEV without SGX2, whatever else is wrong', () => {
    expect(call(new Setup({ dynamic: false }), 0.5, 0)).toEqual(failed(Errno.ENODEV));
  });

  it('is EINVAL before INIT and EBUSY beside another ioctl', () => {
    const early = new Setup({}, { init: false });
    expect(call(early, 1, 1, { isArgumentBad: true })).toEqual(failed(Errno.EINVAL));
    const setup = new Setup();
    setup.enclave.ioctl.write(setup.stack.thread(), 1);
    expect(call(setup, 1, 1)).toEqual(failed(Errno.EBUSY));
  });

  it('is EFAULT for an argument that cannot be read', () => {
    expect(call(new Setup(), 0.5, 0, { isArgumentBad: true })).toEqual(failed(Errno.EFAULT));
  });

  it.each([
    [0.5, 1],
    [0, 0],
    [0, 1.5],
    [16, 1],
    [15, 2],
    [2 ** 52 - 2, 3],
  ])('is EINVAL for page %d and %d pages', (page, count) => {
    const setup = new Setup();
    expect(call(setup, page, count)).toEqual(failed(Errno.EINVAL));
    expect(setup.stack.log.leaves).toEqual([]);
  });

  it('is EINVAL for results that are not zero before, and leaves them alone', () => {
    const before = { countBefore: 3, resultBefore: 7 };
    expect(call(new Setup(), 1, 1, before)).toEqual(failed(Errno.EINVAL, 3, 7));
  });

  it('is EFAULT at a page without a record', () => {
    const setup = new Setup();
    expect(call(setup, 9, 1)).toEqual(failed(Errno.EFAULT));
    expect(setup.stack.violations()).toEqual([]);
  });

  it('is EAGAIN when the page is out and EPC must be reclaimed, or a reclaimer has it', () => {
    const setup = new Setup({ epcPages: 20 });
    setup.evict();
    setup.stack.fault(setup.mm, setup.enclave, 1);
    setup.stack.hold(setup.stack.free().length);
    expect(call(setup, 2, 1)).toEqual(failed(Errno.EAGAIN));
    const busy = new Setup();
    busy.enclave.records.setBeingReclaimed(2);
    expect(call(busy, 2, 1)).toEqual(failed(Errno.EAGAIN));
  });

  it('reclaims one batch before each page while few pages are free', () => {
    const setup = new Setup({ epcPages: 20, lowPages: 12, highPages: 12, batchPages: 2 });
    setup.stack.log.clear();
    call(setup, 7, 1);
    expect(setup.stack.log.events).toContain('batch 2 2 direct');
    expect(setup.stack.violations()).toEqual([]);
  });
});

describe('RESTRICT_PERMISSIONS', () => {
  it('takes rights away page by page, each with a tracking cycle and an interrupt', () => {
    const setup = new Setup();
    setup.stack.enter(setup.enclave, 1);
    setup.stack.log.clear();
    expect(setup.restrict(1, 2)).toEqual(done(2));
    const cycle = ['ETRACK 1', 'IPI 0 1'];
    const { order } = setup.stack.log;
    expect(order).toEqual(['EMODPR 3', ...cycle, 'AEX', 'EMODPR 4', ...cycle]);
    expect([setup.accept(1), setup.accept(2)]).toEqual([0, 0]);
    expect(setup.stack.violations()).toEqual([]);
  });

  it.each([Prot.W, Prot.W | Prot.X, 8, 2 ** 32])('is EINVAL for permissions %d', (permissions) => {
    expect(new Setup().restrict(1, 1, permissions)).toEqual(failed(Errno.EINVAL));
  });

  it('is EINVAL at a TCS page, after the pages before it', () => {
    const setup = new Setup();
    setup.modify(3, 1, PageType.TCS);
    expect(setup.restrict(1, 4)).toEqual(failed(Errno.EINVAL, 2));
    expect(setup.restrict(0)).toEqual(failed(Errno.EINVAL));
  });

  it('loads pages that are out', () => {
    const setup = new Setup();
    setup.evict();
    expect(setup.restrict(2)).toEqual(done(1));
    const { secs, records } = setup.enclave;
    const page = records.epc(2);
    expect(setup.stack.log.leaves).toEqual([
      `ELDU ${secs}`,
      `ELDU ${page}`,
      `EMODPR ${page}`,
      `ETRACK ${secs}`,
      'IPI 0 1',
    ]);
  });

  it('hands out the code of EMODPR, but not a fault', () => {
    const setup = new Setup();
    setup.stack.fault(setup.mm, setup.enclave, 9);
    expect(setup.restrict(9)).toEqual(failed(Errno.EFAULT, 0, SgxCode.PAGE_NOT_MODIFIABLE));
    const faulting = new Setup(injected({ emodpr: () => LeafFault.GP }));
    expect(faulting.restrict(1)).toEqual(failed(Errno.EFAULT));
    expect(setup.stack.violations()).toEqual([]);
  });
});

describe('the tracking cycle', () => {
  it('is begun again after an interrupt if it was refused', () => {
    let refusals = 1;
    const leaves = (real: SgxHardware): Partial<SgxHardware> => ({
      etrack: (cpu, secs) => (refusals-- > 0 ? SgxCode.PREV_TRK_INCMPL : real.etrack(cpu, secs)),
    });
    const setup = new Setup({ leaves });
    setup.stack.log.clear();
    expect(setup.restrict(1)).toEqual(done(1));
    expect(setup.stack.log.order).toEqual(['EMODPR 3', 'IPI 0 1', 'ETRACK 1', 'IPI 0 1']);
  });

  it('ends in EFAULT if it is refused twice; the type in the records is the old one (L-15)', () => {
    const setup = new Setup(injected({ etrack: () => SgxCode.PREV_TRK_INCMPL }));
    expect(setup.restrict(1)).toEqual(failed(Errno.EFAULT));
    expect(setup.modify(2)).toEqual(failed(Errno.EFAULT));
    expect(setup.enclave.records.type(2)).toBe(PageType.REG);
    expect(setup.stack.violations().join()).toContain('has type 4, not 2');
  });
});

describe('MODIFY_TYPES', () => {
  it('trims REG and TCS pages and leaves them mapped', () => {
    const setup = new Setup();
    setup.stack.touch(setup.mm, setup.enclave, 1);
    setup.stack.log.clear();
    expect(setup.modify(0, 2)).toEqual(done(2));
    expect(setup.stack.log.order).toEqual([
      'EMODT 2',
      'ETRACK 1',
      'IPI 0 1',
      'EMODT 3',
      'ETRACK 1',
      'IPI 0 1',
    ]);
    expect([setup.enclave.records.type(0), setup.enclave.records.type(1)]).toEqual([4, 4]);
    expect(setup.stack.violations()).toEqual([]);
  });

  it('makes a TCS of a REG page that is mapped readable and writable from then on', () => {
    const setup = new Setup();
    setup.stack.fault(setup.mm, setup.enclave, 9);
    setup.accept(9);
    setup.stack.log.clear();
    expect(setup.modify(9, 1, PageType.TCS)).toEqual(done(1));
    expect(setup.stack.log.order).toEqual(['zap 9', 'EMODT 10', 'ETRACK 1', 'IPI 0 1']);
    expect(setup.enclave.records.ceiling(9)).toBe(Prot.R | Prot.W);
    expect(setup.stack.map(setup.mm, setup.enclave, 9, 10, Prot.R | Prot.X)).toBe(-Errno.EACCES);
    expect(setup.accept(9)).toBe(0);
    expect(setup.stack.violations()).toEqual([]);
  });

  it('makes the page the youngest when it becomes a TCS', () => {
    const setup = new Setup();
    setup.modify(1, 1, PageType.TCS);
    expect(setup.stack.reclaimable().at(-1)).toBe(setup.enclave.records.epc(1));
  });

  it.each([PageType.SECS, PageType.REG, PageType.VA, PageType.SS_FIRST, 260])(
    'is EINVAL for type %d',
    (type) => {
      expect(new Setup().modify(1, 1, type)).toEqual(failed(Errno.EINVAL));
    },
  );

  it('is EINVAL for TCS to TCS and for anything that is trimmed', () => {
    const setup = new Setup();
    expect(setup.modify(0, 1, PageType.TCS)).toEqual(failed(Errno.EINVAL));
    setup.modify(1);
    expect(setup.modify(1)).toEqual(failed(Errno.EINVAL));
    expect(setup.modify(1, 1, PageType.TCS)).toEqual(failed(Errno.EINVAL));
  });

  it('is EPERM if a page that is to become a TCS may not be written', () => {
    const setup = new Setup({}, { init: false });
    const argument = { page: 9, count: 1, type: PageType.REG, prot: Prot.R, isMeasured: false };
    const { stack, mm, enclave } = setup;
    stack.run(stack.driver.addPages.run(stack.thread(), mm, enclave, argument));
    stack.init(enclave);
    expect(setup.modify(9, 1, PageType.TCS)).toEqual(failed(Errno.EPERM));
    expect(enclave.records.ceiling(9)).toBe(Prot.R);
  });

  it.each([
    [LeafFault.PF, 0],
    [SgxCode.EPC_PAGE_CONFLICT, SgxCode.EPC_PAGE_CONFLICT],
  ])('restores the ceiling when EMODT ends in %d', (result, handedOut) => {
    const setup = new Setup(injected({ emodt: () => result }));
    setup.stack.fault(setup.mm, setup.enclave, 9);
    expect(setup.modify(9, 1, PageType.TCS)).toEqual(failed(Errno.EFAULT, 0, handedOut));
    expect(setup.enclave.records.ceiling(9)).toBe(7);
    expect(setup.enclave.records.type(9)).toBe(PageType.REG);
    expect(setup.stack.violations()).toEqual([]);
  });

  it('is EAGAIN if a reclaimer has a page that is to become a TCS; a trim does not mind', () => {
    const setup = new Setup();
    const { stack, enclave } = setup;
    const victims = new Int32Array(3);
    expect(stack.run(stack.lists.isolate(stack.thread(), requestFor(3), victims))).toBe(3);
    expect(setup.modify(1, 1, PageType.TCS)).toEqual(failed(Errno.EAGAIN));
    expect(enclave.records.ceiling(1)).toBe(Prot.R | Prot.W);
    expect(setup.modify(1)).toEqual(done(1));
  });
});

describe('REMOVE_PAGES', () => {
  it('removes an accepted page (T7), which can be added again', () => {
    const setup = new Setup();
    const { stack, mm, enclave } = setup;
    stack.touch(mm, enclave, 1);
    setup.modify(1);
    expect(setup.accept(1)).toBe(0);
    stack.log.clear();
    expect(setup.remove(1)).toEqual(done(1));
    expect(stack.log.order).toEqual([`EMODPR 3 ${LeafFault.PF}`, 'zap 1', 'EREMOVE 3']);
    expect([enclave.records.exists(1), enclave.children, enclave.slotUsers.value]).toEqual([false, 7, 8]);
    expect(stack.free().at(-1)).toBe(3);
    expect(stack.violations()).toEqual([]);
    expect(stack.fault(mm, enclave, 1)).toBe(FaultResult.NOPAGE);
    expect(stack.violations()).toEqual([]);
  });

  it('is EPERM for a page that is not trimmed, or not accepted, after the pages before it', () => {
    const setup = new Setup();
    expect(setup.remove(1)).toEqual(failed(Errno.EPERM));
    setup.modify(1, 2);
    setup.accept(1);
    expect(setup.remove(1, 2)).toEqual(failed(Errno.EPERM, 1));
    expect(setup.stack.violations()).toEqual([]);
  });

  it('is EPERM if the probing EMODPR succeeds or faults otherwise', () => {
    for (const result of [0, LeafFault.GP]) {
      const setup = new Setup(injected({ emodpr: () => result }));
      setup.modify(1);
      setup.accept(1);
      expect(setup.remove(1)).toEqual(failed(Errno.EPERM));
    }
  });

  it('is EBUSY if a reclaimer has the page', () => {
    const setup = new Setup();
    setup.modify(1);
    setup.accept(1);
    const { stack } = setup;
    stack.run(stack.lists.isolate(stack.thread(), requestFor(3), new Int32Array(3)));
    expect(setup.remove(1)).toEqual(failed(Errno.EBUSY));
  });

  it('keeps version arrays: growing again across a boundary brings a surplus one', () => {
    const setup = new Setup({ epcPages: 1200 }, { pages: 511, range: 1024, tcs: false });
    const { stack, mm, enclave } = setup;
    for (let round = 0; round < 2; round++) {
      stack.fault(mm, enclave, 600);
      stack.accept(enclave, 600);
      expect(setup.modify(600)).toEqual(done(1));
      expect(setup.accept(600)).toBe(0);
      expect(setup.remove(600)).toEqual(done(1));
    }
    expect([enclave.slotUsers.value, enclave.paging?.slots.pageCount]).toEqual([512, 3]);
    expect(stack.violations()).toEqual([]);
  });
});
