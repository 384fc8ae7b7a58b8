import { Leaf, LeafFault, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { leafListener, MappedEnclave, TCS } from './mapped-enclave.js';

/** Moves the TCS to another EPC page. */
function moveTcs(stack: MappedEnclave): void {
  const before = stack.enclave.records.epc(TCS);
  stack.evictAll();
  stack.access(TCS, stack.other);
  expect(stack.enclave.records.epc(TCS)).not.toBe(before);
}

function leafAtTcs(stack: MappedEnclave): number {
  return stack.epc.hardware.leafAt(stack.enclave.records.epc(TCS));
}

describe('an entry through a TCS that moves at its point', () => {
  it('EENTER works on the page where it is when the leaf executes', () => {
    const stack = new MappedEnclave();
    stack.access(TCS);
    const entering = stack.cpu.enter(stack.enclave, TCS);
    const result = stack.interruptAt(leafAtTcs(stack), entering, () => moveTcs(stack));
    expect([result, stack.cpu.isInside]).toEqual([SgxCode.SUCCESS, true]);
  });

  it('ERESUME works on the page where it is when the leaf executes', () => {
    const stack = new MappedEnclave();
    stack.enter();
    stack.cpu.aex();
    const isInside = stack.interruptAt(leafAtTcs(stack), stack.cpu.resume(), () => moveTcs(stack));
    expect([isInside, stack.cpu.isInside]).toEqual([true, true]);
  });
});

describe('an entry through a TCS that is evicted at its point', () => {
  it('EENTER faults and the CPU has entered nothing', () => {
    const stack = new MappedEnclave();
    stack.access(TCS);
    const entering = stack.cpu.enter(stack.enclave, TCS);
    const result = stack.interruptAt(leafAtTcs(stack), entering, () => stack.evictAll());
    expect([result, stack.cpu.isInside, stack.cpu.entry]).toEqual([LeafFault.PF, false, null]);
  });

  it('ERESUME says that the thread is outside, and works after an access to the TCS', () => {
    const stack = new MappedEnclave();
    stack.enter();
    stack.cpu.aex();
    const isInside = stack.interruptAt(leafAtTcs(stack), stack.cpu.resume(), () => stack.evictAll());
    expect([isInside, stack.cpu.isInside]).toEqual([false, false]);
    stack.access(TCS);
    expect(stack.run(stack.cpu, stack.cpu.resume())).toBe(true);
  });
});

it('EENTER through a page without an entry is #PF and executes no leaf', () => {
  const leaves: number[] = [];
  const stack = new MappedEnclave(leafListener(leaves));
  expect(stack.run(stack.cpu, stack.cpu.enter(stack.enclave, TCS))).toBe(LeafFault.PF);
  expect(leaves).not.toContain(Leaf.EENTER);
});
