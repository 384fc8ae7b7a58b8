import { EpcmCheck, LeafFault, PageOperand, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import { Arena, place } from './arena.js';
import type { OutcomeRow } from './fixture.js';
import { at, BASE, empty, expectRefusal, furnished, REG_RW, SOURCE, TCS } from './fixture.js';

const { GP, PF } = LeafFault;
const { R, W, X, PENDING, MODIFIED, PR } = SecInfo;
const typed = (type: number, flags = 0): number => flags | (type << SecInfo.TYPE_SHIFT);
const TRIM = typed(PageType.TRIM);
const SS_FIRST = typed(PageType.SS_FIRST, R | W);
const SS_REST = typed(PageType.SS_REST, R | W);
const LINEAR = BASE + 10;

const pending = (h: ReturnType<typeof furnished>): number => h.eaug(0, at.rest, at.secs, LINEAR, 0);
const eaug: OutcomeRow[] = [
  {
    row: '2 target not aligned',
    when: (h) => h.eaug(0, PageOperand.MISALIGNED, at.secs, LINEAR, 0),
    result: GP,
  },
  { row: '3 target not EPC', when: (h) => h.eaug(0, -1, at.secs, LINEAR, 0), result: PF },
  { row: '3 before 5', when: (h) => h.eaug(0, -1, at.secs, LINEAR + 0.5, 0), result: PF },
  { row: '5 LINADDR not aligned', when: (h) => h.eaug(0, at.rest, at.secs, LINEAR + 0.5, 0), result: GP },
  { row: '5 before 7', when: (h) => h.eaug(0, at.rest, -1, LINEAR + 0.5, 0), result: GP },
  { row: '7 SECS not EPC', when: (h) => h.eaug(0, at.rest, -1, LINEAR, 0), result: PF },
  { row: '9 target valid', when: (h) => h.eaug(0, at.p, at.secs, LINEAR, 0), result: PF },
  { row: '9 before 10', when: (h) => h.eaug(0, at.p, at.secs, LINEAR, REG_RW), result: PF },
  { row: '10 SECINFO of a REG page', when: (h) => h.eaug(0, at.rest, at.secs, LINEAR, REG_RW), result: GP },
  {
    row: '10 shadow stack without CET',
    when: (h) => h.eaug(0, at.rest, at.secs, LINEAR, SS_REST),
    result: GP,
  },
  { row: '10 before 13', when: (h) => h.eaug(0, at.rest, at.p, LINEAR, REG_RW), result: GP },
  { row: '13 SECS free', when: (h) => h.eaug(0, at.rest, at.rest + 1, LINEAR, 0), result: PF },
  { row: '13 SECS of another type', when: (h) => h.eaug(0, at.rest, at.p, LINEAR, 0), result: PF },
  { row: '14 not initialised', when: (h) => h.eaug(0, at.rest, at.secsB, LINEAR, 0), result: GP },
  { row: '15 below ELRANGE', when: (h) => h.eaug(0, at.rest, at.secs, BASE - 1, 0), result: GP },
  { row: '15 above ELRANGE', when: (h) => h.eaug(0, at.rest, at.secs, BASE + 16, 0), result: GP },
];
const emodpr: OutcomeRow[] = [
  { row: '2 page not aligned', when: (h) => h.emodpr(0, PageOperand.MISALIGNED, R), result: GP },
  { row: '3 page not EPC', when: (h) => h.emodpr(0, -1, W), result: PF },
  { row: '4 W without R', when: (h) => h.emodpr(0, at.rest, W), result: GP },
  { row: '4 PENDING, MODIFIED or PR in SECINFO', when: (h) => h.emodpr(0, at.p, R | PR), result: GP },
  { row: '4 reserved bits', when: (h) => h.emodpr(0, at.p, R | 0x40), result: GP },
  { row: '6 free page', when: (h) => h.emodpr(0, at.rest, R), result: PF },
  {
    row: '8 PENDING',
    given: pending,
    when: (h) => h.emodpr(0, at.rest, R),
    result: SgxCode.PAGE_NOT_MODIFIABLE,
  },
  {
    row: '8 before 9: MODIFIED TCS',
    given: (h) => h.emodt(0, at.p, TCS),
    when: (h) => h.emodpr(0, at.p, R),
    result: SgxCode.PAGE_NOT_MODIFIABLE,
  },
  { row: '9 TCS', when: (h) => h.emodpr(0, at.tcs, R), result: PF },
  { row: '9 SECS', when: (h) => h.emodpr(0, at.secs, R), result: PF },
  { row: '9 VA', when: (h) => h.emodpr(0, at.va, R), result: PF },
  { row: '10 not initialised', when: (h) => h.emodpr(0, at.pB, R), result: GP },
];
const emodt: OutcomeRow[] = [
  { row: '3 page not EPC', when: (h) => h.emodt(0, -1, REG_RW), result: PF },
  { row: '4 type', when: (h) => h.emodt(0, at.rest, typed(PageType.REG)), result: GP },
  { row: '4 PENDING in SECINFO', when: (h) => h.emodt(0, at.p, TRIM | PENDING), result: GP },
  { row: '6 free page', when: (h) => h.emodt(0, at.rest, TRIM), result: PF },
  { row: '8 TCS to TCS', when: (h) => h.emodt(0, at.tcs, TCS), result: PF },
  { row: '8 SECS', when: (h) => h.emodt(0, at.secs, TRIM), result: PF },
  { row: '8 VA', when: (h) => h.emodt(0, at.va, TRIM), result: PF },
  {
    row: '8 before 9: MODIFIED TCS to TCS',
    given: (h) => h.emodt(0, at.p, TCS),
    when: (h) => h.emodt(0, at.p, TCS),
    result: PF,
  },
  {
    row: '9 MODIFIED TCS to TRIM',
    given: (h) => h.emodt(0, at.p, TCS),
    when: (h) => h.emodt(0, at.p, TRIM),
    result: SgxCode.PAGE_NOT_MODIFIABLE,
  },
  {
    row: '9 PENDING',
    given: pending,
    when: (h) => h.emodt(0, at.rest, TCS),
    result: SgxCode.PAGE_NOT_MODIFIABLE,
  },
  { row: '10 not initialised', when: (h) => h.emodt(0, at.pB, TRIM), result: GP },
];
const eadd: OutcomeRow[] = [
  {
    row: '4 LINADDR not aligned',
    when: (h) => h.eadd(0, at.rest, at.secsB, BASE + 0.5, REG_RW, 1),
    result: GP,
  },
  { row: '3 before 4', when: (h) => h.eadd(0, -1, at.secsB, BASE + 0.5, REG_RW, 1), result: PF },
  { row: '4 before 5', when: (h) => h.eadd(0, at.rest, -1, BASE + 0.5, REG_RW, 1), result: GP },
];
describe.each(Object.entries({ eaug, emodpr, emodt, eadd }))('%s refuses', (_leaf, rows) => {
  test.each(rows)('$row', expectRefusal);
});

/** Columns: EMODPR, EMODT to TCS, to TRIM, EACCEPT, EACCEPTCOPY, EMODPE, EREMOVE with and without a processor inside. */
type MatrixRow = readonly [
  state: string,
  page: number,
  request: number,
  access: number,
  ...results: number[],
];
const { p, q, new1, restricted, tcs1, trimmed, blocked1 } = place;
const NOT_MODIFIABLE = SgxCode.PAGE_NOT_MODIFIABLE;
const MISMATCH = SgxCode.PAGE_ATTRIBUTES_MISMATCH;
const matrix: MatrixRow[] = [
  ['REG', p, REG_RW | PENDING, EpcmCheck.OK, 0, 0, 0, MISMATCH, MISMATCH, 0, 14, 0],
  ['REG, PR request', p, REG_RW | PR, EpcmCheck.OK, 0, 0, 0, 0, MISMATCH, 0, 14, 0],
  [
    ...(['REG PENDING', new1, REG_RW | PENDING, EpcmCheck.PENDING] as const),
    ...[NOT_MODIFIABLE, NOT_MODIFIABLE, NOT_MODIFIABLE, 0, 0, PF, 14, 0],
  ],
  ['REG PR, tracked', restricted, typed(PageType.REG, R | PR), EpcmCheck.OK, 0, 0, 0, 0, MISMATCH, 0, 14, 0],
  ['TCS', tcs1, TCS | MODIFIED, EpcmCheck.TYPE, PF, PF, 0, MISMATCH, MISMATCH, PF, 14, 0],
  ['TRIM accepted', trimmed, TRIM | MODIFIED, EpcmCheck.TYPE, PF, PF, PF, MISMATCH, MISMATCH, PF, 0, 0],
  ['REG BLOCKED', blocked1, REG_RW | PR, EpcmCheck.BLOCKED, 0, 0, 0, PF, MISMATCH, PF, 14, 0],
];
const changed: readonly (readonly [string, number, ...number[]])[] = [
  ['TCS MODIFIED', TCS, NOT_MODIFIABLE, PF, NOT_MODIFIABLE, 11, MISMATCH, PF, 14, 0],
  ['TRIM MODIFIED', TRIM, NOT_MODIFIABLE, PF, PF, 11, MISMATCH, PF, 14, 0],
];

describe('which change is legal in which state', () => {
  const linear = (page: number) => BASE + page;
  const tryAll = (page: number, request: number, prepare: (arena: Arena) => void): number[] => {
    const on = (act: (arena: Arena) => number): number => {
      const arena = new Arena();
      prepare(arena);
      return act(arena);
    };
    return [
      on(({ hardware }) => hardware.emodpr(0, page, R)),
      on(({ hardware }) => hardware.emodt(0, page, TCS)),
      on(({ hardware }) => hardware.emodt(0, page, TRIM)),
      on(({ hardware }) => hardware.eaccept(2, page, linear(page), request)),
      on(({ hardware }) => hardware.eacceptcopy(2, page, linear(page), p, linear(p), REG_RW)),
      on(({ hardware }) => hardware.emodpe(2, page, linear(page), R)),
      on(({ hardware }) => hardware.eremove(0, page)),
      on((arena) => {
        for (const cpu of [2, 3]) arena.hardware.aex(cpu);
        return arena.hardware.eremove(0, page);
      }),
    ];
  };
  test.each(matrix.map((row) => [row[0], row] as const))(
    '%s',
    (_state, [, page, request, access, ...results]) => {
      expect(tryAll(page, request, () => {})).toEqual(results);
      const { hardware } = new Arena();
      expect(hardware.check(place.secsA, page, linear(page), 0)).toBe(access);
    },
  );
  test.each(changed.map((row) => [row[0], row] as const))('%s', (_state, [, type, ...results]) => {
    const prepare = ({ hardware }: Arena) => expect(hardware.emodt(0, q, type)).toBe(0);
    expect(tryAll(q, type | MODIFIED, prepare)).toEqual(results);
  });
  it.each([
    ['TCS', TCS],
    ['TRIM', TRIM],
  ] as const)('%s MODIFIED is accepted after an ETRACK, once everybody has left', (_name, type) => {
    const { hardware } = new Arena();
    hardware.emodt(0, q, type);
    hardware.etrack(0, place.secsA);
    expect(hardware.eaccept(2, q, linear(q), type | MODIFIED)).toBe(11);
    for (const cpu of [2, 3]) hardware.aex(cpu);
    expect(hardware.eresume(2, place.inside2, linear(place.inside2))).toBe(0);
    expect(hardware.eaccept(2, q, linear(q), type | MODIFIED)).toBe(0);
    expect(hardware.entry(q)).toMatchObject({ type: type >> 8, flags: 0 });
    if (type === TCS) expect(hardware.eenter(0, q, linear(q))).toBe(0);
  });
});

describe('what they do', () => {
  it('EMODPR ANDs, sets PR also when nothing is taken, ignores the type, and keeps BLOCKED', () => {
    const h = furnished();
    expect(h.emodpr(0, at.p, R | W | X | TRIM)).toBe(0);
    expect(h.entry(at.p)).toMatchObject({ flags: R | W | PR, type: PageType.REG });
    h.eblock(0, at.p);
    expect(h.emodpr(0, at.p, R)).toBe(0);
    expect(h.entry(at.p)).toMatchObject({ flags: R | PR, blocked: true });
  });
  it('EMODT takes every right, and cancels PR', () => {
    const h = furnished();
    h.emodpr(0, at.p, R);
    expect(h.emodt(0, at.p, TRIM | R | W | X)).toBe(0);
    expect(h.entry(at.p)).toMatchObject({ flags: MODIFIED, type: PageType.TRIM, linearPage: BASE + 2 });
  });
  it('EAUG is not measured and counts a child', () => {
    const h = furnished();
    const before = h.measurement(at.secs);
    expect(pending(h)).toBe(0);
    expect(h.measurement(at.secs)).toBe(before);
    expect(h.secsChildren(at.secs)).toBe(5);
  });
  it('all of them are #GP without SGX2', () => {
    const h = empty({ features: { sgx2: false } });
    h.ecreate(0, 0, SOURCE);
    h.einit(0, 0, {});
    const results = [h.eaug(0, 1, 0, BASE, 0), h.emodpr(0, 1, R), h.emodt(0, 1, TRIM)];
    expect([...results, h.eaccept(0, 1, BASE, 0), h.emodpe(0, 1, BASE, 0)]).toEqual(new Array(5).fill(GP));
    expect(h.eacceptcopy(0, 1, BASE, 1, BASE, 0)).toBe(GP);
  });
});

describe('shadow stacks, where CET is enumerated', () => {
  const withCet = () => {
    const h = furnished({ features: { cet: true } });
    return {
      h,
      add: (linearPage: number, secinfo: number) => h.eaug(0, at.rest, at.secs, linearPage, secinfo),
    };
  };
  it('EAUG makes them PENDING, the first with its token', () => {
    const { h, add } = withCet();
    expect(add(LINEAR, SS_FIRST)).toBe(0);
    expect(h.entry(at.rest)).toMatchObject({
      type: PageType.SS_FIRST,
      flags: R | W | PENDING,
      secs: at.secs,
    });
    h.eenter(1, at.tcs, BASE);
    expect(h.eaccept(1, at.rest, LINEAR, SS_FIRST | PENDING)).toBe(0);
    expect(h.entry(at.rest).flags).toBe(R | W);
  });
  it('not with other rights or types, not at the ends of ELRANGE, not with CR4.CET = 0', () => {
    const { h, add } = withCet();
    expect([add(LINEAR, SS_REST | X), add(LINEAR, SS_REST & ~W), add(LINEAR, TCS)]).toEqual([GP, GP, GP]);
    expect([add(BASE, SS_REST), add(BASE + 15, SS_REST)]).toEqual([GP, GP]);
    h.platform.setShadowStacks(0, false);
    expect([add(LINEAR, SS_REST), add(LINEAR, 0)]).toEqual([GP, 0]);
  });
  it('can be trimmed but neither restricted nor made a thread', () => {
    const { h, add } = withCet();
    add(LINEAR, SS_REST);
    h.eenter(1, at.tcs, BASE);
    expect(h.eaccept(1, at.rest, LINEAR, SS_REST | PENDING)).toBe(0);
    expect([h.emodpr(0, at.rest, R), h.emodt(0, at.rest, TCS), h.emodt(0, at.rest, TRIM)]).toEqual([
      PF,
      PF,
      0,
    ]);
  });
});
