import type { PageIndex, Routine, Thread } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Enclave } from '../src/index.js';
import { NativeOwner } from '../src/recipes.js';
import { requestFor } from './request-for.js';
import { Stack } from './stack.js';

/** A stack whose reclaimer calls `before` when it is about to look at the age of a page in its batch. */
function stackWith(before: (stack: Stack, page: PageIndex) => void): Stack {
  const stack: Stack = new Stack({
    recipes: {
      owner: (parts) =>
        new (class extends NativeOwner {
          override *young(thread: Thread, page: PageIndex): Routine<boolean> {
            before(stack, page);
            return yield* super.young(thread, page);
          }
        })(parts),
    },
  });
  return stack;
}

describe('release', () => {
  it('gives everything back', () => {
    const stack = new Stack();
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 8, tcs: true });
    stack.release(enclave);
    expect([enclave.isReleased, enclave.refs.value, stack.driver.enclaves()]).toEqual([true, 0, []]);
    expect([stack.free().length, stack.reclaimable()]).toEqual([64, []]);
    expect(enclave.paging?.backing.presentPages()).toEqual([]);
    expect(stack.log.events.filter((event) => event.startsWith('warned'))).toEqual([]);
    expect(stack.violations()).toEqual([]);
    expect(() => stack.driver.enclave(enclave.id)).toThrowError(/after its release/);
  });

  it('of an enclave that was only opened', () => {
    const stack = new Stack();
    const enclave = stack.driver.open();
    stack.release(enclave);
    expect([enclave.isReleased, stack.log.leaves]).toEqual([true, []]);
  });

  it('of an evicted enclave frees only its version array', () => {
    const stack = new Stack();
    const enclave = stack.build(stack.process(0), { pages: 4 });
    stack.reclaimAll();
    stack.log.clear();
    stack.release(enclave);
    expect(stack.log.leaves).toEqual(['EREMOVE 0']);
    expect([stack.hardware.savedImages, enclave.paging?.backing.presentPages()]).toEqual([0, []]);
    expect(stack.free()).toHaveLength(64);
  });

  it('lets the id be used again', () => {
    const stack = new Stack();
    const mm = stack.process(0);
    const [one, two] = [stack.build(mm, { pages: 8 }), stack.build(mm, { pages: 8 })];
    stack.touch(mm, one, 3);
    stack.release(one);
    const three = stack.build(mm, { pages: 16 });
    expect([one.id, two.id, three.id]).toEqual([1, 2, 1]);
    expect(mm.table(three.id)?.pte[3]).toBe(0);
    expect(stack.touch(mm, three, 15)).toBe(true);
    expect(stack.violations()).toEqual([]);
  });

  it('leaves an address space listed after munmap, until the file is closed', () => {
    const stack = new Stack();
    const mm = stack.process(0);
    const enclave = stack.build(mm, { pages: 4 });
    stack.run(stack.driver.mapper.unmap(stack.thread(), mm, enclave, 0, 4));
    expect([enclave.refs.value, enclave.addressSpaces()]).toEqual([2, [mm]]);
  });
});

describe('release while pages are in a batch', () => {
  it('waits for the reference of the batch; the last put releases', () => {
    let enclave: Enclave | undefined;
    const refs: number[] = [];
    const stack = stackWith((current) => {
      if (enclave === undefined || enclave.addressSpaces().length === 0) return;
      refs.push(enclave.refs.value);
      current.release(enclave, 1);
      refs.push(enclave.refs.value);
    });
    enclave = stack.build(stack.process(0), { pages: 3 });
    expect(stack.reclaim()).toBe(3);
    expect(refs).toEqual([5, 3]);
    expect([enclave.isReleased, stack.driver.enclaves()]).toEqual([true, []]);
    // Every page was written; the last put removed what was left: the version array.
    expect(stack.log.leaves.at(-1)).toBe('EREMOVE 0');
    expect(stack.free()).toHaveLength(64);
    expect(stack.violations()).toEqual([]);
  });

  it('also when the page is skipped: back onto the list first, then put, whose release frees it', () => {
    let enclave: Enclave | undefined;
    let isFull = false;
    const stack: Stack = new Stack({
      mayAllocate: () => {
        if (isFull && enclave !== undefined && enclave.addressSpaces().length > 0) stack.release(enclave, 1);
        return !isFull;
      },
      recipes: {
        owner: (parts) =>
          new (class extends NativeOwner {
            override *young(thread: Thread, page: PageIndex): Routine<boolean> {
              if (enclave !== undefined && enclave.addressSpaces().length > 0) stack.release(enclave, 1);
              return yield* super.young(thread, page);
            }
          })(parts),
      },
    });
    enclave = stack.build(stack.process(0), { pages: 3 });
    isFull = true;
    expect(stack.reclaim()).toBe(0);
    expect([enclave.isReleased, stack.reclaimable(), stack.free().length]).toEqual([true, [], 64]);
    expect(stack.log.leaves).toEqual(['EREMOVE 2', 'EREMOVE 3', 'EREMOVE 4', 'EREMOVE 1', 'EREMOVE 0']);
    expect(stack.violations()).toEqual([]);
  });

  it("leaves a page alone that is still in somebody else's batch", () => {
    const stack = new Stack();
    const enclave = stack.build(stack.process(0), { pages: 2 });
    const victims = new Int32Array(1);
    stack.run(stack.lists.isolate(stack.thread(), requestFor(1), victims));
    // Cannot happen while the batch has its reference; without it unmark must still refuse.
    enclave.refs.put(stack.thread());
    stack.release(enclave);
    expect([victims[0], stack.hardware.isValid(victims[0] as number)]).toEqual([2, true]);
    expect(stack.log.events).toContain('warned sgx_encl_release');
  });
});

describe('a batch that meets an enclave in its release', () => {
  it('leaves its pages to the release', () => {
    const stack = new Stack();
    const enclave = stack.build(stack.process(0), { pages: 2 });
    for (let refs = enclave.refs.value; refs > 0; refs--) enclave.refs.put(stack.thread());
    expect(stack.reclaim()).toBe(0);
    expect(stack.log.events).toEqual(['GONE 2', 'GONE 3', 'batch 0 0 direct']);
    expect([stack.reclaimable(), [2, 3].map((page) => stack.frames.flags(page))]).toEqual([[], [0, 0]]);
  });
});
