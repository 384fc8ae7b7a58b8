import { decodePageInfo, decodePcmd, PageFaultCode } from '@epckit/hardware';
import { Leaf, PageType, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { World } from '../rows/world.js';
import {
  at,
  createWorld,
  encls,
  epc,
  evict,
  inGuest,
  lin,
  linPage,
  mem,
  off,
  peek,
  REG_RW,
  run,
  setInfo,
  track,
} from '../rows/world.js';

const DONE = { kind: 'done' };

function ewb(w: World, page: number, slot: number, vaPage: number = at.va): bigint {
  setInfo(w, { linearAddress: 0n, source: mem.ciphertext, metadata: mem.pcmd, secs: 0n });
  encls(w, Leaf.EWB, { rbx: mem.pageInfo, rcx: epc(w, page), rdx: epc(w, vaPage) + BigInt(slot) * 8n });
  expect(run(w)).toEqual(DONE);
  return w.registers.rax;
}
/** ELDU of what `ciphertext` and `pcmd` hold. */
function eldu(w: World, target: number, slot: number, secs: number | null, vaPage: number = at.va) {
  setInfo(w, { secs: secs === null ? 0n : epc(w, secs) });
  encls(w, Leaf.ELDU, { rbx: mem.pageInfo, rcx: epc(w, target), rdx: epc(w, vaPage) + BigInt(slot) * 8n });
  return run(w);
}
const blob = (w: World) => ({
  info: w.memory.read(0, mem.pageInfo, 32),
  page: w.memory.read(0, mem.ciphertext, 4096),
  pcmd: w.memory.read(0, mem.pcmd, 128),
});
function restore(w: World, saved: ReturnType<typeof blob>): void {
  w.memory.write(0, mem.pageInfo, saved.info);
  w.memory.write(0, mem.ciphertext, saved.page);
  w.memory.write(0, mem.pcmd, saved.pcmd);
}

describe('EWB', () => {
  it('writes ciphertext, PCMD and LINADDR', () => {
    const w = createWorld();
    track(w, at.p);
    expect(ewb(w, at.p, 3)).toBe(0n);
    expect(decodePageInfo(blob(w).info).linearAddress).toBe(lin(off.p));
    const pcmd = decodePcmd(blob(w).pcmd);
    expect(pcmd).toMatchObject({ secinfo: REG_RW, enclaveId: w.hardware.enclave(at.secs).enclaveId });
    expect(blob(w).page).not.toEqual(new Uint8Array(4096).fill(1));
    expect(blob(w).pcmd.subarray(72, 112)).toEqual(new Uint8Array(40));
    expect(w.hardware.isValid(at.p)).toBe(false);
  });
  it('BLOCKED is not in the PCMD', () => {
    const w = createWorld();
    track(w, at.p);
    ewb(w, at.p, 3);
    eldu(w, at.free, 3, at.secs);
    expect(w.hardware.entry(at.free).blocked).toBe(false);
  });
  it('an occupied slot is code 12 with CF; the page is out, what the slot stood for is lost', () => {
    const w = createWorld();
    track(w, at.p);
    ewb(w, at.p, 3);
    const older = blob(w);
    track(w, at.q);
    expect(ewb(w, at.q, 3)).toBe(BigInt(SgxCode.VA_SLOT_OCCUPIED));
    expect(w.registers.flags).toMatchObject({ cf: true, zf: false });
    expect(w.hardware.isValid(at.q)).toBe(false);
    expect(decodePageInfo(blob(w).info).linearAddress).toBe(lin(off.q));
    const newer = blob(w);
    restore(w, older);
    expect(eldu(w, at.free, 3, at.secs)).toEqual(DONE);
    expect(w.registers.rax).toBe(BigInt(SgxCode.MAC_COMPARE_FAIL));
    restore(w, newer);
    expect(eldu(w, at.free, 3, at.secs)).toEqual(DONE);
    expect(w.registers.rax).toBe(0n);
  });
  it('a refused EWB writes nothing', () => {
    const w = createWorld();
    const before = blob(w).page;
    expect(ewb(w, at.p, 3)).toBe(BigInt(SgxCode.PAGE_NOT_BLOCKED));
    expect(blob(w).page).toEqual(before);
    expect(decodePageInfo(blob(w).info).linearAddress).toBe(0n);
  });
  it('a PAGEINFO that cannot be written is an ordinary page fault, before anything happens', () => {
    const w = createWorld();
    track(w, at.p);
    setInfo(w, { source: mem.ciphertext, metadata: mem.pcmd });
    w.memory.mapOrdinary(mem.pageInfo, 1);
    encls(w, Leaf.EWB, { rbx: mem.pageInfo, rcx: epc(w, at.p), rdx: epc(w, at.va) });
    const errorCode = PageFaultCode.PRESENT | PageFaultCode.WRITE;
    expect(run(w)).toMatchObject({ kind: 'fault', vector: 14, errorCode, cr2: mem.pageInfo });
    expect(w.hardware.isValid(at.p)).toBe(true);
  });
});

describe('ELDU', () => {
  it('loads the bytes, with every ENCLAVEID', () => {
    const w = createWorld();
    evict(w, at.p, 3);
    w.memory.write(0, mem.pcmd + 64n, Uint8Array.of(0xff, 0xff, 1));
    expect(eldu(w, at.free, 3, at.secs)).toEqual(DONE);
    expect(w.registers.rax).toBe(0n);
    expect(peek(w, at.free, 0)).toBe(0x0101_0101_0101_0101n);
    expect(w.hardware.entry(at.free)).toMatchObject({ flags: 3, linearPage: linPage(off.p), secs: at.secs });
    expect(w.hardware.versionIn(at.va, 3)).toBe(0);
  });
  it('a wrong type: another child is 9, no child with a SECS is #GP, a child without SECS is #PF of address 0', () => {
    const w = createWorld();
    evict(w, at.p, 3);
    w.memory.write(0, mem.pcmd + 1n, Uint8Array.of(PageType.TRIM));
    expect(eldu(w, at.free, 3, at.secs)).toEqual(DONE);
    expect(w.registers.rax).toBe(9n);
    w.memory.write(0, mem.pcmd + 1n, Uint8Array.of(PageType.VA));
    expect(eldu(w, at.free, 3, at.secs)).toMatchObject({ vector: 13 });
    evict(w, at.va2, 4);
    w.memory.write(0, mem.pcmd + 1n, Uint8Array.of(PageType.REG));
    expect(eldu(w, at.free, 4, null)).toMatchObject({ vector: 14, cr2: 0n });
  });
  it('failures with 9 use nothing up', () => {
    const w = createWorld();
    evict(w, at.p, 3);
    expect(eldu(w, at.free, 5, at.secs)).toEqual(DONE);
    expect(w.registers.rax).toBe(9n);
    expect(eldu(w, at.free, 3, at.secs)).toEqual(DONE);
    expect(w.registers.rax).toBe(0n);
    expect(eldu(w, at.free2, 3, at.secs)).toEqual(DONE);
    expect(w.registers.rax).toBe(9n);
  });
  it('a shadow-stack page without CET is no child', () => {
    const w = createWorld();
    evict(w, at.p, 3);
    w.memory.write(0, mem.pcmd + 1n, Uint8Array.of(PageType.SS_REST));
    expect(eldu(w, at.free, 3, at.secs)).toMatchObject({ vector: 13 });
  });
});

describe('trees', () => {
  it('a SECS goes out with its children, comes back elsewhere with the same EID, and its child with it', () => {
    const w = createWorld();
    const h = w.hardware;
    const { enclaveId } = h.enclave(at.secsB);
    h.eremove(0, at.tcsB);
    evict(w, at.pB, 1);
    const child = blob(w);
    expect(ewb(w, at.secsB, 2)).toBe(0n);
    expect(decodePageInfo(blob(w).info).linearAddress).toBe(0n);
    expect(decodePcmd(blob(w).pcmd).enclaveId).toBe(enclaveId);
    expect(eldu(w, at.free, 2, null)).toEqual(DONE);
    expect(w.registers.rax).toBe(0n);
    expect(h.enclave(at.free).enclaveId).toBe(enclaveId);
    expect(h.enclaveContext(at.free)).toBe(at.free * 4096);
    restore(w, child);
    expect(eldu(w, at.free2, 1, at.free)).toEqual(DONE);
    expect(w.registers.rax).toBe(0n);
    expect(h.entry(at.free2)).toMatchObject({ valid: true, secs: at.free });
  });
  it('EREMOVE of a SECS does not see evicted children, except virtual ones in a guest', () => {
    const w = createWorld();
    w.hardware.eremove(0, at.tcsB);
    evict(w, at.pB, 1);
    w.hardware.eincvirtchild(0, at.secsB, at.secsB);
    inGuest(w);
    encls(w, Leaf.EREMOVE, { rcx: epc(w, at.secsB) });
    expect(run(w)).toEqual(DONE);
    expect(w.registers.rax).toBe(13n);
    w.processor.logical(0).vmx = 'root';
    encls(w, Leaf.EREMOVE, { rcx: epc(w, at.secsB) });
    expect(run(w)).toEqual(DONE);
    expect(w.registers.rax).toBe(0n);
  });
  it('a page whose version is in an evicted VA page waits for it', () => {
    const w = createWorld();
    track(w, at.p);
    ewb(w, at.p, 7, at.va2);
    const page = blob(w);
    expect(ewb(w, at.va2, 0)).toBe(0n);
    const array = blob(w);
    restore(w, page);
    expect(eldu(w, at.free, 7, at.secs, at.va2)).toMatchObject({ vector: 14, cr2: epc(w, at.va2) + 56n });
    restore(w, array);
    expect(eldu(w, at.free2, 0, null)).toEqual(DONE);
    expect(w.registers.rax).toBe(0n);
    restore(w, page);
    expect(eldu(w, at.free, 7, at.secs, at.free2)).toEqual(DONE);
    expect(w.registers.rax).toBe(0n);
  });
});
