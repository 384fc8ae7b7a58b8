import type { PageInfo } from '@epckit/hardware';
import { decodePageInfo, encodePageInfo, encodeRdInfo, FlatMemory, HardwareMisuse } from '@epckit/hardware';
import { Leaf, SecInfo } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { at, createWorld, encls, enclv, epc, mem, run, setInfo } from '../rows/world.js';

describe('FlatMemory', () => {
  const memory = () => new FlatMemory({ pageCount: 4, windowBase: 0x10_0000n });

  it('shows the EPC in its window, and nothing behind it', () => {
    const m = memory();
    expect(m.epcAddress(3)).toBe(0x10_3000n);
    expect(m.lookup(0, 0x103)).toMatchObject({ page: 3 });
    expect([m.lookup(0, 0x104), m.lookup(0, 0xff)]).toEqual([null, null]);
  });
  it('maps and unmaps pages; bytes of ordinary memory stay', () => {
    const m = memory();
    m.mapOrdinary(0x5000n, SecInfo.R);
    expect(m.lookup(0, 5)).toEqual({ page: -1, rights: SecInfo.R });
    m.write(0, 0x5ffen, Uint8Array.of(7, 8));
    m.unmap(0x5000n);
    expect(m.lookup(0, 5)).toBeNull();
    m.mapOrdinary(0x5000n);
    expect([...m.read(0, 0x5ffdn, 3)]).toEqual([0, 7, 8]);
    m.mapEpc(0x6000n, 2);
    expect(m.lookup(0, 6)?.page).toBe(2);
  });
  it('refuses what is not a page, and memory that is not there', () => {
    const m = memory();
    expect(() => new FlatMemory({ pageCount: 1, windowBase: 8n })).toThrow(HardwareMisuse);
    expect(() => m.mapOrdinary(0x5008n)).toThrow('whole pages');
    expect(() => m.mapEpc(0x5008n, 1)).toThrow(HardwareMisuse);
    expect(() => m.read(0, 0x5000n, 8)).toThrow('no ordinary memory');
  });
});

describe('operands', () => {
  it('ordinary operands in the EPC are abort pages: they read as ones and drop writes', () => {
    const w = createWorld();
    encls(w, Leaf.EADD, { rbx: epc(w, at.q), rcx: epc(w, at.free) });
    expect(run(w)).toMatchObject({ vector: 13 });
    encls(w, Leaf.ERDINFO, { rbx: epc(w, at.q), rcx: epc(w, at.p) });
    expect(run(w)).toEqual({ kind: 'done' });
    expect(w.registers.rax).toBe(0n);
    expect(w.contents.read(w.hardware.entry(at.q).contents, 0)).toBe(0x0202_0202_0202_0202n);
  });
  it('memory that may not be read is an ordinary page fault', () => {
    const w = createWorld();
    w.memory.mapOrdinary(mem.pageInfo, SecInfo.W);
    encls(w, Leaf.EADD, { rbx: mem.pageInfo, rcx: epc(w, at.free) });
    expect(run(w)).toMatchObject({ vector: 14, errorCode: 1, cr2: mem.pageInfo });
  });
  it('an EPC page may be named through any mapping', () => {
    const w = createWorld();
    w.memory.mapEpc(0x7_0000n, at.p);
    encls(w, Leaf.EBLOCK, { rcx: 0x7_0000n });
    expect(run(w)).toEqual({ kind: 'done' });
    expect(w.hardware.entry(at.p).blocked).toBe(true);
  });
  it('57-bit linear addresses have other canonical forms', () => {
    const w = createWorld({ features: { linearAddressBits: 57 } });
    encls(w, Leaf.EBLOCK, { rcx: 1n << 47n });
    expect(run(w)).toMatchObject({ vector: 14 });
    encls(w, Leaf.EBLOCK, { rcx: 1n << 56n });
    expect(run(w)).toMatchObject({ vector: 13 });
    encls(w, Leaf.EBLOCK, { rcx: (1n << 64n) - (1n << 56n) });
    expect(run(w)).toMatchObject({ vector: 14 });
  });
  it('ENCLAVECONTEXT: kernel addresses are exact, other large numbers are refused', () => {
    const w = createWorld();
    const set = (value: bigint) => {
      const bytes = new Uint8Array(8);
      new DataView(bytes.buffer).setBigUint64(0, value, true);
      w.memory.write(0, mem.context, bytes);
      enclv(w, Leaf.ESETCONTEXT, { rcx: epc(w, at.secs), rdx: mem.context });
      return run(w);
    };
    expect(set(0xffff_8880_1234_5678n)).toEqual({ kind: 'done' });
    encls(w, Leaf.ERDINFO, { rbx: mem.rdInfo, rcx: epc(w, at.secs) });
    expect(run(w)).toEqual({ kind: 'done' });
    const context = new DataView(w.memory.read(0, mem.rdInfo, 32).buffer).getBigUint64(16, true);
    expect(context).toBe(0xffff_8880_1234_5678n);
    expect(() => set((1n << 60n) + 1n)).toThrow(HardwareMisuse);
  });
});

describe('structures', () => {
  it('PAGEINFO goes round', () => {
    const info: PageInfo = { linearAddress: 1n, source: 2n << 60n, metadata: 3n, secs: 4n };
    expect(decodePageInfo(encodePageInfo(info))).toEqual(info);
    const w = createWorld();
    setInfo(w, info);
    setInfo(w, { secs: 9n });
    expect(decodePageInfo(w.memory.read(0, mem.pageInfo, 32))).toEqual({ ...info, secs: 9n });
  });
  it('RDINFO has STATUS, FLAGS with BLOCKED in bit 63, and ENCLAVECONTEXT', () => {
    const view = new DataView(encodeRdInfo({ status: 3, flags: 0x203, blocked: true, context: 4096 }).buffer);
    const words = [0, 8, 16, 24].map((offset) => view.getBigUint64(offset, true));
    expect(words).toEqual([3n, (1n << 63n) | 0x203n, 4096n, 0n]);
  });
});
