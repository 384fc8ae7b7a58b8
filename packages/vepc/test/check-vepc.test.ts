import { FrameFlag, OwnerKind } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Vepc } from '../src/index.js';
import { checkVepc } from '../src/index.js';
import { Stack } from './stack.js';

/** Two instances, the SECS in page 0 of A and a child in page 0 of B; EPC pages 0 and 1. */
function build(): { stack: Stack; a: Vepc; b: Vepc; rules: () => string[] } {
  const stack = new Stack({ epcPages: 8 });
  const [a, b] = [stack.open(), stack.open()];
  stack.populate(a, 0);
  stack.populate(b, 0);
  const source = stack.ecreate(a, 0);
  stack.eadd(stack.at(b, 0), stack.at(a, 0), source, 0);
  const rules = () => checkVepc(stack.driver, stack.frames, stack.hardware).map(({ rule }) => rule);
  expect(rules()).toEqual([]);
  return { stack, a, b, rules };
}

describe('checkVepc finds', () => {
  it('VE-1: a page in two places, a lost one, one that is not the guest’s, a wrong count', () => {
    const twice = build();
    twice.a.pages.set(1, 1);
    expect(twice.rules()).toEqual(['VE-2', 'VE-1']);
    const lost = build();
    lost.b.pages.erase(0);
    expect(lost.rules()).toEqual(['VE-6', 'VE-1']);
    const foreign = build();
    foreign.stack.frames.setOwner(1, OwnerKind.NATIVE, 1, 0);
    expect(foreign.rules()).toEqual(['VE-2', 'VE-1']);
    const counted = build();
    counted.a.pages.set(0, 0);
    expect(counted.rules()).toEqual(['VE-1']);
  });

  it('VE-2: another owner, another page, a zombie of a live instance or of nobody', () => {
    const owner = build();
    owner.stack.frames.setOwner(0, OwnerKind.GUEST, 1001, 0);
    expect(owner.rules()).toEqual(['VE-2']);
    const page = build();
    page.stack.frames.setOwner(0, OwnerKind.GUEST, 1000, 3);
    expect(page.rules()).toEqual(['VE-2']);
    const live = build();
    live.stack.release(live.a);
    live.stack.frames.setOwner(0, OwnerKind.GUEST, live.b.id, 3);
    expect(live.rules()).toEqual(['VE-2']);
    live.stack.frames.setOwner(0, OwnerKind.NONE, 0, 0);
    expect(live.rules()).toEqual(['VE-2', 'VE-1', 'VE-5']);
  });

  it('VE-3: a reclaimable page, one on a list', () => {
    const flagged = build();
    flagged.stack.frames.setFlags(1, FrameFlag.TRACKED);
    expect(flagged.rules()).toEqual(['VE-3']);
    const listed = build();
    listed.stack.run(listed.stack.lists.mark(listed.stack.thread(), 1));
    expect(listed.rules()).toEqual(['VE-3', 'VE-3']);
  });

  it('VE-4: a zombie that is no SECS', () => {
    const { stack, a, rules } = build();
    stack.release(a);
    stack.hardware.eremove(0, 1);
    stack.hardware.eremove(0, 0);
    expect(rules()).toEqual(['VE-4']);
  });

  it('VE-5: a child of a SECS that is not the guest’s', () => {
    const { stack, a, rules } = build();
    a.pages.erase(0);
    stack.frames.setOwner(0, OwnerKind.NATIVE, 1, 0);
    expect(rules()).toEqual(['VE-6', 'VE-5']);
  });

  it('VE-6: a mapping without EPC', () => {
    const { stack, b, rules } = build();
    (stack.vmm.table(b.id)?.pte as Uint8Array)[9] = 1;
    expect(rules()).toEqual(['VE-6']);
  });
});
