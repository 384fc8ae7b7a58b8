import { createRegisters, HardwareMisuse } from '@epckit/hardware';
import { Access, Leaf, PageType, SecInfo } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { World } from '../rows/world.js';
import {
  AEP,
  at,
  createWorld,
  encls,
  enclu,
  enter,
  lin,
  linPage,
  off,
  peek,
  poke,
  REG_RW,
  renew,
  run,
  setEnclaveSecInfo,
  TRIM,
  typed,
} from '../rows/world.js';

const DONE = { kind: 'done' };
/** Where GPRSGX and EXINFO begin in the last page of a frame. */
const GPR = 4096 - 184;
const EXINFO = GPR - 16;
const flags = { zf: true, cf: true, pf: false, af: false, of: true, sf: false };

/** Inside, with registers that a program could have. */
function inside(w: World): void {
  enclu(w, Leaf.EENTER, { rbx: lin(off.tcs), rcx: AEP });
  expect(run(w)).toEqual(DONE);
  Object.assign(w.registers, { rax: 1n, rbx: 2n, rcx: 3n, rdx: 4n, rip: 0x4000_4010n, flags: { ...flags } });
}

describe('EENTER', () => {
  it('gives CSSA, the return address and the entry point', () => {
    const w = createWorld();
    enclu(w, Leaf.EENTER, { rbx: lin(off.tcs), rcx: AEP });
    const before = structuredClone(w.registers);
    expect(run(w)).toEqual(DONE);
    expect(w.registers).toEqual({ ...before, rax: 0n, rcx: 0x7003n, rip: lin(off.p) });
    expect(w.hardware.insideOf(0)).toBe(at.secs);
    expect(peek(w, at.tcs, 40)).toBe(AEP);
  });
  it('gives the number of filled frames after exits', () => {
    const w = createWorld();
    inside(w);
    w.processor.interrupt(0, w.registers);
    enclu(w, Leaf.EENTER, { rbx: lin(off.tcs), rcx: AEP });
    expect(run(w)).toEqual(DONE);
    expect(w.registers.rax).toBe(1n);
  });
  it('through an evicted TCS page: an ordinary #PF if it is not mapped, one with the SGX bit if it is', () => {
    const w = createWorld();
    w.hardware.eremove(0, at.tcs);
    enclu(w, Leaf.EENTER, { rbx: lin(off.tcs), rcx: AEP });
    expect(run(w)).toMatchObject({ vector: 14, errorCode: 0x8007, cr2: lin(off.tcs), isExit: false });
    w.memory.unmap(lin(off.tcs));
    expect(run(w)).toMatchObject({ vector: 14, errorCode: 6, cr2: lin(off.tcs), isExit: false });
    expect(w.hardware.tracking(at.secs)).toMatchObject({ current: 0, previous: 0 });
  });
});

describe('EEXIT', () => {
  it('gives AEP, goes to the target and leaves the rest', () => {
    const w = createWorld();
    inside(w);
    enclu(w, Leaf.EEXIT, { rbx: 0x5000n });
    const before = structuredClone(w.registers);
    expect(run(w)).toEqual(DONE);
    expect(w.registers).toEqual({ ...before, rcx: AEP, rip: 0x5000n });
    expect(w.hardware.insideOf(0)).toBe(-1);
    expect(w.processor.interrupt(0, w.registers)).toBe(false);
  });
  it('to a wild target is #GP, and so an asynchronous exit', () => {
    const w = createWorld();
    inside(w);
    enclu(w, Leaf.EEXIT, { rbx: 1n << 47n });
    expect(run(w)).toMatchObject({ vector: 13, isExit: true });
    expect(w.registers).toMatchObject({ rax: 3n, rbx: lin(off.tcs), rcx: AEP, rip: AEP });
    expect(peek(w, at.tcs, 24) & 0xffff_ffffn).toBe(1n);
  });
});

