// biome-ignore-all lint/correctness/useYield: what a test scripts stops nowhere
import type { Routine, SgxHardware } from '@epckit/interface';
import { Errno } from '@epckit/interface';
import type { MachineThread } from '@epckit/machine';
import { expect, it } from 'vitest';
import { NativeOwner } from '../src/recipes.js';
import { Stack } from './stack.js';

it('a signal before the first page stops ADD_PAGES with ERESTARTSYS', () => {
  const stack = new Stack();
  const enclave = stack.create(16);
  stack.thread().signalPending = true;
  expect(stack.add(stack.process(), enclave, 0, 4)).toEqual({ result: -Errno.ERESTARTSYS, count: 0 });
  expect(stack.violations()).toEqual([]);
});

it('a signal between two pages stops ADD_PAGES with the pages that were added', () => {
  let added = 0;
  const leaves = (real: SgxHardware): Partial<SgxHardware> => ({
    eadd: (...operands) => {
      stack.thread().signalPending = ++added === 2;
      return real.eadd(...operands);
    },
  });
  const stack = new Stack({ leaves });
  const enclave = stack.create(16);
  const mm = stack.process();
  expect(stack.add(mm, enclave, 0, 4)).toEqual({ result: 0, count: 2 });
  stack.thread().signalPending = false;
  expect(stack.add(mm, enclave, 2, 2)).toEqual({ result: 0, count: 2 });
  expect(stack.violations()).toEqual([]);
});

it.each([
  ['the first page', 0],
  ['a later one', 2],
])('a signal while EPC for %s has to be reclaimed stops ADD_PAGES with ERESTARTSYS', (_, free) => {
  let batches = 0;
  const stack: Stack = new Stack({
    epcPages: 10,
    recipes: {
      owner: (parts) =>
        new (class extends NativeOwner {
          override *young(thread: MachineThread): Routine<boolean> {
            thread.signalPending = ++batches > 3;
            return true;
          }
        })(parts),
    },
  });
  const mm = stack.process();
  const enclave = stack.create(16);
  stack.add(mm, enclave, 0, 8 - free);
  expect(stack.add(mm, enclave, 8, 4)).toEqual({ result: -Errno.ERESTARTSYS, count: free });
  stack.thread().signalPending = false;
  expect([stack.free(), enclave.refs.value, batches > 3]).toEqual([[], 1, true]);
  expect(stack.violations()).toEqual([]);
});
