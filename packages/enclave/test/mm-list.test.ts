import type { AddressSpace, PageIndex, PageTable, Routine, Thread } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Enclave } from '../src/index.js';
import type { PageTableVisitor } from '../src/mm-list.js';
import { NativeOwner } from '../src/recipes.js';
import { Stack } from './stack.js';

/** Two processes that map one enclave of `pages` pages. */
function twoProcesses(pages: number, stack = new Stack()) {
  const one = stack.process(0);
  const two = stack.process(1);
  const enclave = stack.build(one, { pages });
  stack.map(two, enclave);
  return { stack, one, two, enclave };
}

describe('an enclave in two address spaces', () => {
  it('keeps a page that is young in any of them', () => {
    const { stack, one, two, enclave } = twoProcesses(3);
    stack.touch(one, enclave, 0);
    stack.touch(two, enclave, 1);
    expect(stack.reclaim()).toBe(1);
    expect([0, 1, 2].map((page) => enclave.records.epc(page) >= 0)).toEqual([true, true, false]);
    expect(stack.violations()).toEqual([]);
  });

  it('stops looking at the first that says young: accessed bits behind it stay', () => {
    const { stack, one, two, enclave } = twoProcesses(1);
    stack.touch(one, enclave, 0);
    stack.touch(two, enclave, 0);
    // The list is newest first, so the second process answers.
    expect([stack.reclaim(), stack.reclaim(), stack.reclaim()]).toEqual([0, 0, 1]);
    expect(stack.log.events.filter((event) => event.startsWith('YOUNG'))).toHaveLength(2);
  });

  it('zaps in all of them, newest first', () => {
    const { stack, one, two, enclave } = twoProcesses(1);
    for (const mm of [one, two]) stack.fault(mm, enclave, 0);
    stack.reclaim();
    expect(stack.log.events.filter((event) => event.startsWith('zapped'))).toEqual([
      'zapped 0 in 1',
      'zapped 0 in 0',
    ]);
    expect([one, two].map((mm) => mm.table(enclave.id)?.pte[0])).toEqual([0, 0]);
  });

  it('is interrupted on the CPUs of both', () => {
    const stack = new Stack({ cpus: 3 });
    const [one, two] = [stack.process(0, 1), stack.process(2)];
    const enclave = stack.build(one, { pages: 2, tcs: true });
    stack.map(two, enclave);
    stack.touch(one, enclave, 0);
    expect(stack.enter(enclave, 2)).toBe(0);
    stack.log.clear();
    stack.reclaim();
    expect(stack.log.leaves).toContain('IPI 0 1 2');
  });

  it('passes over an address space that is being torn down', () => {
    const { stack, one, two, enclave } = twoProcesses(1);
    stack.touch(two, enclave, 0);
    two.users.put(stack.thread());
    expect(stack.reclaim()).toBe(1);
    expect(stack.log.events.filter((event) => event.startsWith('zapped'))).toEqual([]);
    expect(one.table(enclave.id)?.pte[0]).toBe(0);
  });

  it('ignores address spaces whose mappings do not cover the page', () => {
    const stack = new Stack();
    const [one, two] = [stack.process(0), stack.process(1)];
    const enclave = stack.build(one, { pages: 4 });
    stack.map(two, enclave, 2, 4);
    stack.touch(two, enclave, 3);
    const visited: unknown[] = [];
    const visit = (_thread: Thread, table: PageTable, page: number) => visited.push([table, page]) < 0;
    stack.run(enclave.mms.visit(stack.thread(), 1, visit, false));
    stack.run(enclave.mms.visit(stack.thread(), 3, visit, false));
    const [first, second] = [one.table(enclave.id), two.table(enclave.id)];
    expect(visited).toEqual([
      [first, 1],
      [second, 3],
      [first, 3],
    ]);
  });
});

describe('the version counter', () => {
  it('makes a walk start again that may have missed an address space', () => {
    const { stack, one, two, enclave } = twoProcesses(1);
    const third = stack.process();
    const visited: PageTable[] = [];
    const visit = (_thread: Thread, table: PageTable) => {
      if (visited.push(table) === 1) stack.run(mapWhole(stack, third, enclave), 1);
      return false;
    };
    stack.run(enclave.mms.visit(stack.thread(), 0, visit, true));
    const spaces = [one, two, third].map((mm) => mm.table(enclave.id));
    expect(visited.map((table) => spaces.indexOf(table))).toEqual([1, 0, 2, 1, 0]);
  });

  it('finds an entry that was made in a new address space during the zap', () => {
    let isFirst = true;
    const stack: Stack = new Stack({
      recipes: {
        owner: (parts) =>
          new (class extends NativeOwner {
            protected override *zap(thread: Thread, enclave: Enclave, index: number): Routine<void> {
              const zap: PageTableVisitor = (current, table) => {
                table.zap(current, index);
                if (isFirst) stack.run(insertElsewhere(enclave), 1);
                isFirst = false;
                return false;
              };
              yield* enclave.mms.visit(thread, index, zap, true);
            }
          })(parts),
      },
    });
    const one = stack.process(0);
    const two = stack.process(1);
    const enclave = stack.build(one, { pages: 1 });
    stack.fault(one, enclave, 0);
    // As fork does: the entry is copied first, the list learns of the address space afterwards.
    function* insertElsewhere(target: Enclave): Routine<void> {
      yield* mapWhole(stack, two, target);
      two.table(target.id)?.insert(stack.thread(1), 0);
    }
    expect(stack.reclaim()).toBe(1);
    expect(two.table(enclave.id)?.pte[0]).toBe(0);
    expect(stack.violations()).toEqual([]);
  });
});

describe('the reclaimer and the user count of an address space', () => {
  it('hold it only during a visit', () => {
    const counts: number[] = [];
    const stack: Stack = new Stack({
      recipes: {
        owner: (parts) =>
          new (class extends NativeOwner {
            override *young(thread: Thread, page: PageIndex): Routine<boolean> {
              counts.push(mm.users.value);
              const isYoung = yield* super.young(thread, page);
              counts.push(mm.users.value);
              return isYoung;
            }
          })(parts),
      },
    });
    const mm = stack.process(0);
    stack.build(mm, { pages: 1 });
    stack.reclaim();
    expect(counts).toEqual([1, 1]);
  });
});

function mapWhole(stack: Stack, mm: AddressSpace, enclave: Enclave): Routine<number> {
  return stack.driver.mapper.map(stack.thread(1), mm, enclave, { start: 0, end: enclave.pageCount, prot: 3 });
}