describe('asynchronous exit and ERESUME', () => {
  it('hides the registers and brings them back', () => {
    const w = createWorld();
    inside(w);
    const program = structuredClone(w.registers);
    expect(w.processor.interrupt(0, w.registers)).toBe(true);
    const none = { zf: false, cf: false, pf: false, af: false, of: false, sf: false };
    expect(w.registers).toEqual({ rax: 3n, rbx: lin(off.tcs), rcx: AEP, rdx: 0n, rip: AEP, flags: none });
    expect(peek(w, at.ssa, GPR + 24)).toBe(2n);
    expect(w.processor.enclu(0, w.registers)).toEqual(DONE);
    expect(w.registers).toEqual(program);
    expect(peek(w, at.tcs, 24) & 0xffff_ffffn).toBe(0n);
  });
  it('ERESUME takes a new AEP', () => {
    const w = createWorld();
    inside(w);
    w.processor.interrupt(0, w.registers);
    w.registers.rcx = 0x9000n;
    expect(w.processor.enclu(0, w.registers)).toEqual(DONE);
    w.processor.interrupt(0, w.registers);
    expect(w.registers.rip).toBe(0x9000n);
  });
  it('nested exits fill one frame after the other', () => {
    const w = createWorld();
    inside(w);
    w.processor.interrupt(0, w.registers);
    inside(w);
    w.registers.rdx = 77n;
    w.processor.interrupt(0, w.registers);
    expect([peek(w, at.ssa, GPR + 16), peek(w, at.ssa2, GPR + 16)]).toEqual([4n, 77n]);
    enclu(w, Leaf.EENTER, { rbx: lin(off.tcs), rcx: AEP });
    expect(run(w)).toMatchObject({ vector: 13 });
  });
  it('EDECCSSA lets the next exit fill the frame before again', () => {
    const w = createWorld();
    inside(w);
    w.processor.interrupt(0, w.registers);
    inside(w);
    enclu(w, Leaf.EDECCSSA);
    expect(run(w)).toEqual(DONE);
    w.registers.rdx = 78n;
    w.processor.interrupt(0, w.registers);
    expect(peek(w, at.ssa, GPR + 16)).toBe(78n);
  });
  it('the frame page is kept by its physical address: an exit does not look at page tables', () => {
    const w = createWorld();
    inside(w);
    w.memory.unmap(lin(off.ssa));
    w.processor.interrupt(0, w.registers);
    expect(peek(w, at.ssa, GPR + 16)).toBe(4n);
  });
  it('frames of two pages have their registers in the second', () => {
    const w = createWorld({ ssaFrameSize: 2 });
    inside(w);
    w.processor.interrupt(0, w.registers);
    expect([peek(w, at.ssa, GPR + 16), peek(w, at.ssa2, GPR + 16)]).toEqual([0n, 4n]);
  });
  it('without EXINFO a page fault leaves no trace in the frame', () => {
    const w = createWorld();
    inside(w);
    w.processor.access(0, w.registers, lin(off.hole) + 8n, Access.WRITE);
    expect([peek(w, at.ssa, EXINFO), peek(w, at.ssa, GPR + 160)]).toEqual([0n, 0n]);
  });
  it('EXINFO keeps the full address and the error code, CR2 loses its low bits', () => {
    const w = createWorld({ miscSelect: 1 });
    inside(w);
    const outcome = w.processor.access(0, w.registers, lin(off.hole) + 8n, Access.WRITE);
    expect(outcome).toMatchObject({ vector: 14, errorCode: 6, cr2: lin(off.hole), isExit: true });
    expect([peek(w, at.ssa, EXINFO), peek(w, at.ssa, EXINFO + 8)]).toEqual([lin(off.hole) + 8n, 6n]);
    expect(peek(w, at.ssa, GPR + 160)).toBe(0x8000_030en);
  });
  it('any fault of an instruction inside is an exit', () => {
    const w = createWorld();
    inside(w);
    w.registers.rax = 0n;
    expect(w.processor.encls(0, w.registers)).toMatchObject({ vector: 6, isExit: true });
    expect(w.hardware.insideOf(0)).toBe(-1);
  });
  it('a thread that entered without this processor exits with its registers as they are', () => {
    const w = createWorld();
    w.hardware.eenter(0, at.tcs, linPage(off.tcs));
    const registers = createRegisters({ rax: 9n });
    expect(w.processor.interrupt(0, registers)).toBe(true);
    expect(registers.rax).toBe(9n);
  });
});

describe('EREPORT and EGETKEY', () => {
  it('are not modelled', () => {
    const w = createWorld();
    inside(w);
    for (const leaf of [0n, 1n]) {
      w.registers.rax = leaf;
      expect(() => w.processor.enclu(0, w.registers)).toThrow(HardwareMisuse);
    }
  });
});

describe('SGX2 by instructions alone', () => {
  it('EACCEPT of a new page, EMODPE, then code runs', () => {
    const w = createWorld();
    setEnclaveSecInfo(w, REG_RW | SecInfo.PENDING);
    enter(w);
    expect(w.processor.access(0, createRegisters(), lin(off.p), Access.WRITE)).toMatchObject(DONE);
    enclu(w, Leaf.EACCEPT, { rbx: lin(off.info), rcx: lin(off.pending) });
    expect(run(w)).toEqual(DONE);
    expect(w.registers.rax).toBe(0n);
    setEnclaveSecInfo(w, typed(PageType.REG, SecInfo.R | SecInfo.X));
    enclu(w, Leaf.EMODPE, { rbx: lin(off.info), rcx: lin(off.pending) });
    expect(run(w)).toEqual(DONE);
    const outcome = w.processor.access(0, createRegisters(), lin(off.pending), Access.EXECUTE);
    expect(outcome).toMatchObject(DONE);
  });
  it('EACCEPTCOPY brings contents and rights', () => {
    const w = createWorld();
    setEnclaveSecInfo(w, typed(PageType.REG, SecInfo.R | SecInfo.X));
    enter(w);
    enclu(w, Leaf.EACCEPTCOPY, { rbx: lin(off.info), rcx: lin(off.pending), rdx: lin(off.p) });
    expect(run(w)).toEqual(DONE);
    expect(peek(w, at.pending, 4088)).toBe(peek(w, at.p, 4088));
    expect(w.hardware.entry(at.pending).flags).toBe(SecInfo.R | SecInfo.X);
    poke(w, at.pending, 0, 99n);
    expect(peek(w, at.p, 0)).not.toBe(99n);
  });
  it('trim: EMODT, ETRACK, leave, EACCEPT, EREMOVE while the thread runs', () => {
    const w = createWorld();
    enter(w);
    expect([w.hardware.emodt(1, at.p, TRIM), w.hardware.etrack(1, at.secs)]).toEqual([0, 0]);
    setEnclaveSecInfo(w, TRIM | SecInfo.MODIFIED);
    const accept = () => {
      enclu(w, Leaf.EACCEPT, { rbx: lin(off.info), rcx: lin(off.p) });
      run(w);
      return w.registers.rax;
    };
    expect(accept()).toBe(11n);
    renew(w);
    expect(accept()).toBe(0n);
    encls(w, Leaf.EREMOVE, { rcx: w.memory.epcAddress(at.p) });
    expect(run(w)).toEqual(DONE);
    expect(w.registers.rax).toBe(0n);
    expect(w.hardware.insideOf(0)).toBe(at.secs);
  });
});
