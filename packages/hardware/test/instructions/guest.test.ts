import type { LeafId } from '@epckit/interface';
import { Leaf, SgxConflict } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { Act, Expected, RowCase } from '../rows/suite.js';
import { expectOutcomeOf, gp, prepared, rcx, testName, zf } from '../rows/suite.js';
import { SUITES } from '../rows/suites.js';
import type { World } from '../rows/world.js';
import { at, createWorld, encls, epc, inGuest, linPage, off, run } from '../rows/world.js';

const { EPC_PAGE_EXCEPTION, EPC_PAGE_ERROR, TRACKING_RESOURCE, TRACKING_REFERENCE } = SgxConflict;

/** Another processor has begun a leaf on the operand in RCX (of EWB: its owner for ETRACK). */
const busy =
  (leaf: LeafId): Act =>
  (w) => {
    const page = w.memory.lookup(0, Number(rcx(w) >> 12n))?.page ?? -1;
    expect(w.hardware.acquire(3, leaf, page, -1, -1)).toBe(0);
  };
const tracking: Act = (w) => expect(w.hardware.acquire(3, Leaf.ETRACK, at.secs, -1, -1)).toBe(0);
const incomplete: Act = (w) => {
  expect(w.hardware.eenter(1, at.tcs, linPage(off.tcs))).toBe(0);
  expect(w.hardware.etrack(1, at.secs)).toBe(0);
};

interface ConflictCase {
  readonly leaf: string;
  readonly conflict: Act;
  /** Without the extensions. */
  readonly plain: Expected;
  /** Qualification code with them; null: no exit, the plain outcome. */
  readonly code: number | null;
}
const target = (leaf: string, plain: Expected = gp, code: number = EPC_PAGE_EXCEPTION): ConflictCase => ({
  leaf,
  conflict: busy(leaf === 'EREMOVE' || leaf === 'EWB' || leaf === 'EMODT' ? Leaf.EBLOCK : Leaf.EPA),
  plain,
  code,
});

/** Section 4.4 with the column NR+EXT; rows without an entry there give the plain outcome in a guest too. */
const CASES: readonly ConflictCase[] = [
  ...['ECREATE', 'EADD', 'EAUG', 'EPA', 'EREMOVE', 'ELDB', 'ELDU', 'EWB'].map((leaf) => target(leaf)),
  ...['ELDBC', 'ELDUC', 'EMODT'].map((leaf) => target(leaf, zf(7), EPC_PAGE_ERROR)),
  { leaf: 'ETRACK', conflict: tracking, plain: gp, code: TRACKING_RESOURCE },
  { leaf: 'ETRACKC', conflict: tracking, plain: zf(7), code: TRACKING_RESOURCE },
  { leaf: 'ETRACK', conflict: incomplete, plain: zf(17), code: TRACKING_REFERENCE },
  { leaf: 'ETRACKC', conflict: incomplete, plain: zf(17), code: TRACKING_REFERENCE },
  { leaf: 'EBLOCK', conflict: busy(Leaf.EREMOVE), plain: zf(7), code: null },
  { leaf: 'EBLOCK', conflict: tracking, plain: zf(15), code: null },
  { leaf: 'EWB', conflict: tracking, plain: gp, code: null },
  { leaf: 'ETRACK', conflict: busy(Leaf.EREMOVE), plain: gp, code: null },
  { leaf: 'ETRACKC', conflict: busy(Leaf.EREMOVE), plain: zf(7), code: null },
  { leaf: 'EEXTEND', conflict: busy(Leaf.EREMOVE), plain: gp, code: null },
  { leaf: 'EINIT', conflict: busy(Leaf.EREMOVE), plain: gp, code: null },
  { leaf: 'EMODPR', conflict: busy(Leaf.EREMOVE), plain: gp, code: null },
  { leaf: 'EMODPR', conflict: busy(Leaf.EMODPR), plain: zf(7), code: null },
  { leaf: 'ERDINFO', conflict: busy(Leaf.EREMOVE), plain: zf(7), code: null },
  { leaf: 'EDBGRD', conflict: busy(Leaf.EREMOVE), plain: gp, code: null },
  { leaf: 'EDBGWR', conflict: busy(Leaf.EREMOVE), plain: gp, code: null },
];

