import { Access, Errno, NONE, OwnerKind, Walk } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { VepcFaultResult } from '../src/index.js';
import { InsertingFaultHandler } from '../src/recipes.js';
import { Stack } from './stack.js';

const { NOPAGE, SIGBUS, RETRY } = VepcFaultResult;
const misuse = expect.objectContaining({ code: 'EPCKIT_MISUSE' });

describe('a fault', () => {
  it('brings an unused page, without EREMOVE', () => {
    const stack = new Stack();
    const vepc = stack.open();
    expect(stack.fault(vepc, 15)).toBe(NOPAGE);
    const page = vepc.pages.get(15);
    expect(page).toBe(0);
    expect([stack.frames.kind(page), stack.frames.owner(page), stack.frames.record(page)]).toEqual([
      OwnerKind.GUEST,
      vepc.id,
      15,
    ]);
    expect([stack.hardware.isValid(page), stack.log.leaves]).toEqual([false, []]);
    expect(stack.vmm.walk(vepc.id, 15, Access.WRITE)).toBe(Walk.HIT);
    expect(stack.log.events).toEqual(['allocated 0', `fault ${vepc.id}:15 mapped`]);
    expect(stack.violations()).toEqual([]);
  });

  it('on a page that is there takes no second one', () => {
    const stack = new Stack();
    const vepc = stack.open();
    expect([stack.fault(vepc, 3), stack.fault(vepc, 3)]).toEqual([NOPAGE, NOPAGE]);
    expect([vepc.pages.count, stack.free().length]).toEqual([1, 39]);
  });

  it('outside a mapping never reaches the handler; to call it there is a misuse', () => {
    const stack = new Stack();
    const vepc = stack.open(16);
    expect(stack.fault(vepc, 16)).toBe(NONE);
    const vma = { start: 0, end: 16, prot: 3 };
    const { faults } = stack.driver;
    expect(() => stack.run(faults.fault(stack.thread(), stack.vmm, vma, vepc, 16))).toThrow(misuse);
    expect(() => stack.run(faults.fault(stack.thread(), stack.process(), vma, vepc, 3))).toThrow(misuse);
  });

  it('makes no page reclaimable', () => {
    const stack = new Stack({ epcPages: 4 });
    stack.populate(stack.open(), 0, 1, 2, 3);
    expect(stack.lists.oldest(0)).toBe(NONE);
    expect(stack.run(stack.reclaimer.batch(stack.thread()))).toBe(0);
  });
});

describe('a fault on a page that has EPC but no entry in this mapping (V-01)', () => {
  it('succeeds and inserts nothing: the access faults for ever', () => {
    const stack = new Stack();
    const vepc = stack.open();
    const other = stack.process();
    stack.map(vepc, other);
    stack.populate(vepc, 3);
    expect([stack.fault(vepc, 3, other), stack.fault(vepc, 3, other)]).toEqual([NOPAGE, NOPAGE]);
    expect(other.walk(vepc.id, 3, Access.READ)).toBe(Walk.NOT_PRESENT);
    expect(stack.log.events.at(-1)).toBe(`fault ${vepc.id}:3 not mapped`);
  });

  it('does so too when the page was unmapped and is mapped again', () => {
    const stack = new Stack();
    const vepc = stack.open();
    stack.populate(vepc, 3);
    stack.unmap(vepc);
    stack.map(vepc);
    expect(stack.fault(vepc, 3)).toBe(NOPAGE);
    expect(stack.vmm.walk(vepc.id, 3, Access.READ)).toBe(Walk.NOT_PRESENT);
  });

  it('inserts the frame with the repaired recipe', () => {
    const stack = new Stack({ recipes: { faults: (components) => new InsertingFaultHandler(components) } });
    const vepc = stack.open();
    const other = stack.process();
    stack.map(vepc, other);
    stack.populate(vepc, 3);
    expect(stack.fault(vepc, 3, other)).toBe(NOPAGE);
    expect(other.walk(vepc.id, 3, Access.READ)).toBe(Walk.HIT);
    expect(stack.violations()).toEqual([]);
  });
});

describe('a fault without free EPC', () => {
  it('is SIGBUS when nothing can be reclaimed (ENOMEM), and the daemon is left alone', () => {
    const stack = new Stack({ epcPages: 4, lowPages: 4 });
    const vepc = stack.open();
    stack.populate(vepc, 0, 1, 2, 3);
    expect(stack.fault(vepc, 4)).toBe(SIGBUS);
    expect(stack.log.events).not.toContain('woken');
    expect(stack.vmm.lock.isHeldBy(stack.thread())).toBe(false);
    expect(stack.violations()).toEqual([]);
  });

  it('drops the mmap lock and starts again when something can be reclaimed (EBUSY)', () => {
    const stack = new Stack({ epcPages: 4, lowPages: 4 });
    const vepc = stack.open();
    stack.populate(vepc, 0, 1);
    stack.fillReclaimable(2);
    stack.log.clear();
    expect(stack.fault(vepc, 2)).toBe(RETRY);
    expect(stack.vmm.lock.isHeldBy(stack.thread())).toBe(false);
    expect(stack.log.events).toEqual(['woken', `fault ${vepc.id}:2 not mapped`]);
    expect(stack.violations()).toEqual([]);
    // Nobody reclaims within the fault; the daemon does, and the same fault succeeds.
    stack.run(stack.reclaimer.batch(stack.thread()));
    expect([stack.fault(vepc, 2), stack.fault(vepc, 3), stack.fault(vepc, 4)]).toEqual([
      NOPAGE,
      NOPAGE,
      SIGBUS,
    ]);
    expect(stack.violations()).toEqual([]);
  });

  it('is SIGBUS when it may not be retried', () => {
    const stack = new Stack({ epcPages: 2 });
    const vepc = stack.open();
    stack.fillReclaimable(2);
    expect(stack.fault(vepc, 0, stack.vmm, false)).toBe(SIGBUS);
  });
});

describe('a fault that fails half-way', () => {
  it('gives the page back when the page array cannot grow (ENOMEM)', () => {
    let isShort = true;
    const stack = new Stack({ failures: { fails: (call) => isShort && call === 'xa' } });
    const vepc = stack.open();
    expect(stack.fault(vepc, 3)).toBe(SIGBUS);
    expect(stack.log.events).toEqual(['allocated 0', 'freed 0', `fault ${vepc.id}:3 not mapped`]);
    expect([stack.log.leaves, vepc.pages.count]).toEqual([[], 0]);
    isShort = false;
    expect(stack.fault(vepc, 3)).toBe(NOPAGE);
    expect(stack.violations()).toEqual([]);
  });

  it('gives the page back when the entry cannot be inserted (EFAULT)', () => {
    let isShort = true;
    const stack = new Stack({ failures: { fails: (call) => isShort && call === 'pfn' } });
    const vepc = stack.open();
    expect(stack.fault(vepc, 3)).toBe(SIGBUS);
    expect([vepc.pages.get(3), stack.free().length, stack.log.leaves]).toEqual([NONE, 40, []]);
    expect(stack.violations()).toEqual([]);
    isShort = false;
    expect(stack.fault(vepc, 3)).toBe(NOPAGE);
    expect(stack.violations()).toEqual([]);
  });

  it('passes the allocator on: any other error is SIGBUS as well', () => {
    const stack = new Stack();
    const vepc = stack.open();
    stack.allocator.alloc = function* alloc() {
      return -Errno.ERESTARTSYS;
    };
    expect(stack.fault(vepc, 0)).toBe(SIGBUS);
  });
});
