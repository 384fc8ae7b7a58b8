import { Errno, Prot } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { FaultResult } from '../src/index.js';
import { Stack } from './stack.js';

const { R, W } = Prot;

function protect(stack: Stack, ...[mm, enclave, start, end, prot]: Parameters<Stack['map']>): number {
  const argument = { start: start ?? 0, end: end ?? 0, prot: prot ?? 0 };
  return stack.run(stack.driver.mapper.protect(stack.thread(), mm, enclave, argument));
}

describe('mmap', () => {
  it('takes away what was there, also when it is refused', () => {
    const stack = new Stack();
    const mm = stack.process();
    const enclave = stack.build(mm, { pages: 4 });
    stack.fault(mm, enclave, 1);
    expect(stack.map(mm, enclave, 0, 2, R | W | Prot.X)).toBe(-Errno.EACCES);
    const table = mm.table(enclave.id);
    expect([table?.vmas, table?.pte[1]]).toEqual([[{ start: 2, end: 4, prot: R | W }], 0]);
  });

  it('may reach beyond the range before INIT', () => {
    const stack = new Stack();
    const mm = stack.process();
    const enclave = stack.build(mm, { pages: 4, init: false, map: false });
    expect(stack.map(mm, enclave, 2, 9, R)).toBe(0);
    expect(stack.fault(mm, enclave, 6)).toBe(FaultResult.SIGBUS);
    expect(protect(stack, mm, enclave, 3, 8, R | W)).toBe(0);
    stack.release(enclave);
    expect(stack.violations()).toEqual([]);
  });

  it('before CREATE is a misuse', () => {
    const stack = new Stack();
    const enclave = stack.driver.open();
    expect(() => stack.map(stack.process(), enclave, 0, 1)).toThrow(/after CREATE only/);
  });
});

describe('mprotect', () => {
  it('stops at a hole, and at a ceiling', () => {
    const stack = new Stack();
    const mm = stack.process();
    const enclave = stack.build(mm, { pages: 8 });
    stack.run(stack.driver.mapper.unmap(stack.thread(), mm, enclave, 4, 6));
    expect(protect(stack, mm, enclave, 2, 8, R)).toBe(-Errno.ENOMEM);
    expect(protect(stack, mm, enclave, 6, 8, R | Prot.X)).toBe(-Errno.EACCES);
    expect(mm.table(enclave.id)?.vmas).toEqual([
      { start: 0, end: 2, prot: R | W },
      { start: 2, end: 4, prot: R },
      { start: 6, end: 8, prot: R | W },
    ]);
  });

  it('of a process that maps nothing finds a hole', () => {
    const stack = new Stack();
    const enclave = stack.build(stack.process(), { pages: 2 });
    expect(protect(stack, stack.process(), enclave, 0, 1, R)).toBe(-Errno.ENOMEM);
  });
});

describe('an address space', () => {
  it('leaves once, and its reference goes later', () => {
    const stack = new Stack();
    const mm = stack.process();
    const enclave = stack.build(mm, { pages: 2 });
    const { mapper } = stack.driver;
    const leave = () => stack.run(mapper.leaveSpace(stack.thread(), mm, enclave));
    expect([leave(), leave(), enclave.refs.value]).toEqual([true, false, 2]);
    stack.run(mapper.drop(stack.thread(), enclave));
    stack.run(mapper.closeFile(stack.thread(), enclave));
    expect(enclave.isReleased).toBe(true);
  });

  it('that cannot be noted is not listed; without its notifier a reference is lost (L-11)', () => {
    const stack = new Stack();
    const mm = stack.process();
    const enclave = stack.build(mm, { pages: 2, map: false });
    stack.failNext('kmalloc', 'mmu_notifier');
    expect([stack.map(mm, enclave), stack.map(mm, enclave)]).toEqual([-Errno.ENOMEM, -Errno.ENOMEM]);
    expect([enclave.refs.value, enclave.addressSpaces()]).toEqual([2, []]);
    expect(stack.map(mm, enclave)).toBe(0);
    stack.release(enclave);
    expect(enclave.isReleased).toBe(false);
  });

  it('with a mapping of its own has SIGBUS there, and is neither aged nor zapped', () => {
    const stack = new Stack();
    const mm = stack.process();
    const enclave = stack.build(mm, { pages: 2 });
    stack.touch(mm, enclave, 0);
    const table = mm.table(enclave.id);
    while (mm.lock.mustWaitWrite(stack.thread()));
    table?.orphan(stack.thread(), 0);
    mm.lock.releaseWrite(stack.thread());
    expect(stack.fault(mm, enclave, 1)).toBe(FaultResult.SIGBUS);
    expect(stack.reclaim()).toBe(2);
    expect(table?.pte[0]).not.toBe(0);
  });
});

describe('a page-table entry that cannot be made', () => {
  it('is a SIGBUS once', () => {
    const stack = new Stack();
    const mm = stack.process();
    const enclave = stack.build(mm, { pages: 2 });
    stack.failNext('pfn');
    const results = [stack.fault(mm, enclave, 0), stack.fault(mm, enclave, 0)];
    expect(results).toEqual([FaultResult.SIGBUS, FaultResult.NOPAGE]);
  });
});
