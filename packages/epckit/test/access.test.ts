import { Cost, EpcmCheck, PageType } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { AccessOutcome } from '../src/index.js';
import { DATA, MappedEnclave, TCS } from './mapped-enclave.js';

function zapTcs(stack: MappedEnclave): void {
  stack.process.mm.table(stack.enclave.id)?.zap(stack.other.thread, TCS);
}

describe('an access by a thread inside', () => {
  it('faults outside and comes back', () => {
    const stack = new MappedEnclave();
    stack.enter();
    expect(stack.access(DATA)).toBe(AccessOutcome.OK);
    expect([stack.record.isOutside, stack.cpu.isInside]).toEqual([false, true]);
    expect(stack.cpu.thread.counts[Cost.AEX]).toBe(1);
  });

  it('tells that it cannot come back because its TCS page has no entry', () => {
    const stack = new MappedEnclave();
    stack.enter();
    zapTcs(stack);
    expect(stack.access(DATA)).toBe(AccessOutcome.OK);
    expect([stack.record.isOutside, stack.cpu.isInside]).toEqual([true, false]);
    expect(stack.access(TCS)).toBe(AccessOutcome.EPCM);
    expect(stack.record).toMatchObject({ check: EpcmCheck.TYPE, isOutside: false });
    expect(stack.run(stack.cpu, stack.cpu.resume())).toBe(true);
  });

  it('tells that it cannot come back because ERESUME fails', () => {
    const stack = new MappedEnclave();
    stack.enter();
    stack.epc.hardware.eblock(stack.other.id, stack.enclave.records.epc(TCS));
    expect(stack.access(DATA)).toBe(AccessOutcome.OK);
    expect([stack.record.isOutside, stack.cpu.isInside]).toEqual([true, false]);
  });

  it('tells that it is outside when the access fails, too', () => {
    const stack = new MappedEnclave();
    stack.enter();
    zapTcs(stack);
    // Neither in the EPC nor in a slot: the page is lost.
    stack.enclave.records.setEvicted(DATA, -1);
    expect(stack.access(DATA)).toBe(AccessOutcome.SIGBUS);
    expect(stack.record.isOutside).toBe(true);
  });

  it('is refused a page of another enclave', () => {
    const stack = new MappedEnclave();
    const stranger = stack.open();
    stack.access(DATA, stack.other, stranger);
    stack.enter();
    expect(stack.access(DATA, stack.cpu, stranger)).toBe(AccessOutcome.EPCM);
    expect(stack.record.check).toBe(EpcmCheck.OWNER);
  });
});

describe('the EPCM check', () => {
  it('judges the EPC page that the entry names, whatever the record says', () => {
    const stack = new MappedEnclave();
    stack.access(DATA);
    stack.enclave.records.setEvicted(DATA, 0);
    expect(stack.access(DATA)).toBe(AccessOutcome.HIT);
  });

  it('refuses an entry whose EPC page is not valid any more', () => {
    const stack = new MappedEnclave();
    stack.access(DATA);
    const page = stack.enclave.records.epc(DATA);
    expect(stack.epc.hardware.entry(page).type).toBe(PageType.REG);
    expect(stack.epc.hardware.eremove(stack.other.id, page)).toBe(0);
    expect([stack.access(DATA), stack.record.check]).toEqual([AccessOutcome.EPCM, EpcmCheck.INVALID]);
  });
});
