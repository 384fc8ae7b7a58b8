import type { SgxHardware } from '@epckit/interface';
import { Errno, LeafFault, Prot, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { StackOptions } from './stack.js';
import { Stack } from './stack.js';

const PAGE_BYTES = 4096;
const RW = { start: 0, end: 16, prot: Prot.R | Prot.W };

function setup(options: StackOptions = {}, debug = true) {
  const stack = new Stack({ dynamic: true, ...options });
  const mm = stack.process(0);
  const enclave = stack.build(mm, { pages: 4, range: 16, debug });
  const { debug: access } = stack.driver;
  const read = (offset: number, bytes: Uint8Array, vma = RW) => {
    return stack.run(access.read(stack.thread(), vma, enclave, offset, bytes));
  };
  const write = (offset: number, bytes: Uint8Array, vma = RW) => {
    return stack.run(access.write(stack.thread(), vma, enclave, offset, bytes));
  };
  return { stack, mm, enclave, read, write };
}

describe("a debugger's access", () => {
  it('reads back what it has written, at any offset and across pages', () => {
    const { stack, read, write } = setup();
    const bytes = Uint8Array.from({ length: 21 }, (_, i) => i + 1);
    expect(write(PAGE_BYTES - 10, bytes)).toBe(21);
    const back = new Uint8Array(21);
    expect(read(PAGE_BYTES - 10, back)).toBe(21);
    expect(back).toEqual(bytes);
    const around = new Uint8Array(8);
    read(PAGE_BYTES - 16, around);
    expect([...around]).toEqual([0, 0, 0, 0, 0, 0, 1, 2]);
    expect(stack.violations()).toEqual([]);
  });

  it('goes word by word: EDBGRD, and EDBGWR for a write', () => {
    const { stack, read, write } = setup();
    read(PAGE_BYTES - 4, new Uint8Array(8));
    write(8, new Uint8Array(8));
    expect(stack.log.leaves).toEqual(['EDBGRD 2', 'EDBGRD 3', 'EDBGRD 2', 'EDBGWR 2']);
  });

  it('loads pages that are out, and what it writes goes with the page', () => {
    const { stack, enclave, read, write } = setup();
    write(16, new Uint8Array(8).fill(7));
    stack.reclaimAll();
    stack.log.clear();
    const back = new Uint8Array(8);
    expect(read(16, back)).toBe(8);
    expect([...back]).toEqual([...new Uint8Array(8).fill(7)]);
    const page = enclave.records.epc(0);
    expect(stack.log.leaves).toEqual([`ELDU ${enclave.secs}`, `ELDU ${page}`, `EDBGRD ${page}`]);
    expect(stack.violations()).toEqual([]);
  });

  it('is EFAULT without DEBUG, without a page, beyond the ceiling, and in a mapping that nobody knows', () => {
    expect(setup({}, false).read(0, new Uint8Array(8))).toBe(-Errno.EFAULT);
    const { stack, read } = setup();
    const bytes = new Uint8Array(8);
    expect(read(9 * PAGE_BYTES, bytes)).toBe(-Errno.EFAULT);
    expect(read(4 * PAGE_BYTES - 4, bytes)).toBe(-Errno.EFAULT);
    expect(read(0, bytes, { ...RW, prot: Prot.R | Prot.X })).toBe(-Errno.EFAULT);
    expect(read(0, bytes, { ...RW, isOrphan: true } as typeof RW)).toBe(-Errno.EFAULT);
    expect(stack.violations()).toEqual([]);
  });

  it.each([
    ['edbgrd', LeafFault.PF],
    ['edbgrd', SgxCode.PAGE_NOT_DEBUGGABLE],
    ['edbgwr', LeafFault.GP],
  ] as const)('is EIO when %s ends in %d', (name, result) => {
    const leaves = (): Partial<SgxHardware> => ({ [name]: () => result });
    const { stack, write } = setup({ leaves });
    expect(write(0, new Uint8Array(8))).toBe(-Errno.EIO);
    expect(stack.violations()).toEqual([]);
  });

  it('is EIO at a page that waits for the enclave', () => {
    const { stack, mm, enclave, read } = setup();
    stack.fault(mm, enclave, 9);
    expect(read(9 * PAGE_BYTES, new Uint8Array(8))).toBe(-Errno.EIO);
  });
});
