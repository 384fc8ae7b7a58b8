import { Errno, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { Eviction, GuestState } from '../../src/index.js';
import { Guest, sourceOf } from './guest.js';
import { GuestStack } from './guest-stack.js';

describe('the worked trace', () => {
  it('shows the counts, the cookie and the slots of the reference at each step', () => {
    const stack = new GuestStack();
    const guest = new Guest(stack);
    const vepc = stack.section();
    const [secs, c1, c2] = [0, 1, 2].map((page) => ({ vepc, page })) as [never, never, never];
    const source = sourceOf(0);
    const instance = stack.instance(vepc);
    const thread = stack.thread();
    const seen = () => {
      const page = vepc.pages.get(0);
      const used = [...instance.paging.slots.pages()].reduce((sum, array) => sum + array.used, 0);
      if (page < 0) return `- - - ${used}`;
      const { hardware } = stack;
      const context = hardware.enclaveContext(page);
      const cookie = context % 2 === 1 ? 'h+1' : 'g';
      expect(stack.oversub.instances.locate(stack.vm, context)).toMatchObject({ page: 0 });
      return `${hardware.secsChildren(page)} ${hardware.virtualChildren(page)} ${cookie} ${used}`;
    };
    const step = (result: number) => {
      expect(stack.violations()).toEqual([]);
      return `${result}: ${seen()}`;
    };

    stack.run(guest.ecreate(thread, secs, source));
    stack.run(guest.eadd(thread, c1, secs, source.basePage));
    expect(step(stack.run(guest.eadd(thread, c2, secs, source.basePage + 1)))).toBe('0: 2 0 g 0');
    expect(step(stack.evict(secs))).toBe(`${Eviction.BUSY}: 2 0 g 0`);
    expect(stack.state(secs)).toBe(GuestState.PRESENT);
    expect(step(stack.evict(c1))).toBe('0: 1 1 g 1');
    expect(step(stack.run(guest.eremove(thread, secs)))).toBe(`${SgxCode.CHILD_PRESENT}: 1 1 g 1`);
    expect(step(stack.evict(c2))).toBe('0: 0 2 g 2');
    expect(step(stack.run(guest.eremove(thread, secs)))).toBe(`${SgxCode.CHILD_PRESENT}: 0 2 g 2`);
    expect(step(stack.evict(secs))).toBe('0: - - - 3');
    expect(stack.run(guest.read(thread, c2, secs, source.basePage + 1))).toMatch(/^0: /);
    expect(step(0)).toBe('0: 1 1 h+1 1');
    expect(step(stack.run(guest.eremove(thread, c2)))).toBe('0: 0 1 h+1 1');
    expect(step(stack.run(guest.eremove(thread, secs)))).toBe(`${SgxCode.CHILD_PRESENT}: 0 1 h+1 1`);
    expect(step(stack.run(guest.eremove(thread, c1)))).toBe('0: 0 0 h+1 0');
    expect(stack.run(guest.eremove(thread, secs))).toBe(0);
    expect(step(stack.run(guest.ecreate(thread, secs, source)))).toBe('0: 0 0 g 0');
    stack.end();
    expect(stack.pools.free).toBe(64);
    expect(stack.violations()).toEqual([]);
  });
});

describe('enabling', () => {
  it('is refused twice, after a mapping, and after the close; a second mapping, too', () => {
    const stack = new GuestStack();
    const thread = stack.thread();
    const vepc = stack.section();
    expect(stack.run(stack.oversub.enabler.enable(thread, vepc, stack.vm))).toBe(-Errno.EEXIST);
    expect(stack.map(vepc)).toBe(-Errno.EEXIST);
    const raw = stack.driver.open(4);
    if (raw === null) throw new Error('open');
    expect(stack.map(raw)).toBe(0);
    expect(stack.run(stack.oversub.enabler.enable(thread, raw, stack.vm))).toBe(-Errno.EEXIST);
    stack.close(raw);
    expect(stack.run(stack.oversub.enabler.enable(thread, raw, stack.vm))).toBe(-Errno.EINVAL);
  });
});