const MODES: readonly [string, (w: World) => void, boolean][] = [
  ['natively', () => {}, false],
  [
    'in VMX root operation',
    (w) => Object.assign(w.processor.logical(0), { vmx: 'root', hasEpcExtensions: true }),
    false,
  ],
  ['in a guest without extensions', (w) => Object.assign(w.processor.logical(0), { vmx: 'non-root' }), false],
  ['in a guest with extensions', inGuest, true],
];

describe.each(MODES)('conflicts %s', (_name, mode, isExtended) => {
  it.each(CASES.map((test, index) => ({ ...test, name: `${test.leaf} ${index}` })))('$name', (test) => {
    const suite = SUITES.find(({ table }) => table === test.leaf);
    if (suite === undefined) throw new Error('no such table');
    const w = createWorld();
    mode(w);
    suite.call(w);
    test.conflict(w);
    if (!isExtended || test.code === null) {
      expectOutcomeOf(suite, { row: 'conflict', what: test.leaf, outcome: test.plain }, w, () => run(w));
      return;
    }
    const registers = structuredClone(w.registers);
    expect(run(w)).toEqual(exitOf(w, test.code));
    expect(w.registers).toEqual(registers);
  });
});

/** Codes 2 and 3 name the operand, 0 and 1 the enclave's context. */
function exitOf(w: World, code: number) {
  const isPage = code >= EPC_PAGE_EXCEPTION;
  const page = w.memory.lookup(0, Number(rcx(w) >> 12n))?.page ?? -1;
  return {
    kind: 'exit',
    reason: 71,
    code,
    error: code === EPC_PAGE_ERROR ? 7 : 0,
    linearAddress: isPage ? rcx(w) : 0n,
    physicalAddress: BigInt(isPage ? page : at.secs) * 4096n,
  };
}

/** Every other conflict of the row tables: the guest's column is empty, so the outcome is the plain one. */
const PLAIN = SUITES.flatMap((suite) => {
  const isConflict = ({ what }: RowCase) => /in use|is running|being removed/.test(what);
  const exits = suite.cases.filter(({ outcome }) => outcome.is === 'exit').map(({ row }) => row);
  const cases = suite.cases.filter((test) => isConflict(test) && !exits.includes(test.row));
  return cases.map((test) => ({ suite, test, name: testName(suite, test) }));
});
describe('conflicts without an exit, in a guest with extensions', () => {
  it.each(PLAIN)('$name', ({ suite, test }) => {
    const given: Act = (w) => {
      inGuest(w);
      test.given?.(w);
    };
    const w = prepared(suite, { ...test, given }, true);
    expectOutcomeOf(suite, test, w, () => run(w));
  });
  it('are many', () => {
    expect(PLAIN.length).toBeGreaterThan(40);
  });
});

describe('ENCLAVECONTEXT', () => {
  it('that the host has set comes with the exit', () => {
    const w = createWorld();
    expect(w.hardware.esetcontext(0, at.secs, 0x1234_5000)).toBe(0);
    inGuest(w);
    SUITES.find(({ table }) => table === 'ETRACKC')?.call(w);
    tracking(w);
    expect(run(w)).toMatchObject({
      code: TRACKING_RESOURCE,
      linearAddress: 0n,
      physicalAddress: 0x1234_5000n,
    });
  });
  it('a guest cannot tell virtual children from resident ones', () => {
    const w = createWorld();
    const info = { status: 0, flags: 0, blocked: false, context: 0 };
    w.hardware.eincvirtchild(0, at.secs, at.secs);
    w.hardware.erdinfo(0, at.secs, info);
    expect(info).toMatchObject({ status: 3, context: at.secs * 4096 });
    inGuest(w);
    SUITES.find(({ table }) => table === 'ERDINFO')?.call(w);
    w.registers.rcx = epc(w, at.secs);
    expect(run(w)).toEqual({ kind: 'done' });
    const view = new DataView(w.memory.read(0, w.registers.rbx, 32).buffer);
    expect([view.getBigUint64(0, true), view.getBigUint64(16, true)]).toEqual([1n, 0n]);
  });
});

it('two ETRACKs on a page that is no SECS exit without an ENCLAVECONTEXT', () => {
  const w = createWorld();
  inGuest(w);
  encls(w, Leaf.ETRACK, { rcx: epc(w, at.va) });
  expect(w.hardware.acquire(3, Leaf.ETRACK, at.va, -1, -1)).toBe(0);
  expect(run(w)).toMatchObject({ kind: 'exit', code: TRACKING_RESOURCE, physicalAddress: 0n });
});
