import { Errno, LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { GUEST_UNMAPPED, INTEL_LAUNCH_KEY_HASH } from '../src/index.js';
import { Stack } from './stack.js';

const KEY = 'ab'.repeat(32);

describe('ECREATE for a guest', () => {
  it('makes a SECS of the page behind the address', () => {
    const stack = new Stack();
    const vepc = stack.open();
    stack.populate(vepc, 5);
    const argument = { secs: stack.at(vepc, 5), source: stack.source() };
    expect(stack.run(stack.driver.kvm.ecreate(stack.thread(), argument, stack.trap))).toBe(0);
    expect(stack.hardware.entry(0).type).toBe(PageType.SECS);
  });

  it('reports the vector of a fault and EFAULT', () => {
    const stack = new Stack();
    const vepc = stack.open();
    stack.populate(vepc, 5);
    const { kvm } = stack.driver;
    const secs = stack.at(vepc, 5);
    const broken = { ...stack.source(), pageCount: 3 };
    expect(stack.run(kvm.ecreate(stack.thread(), { secs, source: broken }, stack.trap))).toBe(-Errno.EFAULT);
    expect(stack.trap.vector).toBe(13);
    stack.ecreate(vepc, 5);
    const again = { secs, source: stack.source() };
    expect(stack.run(kvm.ecreate(stack.thread(), again, stack.trap))).toBe(-Errno.EFAULT);
    expect(stack.trap.vector).toBe(14);
  });

  it('is #PF at an address without a page, and EINVAL with a warning at none of user space', () => {
    const stack = new Stack();
    const vepc = stack.open();
    const { kvm } = stack.driver;
    const argument = { secs: stack.at(vepc, 5), source: stack.source() };
    expect(stack.run(kvm.ecreate(stack.thread(), argument, stack.trap))).toBe(-Errno.EFAULT);
    expect(stack.trap.vector).toBe(14);
    const kernel = { ...argument, isUserRange: false };
    expect(stack.run(kvm.ecreate(stack.thread(), kernel, stack.trap))).toBe(-Errno.EINVAL);
    expect(stack.log.events).toEqual(['warned sgx_virt_ecreate']);
  });

  it('has no codes: one that hardware invents is a warning', () => {
    const stack = new Stack({ leaves: () => ({ ecreate: () => SgxCode.EPC_PAGE_CONFLICT }) });
    const vepc = stack.open();
    stack.populate(vepc, 0);
    stack.ecreate(vepc, 0);
    expect(stack.log.events).toContain('warned sgx_virt_ecreate');
  });
});

describe('EINIT for a guest', () => {
  it('hands the code of the leaf to the guest', () => {
    const stack = new Stack();
    const vepc = stack.open();
    stack.populate(vepc, 0);
    stack.ecreate(vepc, 0);
    const secs = stack.at(vepc, 0);
    const wrong = { secs, signature: { measurement: '0'.repeat(64) } };
    const { kvm } = stack.driver;
    expect(stack.run(kvm.einit(stack.thread(), wrong, stack.trap))).toBe(SgxCode.INVALID_MEASUREMENT);
    expect(stack.run(kvm.einit(stack.thread(), { secs, signature: {} }, stack.trap))).toBe(0);
  });

  it('reports a fault, and EINVAL with a warning for addresses outside user space', () => {
    const stack = new Stack();
    const vepc = stack.open();
    stack.populate(vepc, 0);
    const argument = { secs: stack.at(vepc, 0), signature: {} };
    const { kvm } = stack.driver;
    expect(stack.run(kvm.einit(stack.thread(), argument, stack.trap))).toBe(-Errno.EFAULT);
    expect(stack.trap.vector).toBe(14);
    const kernel = { ...argument, isUserRange: false };
    expect(stack.run(kvm.einit(stack.thread(), kernel, stack.trap))).toBe(-Errno.EINVAL);
    expect(stack.log.events.at(-1)).toBe('warned sgx_virt_einit');
  });

  it('writes the hash MSRs of its CPU each time, Intel’s key unless the guest has another', () => {
    const launchKeyHashes: string[] = [];
    const stack = new Stack({ launchKeyHashes });
    const vepc = stack.open();
    stack.populate(vepc, 0);
    stack.ecreate(vepc, 0);
    const argument = { secs: stack.at(vepc, 0), signature: {} };
    const { kvm } = stack.driver;
    stack.run(kvm.einit(stack.thread(1), argument, stack.trap), 1);
    stack.run(kvm.einit(stack.thread(2), { ...argument, launchKeyHash: KEY }, stack.trap), 2);
    // An address that cannot be one leaves the MSRs alone.
    stack.run(kvm.einit(stack.thread(3), { ...argument, isUserRange: false }, stack.trap), 3);
    expect(launchKeyHashes).toEqual([`1 ${INTEL_LAUNCH_KEY_HASH}`, `2 ${KEY}`]);
  });
});

describe('leaves of a guest', () => {
  const secinfo = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);

  it('need mapped pages', () => {
    const stack = new Stack();
    const vepc = stack.open();
    const { guest } = stack.driver;
    const [there, gone] = [stack.at(vepc, 0), stack.at(vepc, 1)];
    stack.populate(vepc, 0);
    const thread = stack.thread();
    const source = stack.source();
    const { basePage } = source;
    const results = [
      guest.ecreate(thread, gone, source, stack.trap),
      guest.einit(thread, gone, { signature: {} }, stack.trap),
      guest.eadd(thread, gone, there, basePage, secinfo),
      guest.eadd(thread, there, gone, basePage, secinfo),
      guest.eaug(thread, gone, there, basePage),
      guest.eaug(thread, there, gone, basePage),
      guest.eremove(thread, gone),
      guest.epa(thread, gone),
      guest.eenter(thread, gone, basePage),
    ].map((leaf) => stack.run(leaf));
    expect(results).toEqual(results.map(() => GUEST_UNMAPPED));
    expect(stack.log.leaves).toEqual([]);
  });

  it('give what the hardware says', () => {
    const stack = new Stack();
    const vepc = stack.open();
    stack.populate(vepc, 0, 1);
    const [secs, page] = [stack.at(vepc, 0), stack.at(vepc, 1)];
    const source = stack.ecreate(vepc, 0);
    const { guest } = stack.driver;
    expect(stack.eadd(page, secs, source, 16)).toBe(LeafFault.GP);
    expect(stack.eadd(page, secs, source, 1)).toBe(0);
    expect(stack.run(guest.eremove(stack.thread(), secs))).toBe(SgxCode.CHILD_PRESENT);
    expect(stack.run(guest.epa(stack.thread(), page))).toBe(LeafFault.PF);
    expect(stack.run(guest.eremove(stack.thread(), page))).toBe(0);
    expect(stack.run(guest.eremove(stack.thread(), secs))).toBe(0);
    expect(stack.violations()).toEqual([]);
  });

  it('reach nothing after munmap', () => {
    const stack = new Stack();
    const vepc = stack.open();
    stack.populate(vepc, 0);
    stack.unmap(vepc);
    expect(stack.run(stack.driver.guest.eremove(stack.thread(), stack.at(vepc, 0)))).toBe(GUEST_UNMAPPED);
  });
});
