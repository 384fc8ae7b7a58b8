import type { HardwareModel } from '@epckit/hardware';
import { Attribute, LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import type { OutcomeRow } from './fixture.js';
import { at, BASE, empty, evict, expectRefusal, furnished, REG_RW, SOURCE, TCS } from './fixture.js';

const { GP, PF } = LeafFault;
const ALL_ONES = 2n ** 64n - 1n;
const word = { value: 0n };
const [SECS, THREAD, PAGE, FREE] = [0, 1, 2, 5];
const TRIM = PageType.TRIM << SecInfo.TYPE_SHIFT;

/** An initialised enclave for debugging with a thread and a page. */
function debuggable(options: Parameters<typeof empty>[0] = {}): HardwareModel {
  const h = empty(options);
  h.ecreate(0, SECS, { ...SOURCE, attributes: Attribute.MODE64BIT | Attribute.DEBUG });
  h.eadd(0, THREAD, SECS, BASE, TCS, 5);
  h.eadd(0, PAGE, SECS, BASE + 1, REG_RW, 6);
  expect(h.einit(0, SECS, {})).toBe(0);
  return h;
}

type Access = (h: HardwareModel, page: number, offset: number) => number;
const read: Access = (h, page, offset) => h.edbgrd(0, page, offset, word);
const write: Access = (h, page, offset) => h.edbgwr(0, page, offset, 1n);
const rowsOf = (access: Access): OutcomeRow[] => [
  { row: '1 not aligned', when: (h) => access(h, at.p, 4), result: GP },
  { row: '1 outside the page', when: (h) => access(h, at.p, 4096), result: GP },
  { row: '1 before 2', when: (h) => access(h, -1, 4), result: GP },
  { row: '2 not EPC', when: (h) => access(h, -1, 0), result: PF },
  { row: '4 free page', when: (h) => access(h, at.rest, 0), result: PF },
  { row: '5 SECS', when: (h) => access(h, at.secs, 0), result: PF },
  {
    row: '5 before 6: MODIFIED TRIM',
    given: (h) => h.emodt(0, at.p, TRIM),
    when: (h) => access(h, at.p, 0),
    result: PF,
  },
  {
    row: '6 PENDING, before 8',
    given: (h) => h.eaug(0, at.rest, at.secs, BASE + 9, 0),
    when: (h) => access(h, at.rest, 0),
    result: SgxCode.PAGE_NOT_DEBUGGABLE,
  },
  {
    row: '6 MODIFIED TCS, before 7',
    given: (h) => h.emodt(0, at.p, TCS),
    when: (h) => access(h, at.p, 4088),
    result: SgxCode.PAGE_NOT_DEBUGGABLE,
  },
  { row: '8 enclave not for debugging', when: (h) => access(h, at.p, 0), result: GP },
];

describe.each(Object.entries({ edbgrd: read, edbgwr: write }))('%s refuses', (_leaf, access) => {
  test.each(rowsOf(access))('$row', expectRefusal);
});
describe('edbgwr refuses', () => {
  test.each<OutcomeRow>([{ row: '5 VA page', when: (h) => write(h, at.va, 0), result: PF }])(
    '$row',
    expectRefusal,
  );
});

describe('TCS (row 7)', () => {
  it('EDBGRD reads its architectural part', () => {
    const h = debuggable();
    expect([read(h, THREAD, 64), read(h, THREAD, 72)]).toEqual([0, GP]);
    const wide = debuggable({ features: { cet: true } });
    expect([read(wide, THREAD, 80), read(wide, THREAD, 88)]).toEqual([0, GP]);
  });
  it('EDBGWR writes its flags only', () => {
    const h = debuggable();
    expect([write(h, THREAD, 0), write(h, THREAD, 16), write(h, THREAD, 8)]).toEqual([GP, GP, 0]);
  });
  it('EDBGRD sees STATE', () => {
    const h = debuggable();
    const state = () => [read(h, THREAD, 0), word.value];
    h.eenter(1, THREAD, BASE);
    expect(state()).toEqual([0, 1n]);
    h.eexit(1);
    expect(state()).toEqual([0, 0n]);
  });
});

describe('a debugger', () => {
  it('reads what it wrote, also after the page was evicted, and no other page changes', () => {
    const h = debuggable();
    h.epa(0, FREE);
    expect(h.edbgwr(0, PAGE, 4088, ALL_ONES)).toBe(0);
    const blob = evict(h, PAGE, 0, FREE);
    expect(h.eldu(0, PAGE, SECS, FREE, 0, blob)).toBe(0);
    expect([read(h, PAGE, 4088), word.value]).toEqual([0, ALL_ONES]);
    expect([read(h, PAGE, 0), word.value]).toEqual([0, 6n]);
  });
  it('keeps 64 bits of a value', () => {
    const h = debuggable();
    h.edbgwr(0, PAGE, 0, 2n ** 64n + 3n);
    expect([read(h, PAGE, 0), word.value]).toEqual([0, 3n]);
    h.edbgwr(0, PAGE, 0, -1n);
    expect([read(h, PAGE, 0), word.value]).toEqual([0, ALL_ONES]);
  });
  it('does not mind BLOCKED, PR and missing rights', () => {
    const h = debuggable();
    h.emodpr(0, PAGE, 0);
    h.eblock(0, PAGE);
    expect([read(h, PAGE, 0), write(h, PAGE, 0)]).toEqual([0, 0]);
  });
  it('sees of a VA page only which slots are occupied, and needs no DEBUG for that', () => {
    const h = furnished();
    evict(h, at.p, 511);
    expect([read(h, at.va, 511 * 8), word.value]).toEqual([0, ALL_ONES]);
    expect([read(h, at.va, 510 * 8), word.value]).toEqual([0, 0n]);
  });
  it('a refused read leaves the word alone', () => {
    const h = furnished();
    word.value = 77n;
    expect([read(h, at.p, 0), word.value]).toEqual([GP, 77n]);
  });
  it('shows in the measurement of an enclave that is still being built', () => {
    const h = empty();
    h.ecreate(0, SECS, { ...SOURCE, attributes: Attribute.MODE64BIT | Attribute.DEBUG });
    h.eadd(0, PAGE, SECS, BASE, REG_RW, 6);
    h.edbgwr(0, PAGE, 256, 1n);
    h.eextend(0, PAGE, SECS, 1);
    const changed = h.measurement(SECS);
    const other = empty();
    other.ecreate(0, SECS, { ...SOURCE, attributes: Attribute.MODE64BIT | Attribute.DEBUG });
    other.eadd(0, PAGE, SECS, BASE, REG_RW, 6);
    other.eextend(0, PAGE, SECS, 1);
    expect(changed).not.toBe(other.measurement(SECS));
  });
});
