import type { LeafId } from '@epckit/interface';
import { Access, Leaf } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Expected } from '../rows/suite.js';
import { done, expectOutcomeOf, ok, pf, rbx, rcx, rdx, zf } from '../rows/suite.js';
import { SUITES } from '../rows/suites.js';
import type { World } from '../rows/world.js';
import { at, createWorld, encls, enclv, enter, epc, evict, lin, mem, off, run } from '../rows/world.js';

/** Section 11: what each leaf says right after a loss, with operands that were fine before it. */
const AFTER: Readonly<Record<string, Expected>> = {
  EADD: pf((w) => epc(w, at.secsB)),
  EAUG: pf((w) => epc(w, at.secs)),
  EEXTEND: pf(rcx),
  EINIT: pf(rcx),
  ETRACK: pf(rcx),
  ETRACKC: zf(6),
  EBLOCK: zf(6),
  EWB: pf(rcx),
  ELDU: pf(rdx),
  ELDB: pf(rdx),
  ELDUC: pf(rdx),
  ELDBC: pf(rdx),
  EMODPR: pf(rcx),
  EMODT: pf(rcx),
  EREMOVE: ok,
  EENTER: pf(rbx),
  ERESUME: pf(rbx),
  EDBGRD: pf(rcx),
  EDBGWR: pf(rcx),
  EINCVIRTCHILD: pf(rbx),
  EDECVIRTCHILD: pf(rbx),
  ESETCONTEXT: pf(rcx),
  ECREATE: done,
  EPA: done,
};

describe('after a loss of the EPC', () => {
  it.each(Object.keys(AFTER))('%s', (leaf) => {
    const suite = SUITES.find(({ table }) => table === leaf);
    if (suite === undefined) throw new Error('no such table');
    const w = createWorld();
    suite.call(w);
    w.hardware.powerCycle();
    const test = { row: 'loss', what: 'EPC contents are gone', outcome: AFTER[leaf] ?? done };
    expectOutcomeOf(suite, test, w, () => run(w));
  });
  // Section 11 lists ERDINFO: 6, with CF as table 5.14 says.
  it('ERDINFO says 6, with CF', () => {
    const w = createWorld();
    w.hardware.powerCycle();
    encls(w, Leaf.ERDINFO, { rbx: mem.rdInfo, rcx: epc(w, at.p) });
    expect(run(w)).toEqual({ kind: 'done' });
    expect(w.registers).toMatchObject({ rax: 6n, flags: { cf: true, zf: false } });
  });
  it('old blobs never load again, even into an enclave that was built anew', () => {
    const w = createWorld();
    evict(w, at.p, 3);
    w.hardware.powerCycle();
    const h = w.hardware;
    expect(h.epa(0, at.va)).toBe(0);
    const source = { basePage: 0x40000, pageCount: 16, ssaFrameSize: 1, attributes: 4 };
    expect(h.ecreate(0, at.secs, source)).toBe(0);
    encls(w, Leaf.ELDU, { rbx: mem.pageInfo, rcx: epc(w, at.free), rdx: epc(w, at.va) + 24n });
    expect(run(w)).toEqual({ kind: 'done' });
    expect(w.registers.rax).toBe(9n);
  });
  it('a thread that was inside is outside, without an exit; stale mappings lead to abort pages then', () => {
    const w = createWorld();
    enter(w);
    w.hardware.powerCycle();
    expect(w.processor.interrupt(0, w.registers)).toBe(false);
    expect(w.processor.access(0, w.registers, lin(off.p), Access.READ)).toMatchObject({ kind: 'done' });
  });
});

describe('machine checks', () => {
  const eremove = (w: World) => encls(w, Leaf.EREMOVE, { rcx: epc(w, at.p) });
  it('disable SGX until the reset', () => {
    const w = createWorld();
    w.processor.machineCheck();
    expect(w.processor.isSgxAvailable).toBe(false);
    eremove(w);
    expect(run(w)).toMatchObject({ vector: 6 });
    w.processor.reset();
    expect(w.processor.isSgxAvailable).toBe(true);
    eremove(w);
    expect(run(w)).toEqual({ kind: 'done' });
    expect(w.hardware.isValid(at.secs)).toBe(false);
  });
  it('use of broken memory is an asynchronous exit, then #MC', () => {
    const w = createWorld();
    enter(w);
    w.hardware.poison(at.p);
    const outcome = w.processor.access(0, w.registers, lin(off.p), Access.READ);
    expect(outcome).toMatchObject({ kind: 'fault', vector: 18, isExit: true });
    expect(w.processor.isSgxAvailable).toBe(false);
  });
  it('on newer servers SGX goes on, but the enclave cannot be entered', () => {
    const w = createWorld({ survivesMachineChecks: true });
    enter(w);
    w.hardware.poison(at.p);
    w.processor.access(0, w.registers, lin(off.p), Access.READ);
    expect(w.processor.isSgxAvailable).toBe(true);
    w.registers.rax = 3n;
    expect(w.processor.enclu(0, w.registers)).toMatchObject({ vector: 13 });
  });
  it('ENCLV and ENCLU are gone too', () => {
    const w = createWorld();
    w.processor.machineCheck();
    enclv(w, Leaf.ESETCONTEXT as LeafId);
    expect(run(w)).toMatchObject({ vector: 6 });
    w.processor.logical(0).cpl = 3;
    expect(w.processor.enclu(0, w.registers)).toMatchObject({ vector: 6 });
  });
});
