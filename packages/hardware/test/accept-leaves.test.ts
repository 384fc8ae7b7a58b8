import { FaultOperand } from '@epckit/hardware';
import { AUGMENTED_SECINFO, LeafFault, PageOperand, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import { Arena, place } from './arena.js';
import { BASE, REG_RW, snapshot, TCS } from './fixture.js';

const { GP, PF } = LeafFault;
const { R, W, X, PENDING, MODIFIED, PR } = SecInfo;
const { p, q, new1, restricted, tcs1, pB, secsA, va1, free1, outside, blocked1, trimmed } = place;
const REG = PageType.REG << SecInfo.TYPE_SHIFT;
const TRIM = PageType.TRIM << SecInfo.TYPE_SHIFT;
const SS = PageType.SS_REST << SecInfo.TYPE_SHIFT;
const MISMATCH = SgxCode.PAGE_ATTRIBUTES_MISMATCH;
const WANTED = AUGMENTED_SECINFO | PENDING;
const linear = (page: number) => BASE + page;

type Row = readonly [row: string, when: (h: Arena['hardware']) => number, result: number];
const eaccept: Row[] = [
  ['4 reserved bits', (h) => h.eaccept(2, new1, linear(new1), WANTED | 0x40), GP],
  ['5 address not aligned', (h) => h.eaccept(2, new1, linear(new1) + 0.5, WANTED), GP],
  ['5 outside ELRANGE', (h) => h.eaccept(2, outside, BASE + 32, WANTED), GP],
  ['6 not EPC', (h) => h.eaccept(2, outside, linear(new1), REG_RW), PF],
  ['6 operand not aligned', (h) => h.eaccept(2, PageOperand.MISALIGNED, linear(new1), WANTED), GP],
  ['7 REG without PENDING or PR', (h) => h.eaccept(2, free1, linear(new1), REG_RW), GP],
  ['7 REG with MODIFIED', (h) => h.eaccept(2, new1, linear(new1), WANTED | MODIFIED), GP],
  ['7 TCS without MODIFIED', (h) => h.eaccept(2, tcs1, linear(tcs1), TCS), GP],
  ['7 TRIM with PR', (h) => h.eaccept(2, trimmed, linear(trimmed), TRIM | MODIFIED | PR), GP],
  ['7 shadow stack without CET', (h) => h.eaccept(2, new1, linear(new1), SS | R | W | PENDING), GP],
  ['7 SECS', (h) => h.eaccept(2, secsA, linear(new1), MODIFIED), GP],
  ['8 free page', (h) => h.eaccept(2, free1, linear(new1), WANTED), PF],
  ['8 blocked', (h) => h.eaccept(2, blocked1, linear(blocked1), REG_RW | PR), PF],
  ['8 SECS page', (h) => h.eaccept(2, secsA, linear(new1), WANTED), PF],
  ['8 VA page', (h) => h.eaccept(2, va1, linear(new1), WANTED), PF],
  ['8 another enclave', (h) => h.eaccept(2, pB, linear(pB), REG_RW | PR), PF],
  ['10 address', (h) => h.eaccept(2, new1, linear(new1) + 1, WANTED), MISMATCH],
  ['10 not PENDING', (h) => h.eaccept(2, p, linear(p), WANTED), MISMATCH],
  ['10 R', (h) => h.eaccept(2, new1, linear(new1), WANTED & ~R), MISMATCH],
  ['10 W', (h) => h.eaccept(2, new1, linear(new1), WANTED & ~W), MISMATCH],
  ['10 X', (h) => h.eaccept(2, new1, linear(new1), WANTED | X), MISMATCH],
  ['10 type', (h) => h.eaccept(2, trimmed, linear(trimmed), TCS | MODIFIED), MISMATCH],
  ['outside an enclave', (h) => h.eaccept(0, new1, linear(new1), WANTED), GP],
];
const emodpe: Row[] = [
  ['1 address not aligned', (h) => h.emodpe(2, p, linear(p) + 0.5, X), GP],
  ['1 outside ELRANGE', (h) => h.emodpe(2, p, BASE + 32, X), GP],
  ['2 not EPC', (h) => h.emodpe(2, outside, linear(p), PENDING), PF],
  ['4 PENDING in SECINFO', (h) => h.emodpe(2, free1, linear(p), X | PENDING), GP],
  ['5 free page', (h) => h.emodpe(2, free1, linear(p), X), PF],
  ['5 PENDING', (h) => h.emodpe(2, new1, linear(new1), X), PF],
  ['5 blocked', (h) => h.emodpe(2, blocked1, linear(blocked1), X), PF],
  ['5 TCS', (h) => h.emodpe(2, tcs1, linear(tcs1), X), PF],
  ['5 another enclave', (h) => h.emodpe(2, pB, linear(pB), X), PF],
  ['7 address', (h) => h.emodpe(2, p, linear(q), X), PF],
  ['7 before 8', (h) => h.emodpe(2, p, linear(q), W), PF],
  ['outside an enclave', (h) => h.emodpe(0, p, linear(p), X), GP],
];
const copy = (
  h: Arena['hardware'],
  page: number,
  at: number,
  source: number,
  from: number,
  secinfo: number = REG_RW,
  cpu = 2,
) => h.eacceptcopy(cpu, page, at, source, from, secinfo);
const eacceptcopy: Row[] = [
  ['1 target not aligned', (h) => copy(h, new1, linear(new1) + 0.5, p, linear(p)), GP],
  ['1 source outside ELRANGE', (h) => copy(h, new1, linear(new1), p, BASE - 1), GP],
  ['2 target not EPC', (h) => copy(h, outside, linear(new1), outside, linear(p)), PF],
  ['2 source not EPC', (h) => copy(h, new1, linear(new1), outside, linear(p), W | REG), PF],
  ['4 W without R', (h) => copy(h, new1, linear(new1), free1, linear(p), W | REG), GP],
  ['4 type', (h) => copy(h, new1, linear(new1), p, linear(p), TRIM | R), GP],
  ['4 PENDING in SECINFO', (h) => copy(h, new1, linear(new1), p, linear(p), REG_RW | PENDING), GP],
  ['5 source free', (h) => copy(h, p, linear(new1), free1, linear(p)), PF],
  ['5 source PENDING', (h) => copy(h, new1, linear(new1), place.new2, linear(place.new2)), PF],
  ['5 source blocked', (h) => copy(h, new1, linear(new1), blocked1, linear(blocked1)), PF],
  ['5 source of another enclave', (h) => copy(h, new1, linear(new1), pB, linear(pB)), PF],
  ['5 source at another address', (h) => copy(h, new1, linear(new1), p, linear(q)), PF],
  ['6 target not PENDING', (h) => copy(h, q, linear(q), p, linear(p)), MISMATCH],
  ['6 target restricted', (h) => copy(h, restricted, linear(restricted), p, linear(p)), MISMATCH],
  ['6 target free', (h) => copy(h, free1, linear(free1), p, linear(p)), MISMATCH],
  ['6 target of another enclave', (h) => copy(h, pB, linear(pB), p, linear(p)), MISMATCH],
  ['8 target at another address', (h) => copy(h, new1, linear(new1) + 1, p, linear(p)), MISMATCH],
  ['outside an enclave', (h) => copy(h, new1, linear(new1), p, linear(p), REG_RW, 0), GP],
];

describe.each(Object.entries({ eaccept, emodpe, eacceptcopy }))('%s refuses', (_leaf, rows) => {
  test.each(rows)('%s', (_row, when, result) => {
    const { hardware } = new Arena();
    const before = snapshot(hardware);
    expect(when(hardware)).toBe(result);
    expect(snapshot(hardware)).toEqual(before);
  });
});

describe('what they do', () => {
  it('EACCEPT clears PENDING, MODIFIED and PR and compares everything but PR', () => {
    const { hardware: h } = new Arena();
    expect(h.eaccept(2, new1, linear(new1), WANTED | PR)).toBe(0);
    expect(h.entry(new1).flags).toBe(R | W);
    expect(h.eaccept(2, restricted, linear(restricted), REG | R | PR)).toBe(0);
    expect(h.entry(restricted).flags).toBe(R);
  });
  it('EACCEPT admits a new thread', () => {
    const { hardware: h } = new Arena();
    h.emodt(0, q, TCS);
    h.etrack(0, secsA);
    for (const cpu of [2, 3]) h.aex(cpu);
    expect(h.eenter(0, place.inside2, linear(place.inside2))).toBe(0);
    expect(h.eaccept(0, q, linear(q), TCS | MODIFIED)).toBe(0);
  });
  it('EMODPE ORs, keeps PR, and EACCEPT must name the wider rights then', () => {
    const { hardware: h } = new Arena();
    expect(h.emodpe(2, restricted, linear(restricted), X)).toBe(0);
    expect(h.entry(restricted).flags).toBe(R | X | PR);
    expect(h.eaccept(2, restricted, linear(restricted), REG | R | PR)).toBe(MISMATCH);
    expect(h.eaccept(2, restricted, linear(restricted), REG | R | X | PR)).toBe(0);
  });
  it('EMODPE: #GP for W on a page that has no R', () => {
    const { hardware: h } = new Arena();
    h.emodpr(0, q, 0);
    expect(h.emodpe(2, q, linear(q), W)).toBe(GP);
    expect(h.emodpe(2, q, linear(q), R | W)).toBe(0);
  });
  it('EACCEPTCOPY copies, sets exactly the rights asked for, and asks for no ETRACK', () => {
    const { hardware: h } = new Arena();
    h.etrack(0, secsA);
    expect(copy(h, new1, linear(new1), p, linear(p), REG | R | X)).toBe(0);
    expect(h.entry(new1)).toMatchObject({ flags: R | X, contents: h.entry(p).contents });
    expect(copy(h, new1, linear(new1), p, linear(p))).toBe(MISMATCH);
  });
  it('EACCEPTCOPY into a page that is its own source is refused', () => {
    const { hardware: h } = new Arena();
    expect(copy(h, new1, linear(new1), new1, linear(new1))).toBe(PF);
    expect(h.faultOperand).toBe(FaultOperand.SOURCE);
  });
  it('the SECINFO operand must be in a readable page of the enclave', () => {
    const { hardware: h } = new Arena();
    const refuse = (page: number, at = linear(page)) => h.refuseSecinfoPage(2, page, at);
    expect([refuse(p), refuse(restricted)]).toEqual([0, 0]);
    const bad = [outside, free1, new1, blocked1, tcs1, trimmed, pB, secsA, va1];
    expect(bad.map((page) => refuse(page))).toEqual(bad.map(() => PF));
    expect(refuse(p, linear(q))).toBe(PF);
    h.emodpr(0, q, 0);
    expect(refuse(q)).toBe(PF);
  });
});
