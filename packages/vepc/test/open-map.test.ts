import { Errno, NONE, OwnerKind } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { createVepcDriver } from '../src/index.js';
import { Stack } from './stack.js';

const misuse = expect.objectContaining({ code: 'EPCKIT_MISUSE' });

describe('the device', () => {
  it('is there on a processor with VMX only', () => {
    const { frames, hardware, allocator, machine } = new Stack();
    const { objects } = machine;
    const parts = { frames, hardware, allocator, locks: machine, objects, monitor: null, probe: null };
    const components = { ...parts, launchControl: null };
    expect(createVepcDriver({ hasVmx: false, firstOwner: 1 }, components)).toBeNull();
    expect(createVepcDriver({ hasVmx: true, firstOwner: 1 }, components)).not.toBeNull();
    expect(() => createVepcDriver({ hasVmx: true, firstOwner: -1 }, components)).toThrow(misuse);
  });

  it('gives each open file an id of its own, also after a release', () => {
    const stack = new Stack();
    const [a, b] = [stack.open(), stack.open()];
    stack.release(b);
    const c = stack.open();
    expect([a.id, b.id, c.id]).toEqual([1000, 1001, 1002]);
    expect(stack.driver.instances()).toEqual([a, c]);
    expect([a, b, c].map(({ id }) => stack.driver.instance(id))).toEqual([a, undefined, c]);
    expect([a.isReleased, b.isReleased]).toEqual([false, true]);
  });

  it('has no memory for a file: ENOMEM, and no id is used', () => {
    let isShort = true;
    const stack = new Stack({ failures: { fails: (call) => isShort && call === 'kmalloc' } });
    expect(stack.driver.open(4)).toBeNull();
    isShort = false;
    expect(stack.driver.open(4)?.id).toBe(1000);
  });

  it('needs room for at least one page', () => {
    const { driver } = new Stack();
    for (const pageCount of [0, -1, 1.5, Number.NaN]) expect(() => driver.open(pageCount)).toThrow(misuse);
  });
});

describe('mmap', () => {
  it('must be shared', () => {
    const stack = new Stack();
    const vepc = stack.open(4, false);
    expect(stack.map(vepc, stack.vmm, 0, 4, false)).toBe(-Errno.EINVAL);
    expect(stack.vmm.table(vepc.id)).toBeUndefined();
    expect(stack.map(vepc)).toBe(0);
  });

  it('reserves no EPC, however large the mapping', () => {
    const stack = new Stack({ epcPages: 4 });
    stack.open(1 << 20);
    expect(stack.free()).toHaveLength(4);
    expect(stack.log.leaves).toEqual([]);
  });

  it('can be made several times, of parts and in several processes', () => {
    const stack = new Stack();
    const vepc = stack.open(16, false);
    const other = stack.process();
    expect([
      stack.map(vepc, stack.vmm, 0, 4),
      stack.map(vepc, stack.vmm, 8, 16),
      stack.map(vepc, other, 2, 3),
    ]).toEqual([0, 0, 0]);
    expect([3, 4, 8].map((page) => stack.fault(vepc, page))).toEqual([0, NONE, 0]);
    expect([2, 3].map((page) => stack.fault(vepc, page, other))).toEqual([0, NONE]);
    expect(vepc.addressSpaces()).toEqual([stack.vmm, other]);
    expect(stack.violations()).toEqual([]);
  });

  it.each([
    [0, 17],
    [-1, 4],
    [4, 4],
    [0.5, 2],
  ])('of pages %d … %d of 16 is a misuse', (start, end) => {
    const stack = new Stack();
    const vepc = stack.open(16, false);
    expect(() => stack.map(vepc, stack.vmm, start, end)).toThrow(misuse);
  });

  it('is undone by munmap; the EPC pages stay with the instance', () => {
    const stack = new Stack();
    const vepc = stack.open();
    const [page] = stack.populate(vepc, 3);
    stack.unmap(vepc);
    expect(vepc.pages.get(3)).toBe(page);
    expect(stack.frames.kind(page as number)).toBe(OwnerKind.GUEST);
    expect(stack.fault(vepc, 3)).toBe(NONE);
    expect(stack.violations()).toEqual([]);
  });

  it('is not inherited by a child', () => {
    const stack = new Stack();
    const vepc = stack.open();
    stack.populate(vepc, 3);
    const child = stack.process();
    const thread = stack.thread();
    stack.run(
      (function* fork() {
        while (child.lock.mustWaitWrite(thread)) yield child.lock.acquireWrite;
        child.copyFrom(thread, stack.vmm);
        stack.driver.mapper.leaveOut(child, vepc);
        child.lock.releaseWrite(thread);
      })(),
    );
    expect(stack.fault(vepc, 3, child)).toBe(NONE);
    expect(vepc.addressSpaces()).toEqual([stack.vmm]);
  });
});
