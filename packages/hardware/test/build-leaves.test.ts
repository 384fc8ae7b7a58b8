import { Attribute, LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import type { OutcomeRow } from './fixture.js';
import { at, BASE, empty, expectRefusal, furnished, REG_RW, SOURCE, TCS } from './fixture.js';

const { GP, PF } = LeafFault;
const W_ONLY = SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);

const ecreate: OutcomeRow[] = [
  { row: '3 target not EPC', when: (h) => h.ecreate(0, at.outside, SOURCE), result: PF },
  { row: '3 target below the EPC', when: (h) => h.ecreate(0, -1, SOURCE), result: PF },
  { row: '8 target valid', when: (h) => h.ecreate(0, at.p, SOURCE), result: PF },
  { row: '8 before 16', when: (h) => h.ecreate(0, at.p, { ...SOURCE, pageCount: 1 }), result: PF },
  { row: '13 no SSA frame', when: (h) => h.ecreate(0, at.rest, { ...SOURCE, ssaFrameSize: 0 }), result: GP },
  {
    row: '14 base not canonical',
    when: (h) => h.ecreate(0, at.rest, { ...SOURCE, basePage: 2 ** 35 }),
    result: GP,
  },
  {
    row: '14 base above 4 GiB without MODE64BIT',
    when: (h) => h.ecreate(0, at.rest, { ...SOURCE, basePage: 2 ** 20, attributes: 0 }),
    result: GP,
  },
  { row: '16 one page', when: (h) => h.ecreate(0, at.rest, { ...SOURCE, pageCount: 1 }), result: GP },
  {
    row: '16 not a power of two',
    when: (h) => h.ecreate(0, at.rest, { ...SOURCE, basePage: 0, pageCount: 12 }),
    result: GP,
  },
  {
    row: '17 base not a multiple of size',
    when: (h) => h.ecreate(0, at.rest, { ...SOURCE, basePage: BASE + 1 }),
    result: GP,
  },
  {
    row: '18 INIT set in the source',
    when: (h) => h.ecreate(0, at.rest, { ...SOURCE, attributes: Attribute.MODE64BIT | Attribute.INIT }),
    result: GP,
  },
  {
    row: '18 unknown attribute',
    when: (h) => h.ecreate(0, at.rest, { ...SOURCE, attributes: Attribute.MODE64BIT | 0x1000 }),
    result: GP,
  },
];

const eadd: OutcomeRow[] = [
  { row: '3 target not EPC', when: (h) => h.eadd(0, -1, at.secsB, BASE, REG_RW, 1), result: PF },
  { row: '5 SECS not EPC', when: (h) => h.eadd(0, at.rest, -1, BASE, REG_RW, 1), result: PF },
  { row: '5 before 6', when: (h) => h.eadd(0, at.rest, -1, BASE, 0x40, 1), result: PF },
  {
    row: '6 reserved SECINFO bit',
    when: (h) => h.eadd(0, at.rest, at.secsB, BASE, REG_RW | 0x40, 1),
    result: GP,
  },
  {
    row: '6 PENDING in SECINFO',
    when: (h) => h.eadd(0, at.rest, at.secsB, BASE, REG_RW | SecInfo.PENDING, 1),
    result: GP,
  },
  {
    row: '6 type SECS',
    when: (h) => h.eadd(0, at.rest, at.secsB, BASE, PageType.SECS << SecInfo.TYPE_SHIFT, 1),
    result: GP,
  },
  { row: '6 before 9', when: (h) => h.eadd(0, at.p, at.secsB, BASE, 0x40, 1), result: GP },
  { row: '9 target valid', when: (h) => h.eadd(0, at.p, at.secsB, BASE, REG_RW, 1), result: PF },
  { row: '11 SECS free', when: (h) => h.eadd(0, at.rest, at.rest + 1, BASE, REG_RW, 1), result: PF },
  { row: '11 SECS of another type', when: (h) => h.eadd(0, at.rest, at.va, BASE, REG_RW, 1), result: PF },
  { row: '12b W without R', when: (h) => h.eadd(0, at.rest, at.secsB, BASE, W_ONLY, 1), result: GP },
  { row: '13 below ELRANGE', when: (h) => h.eadd(0, at.rest, at.secsB, BASE - 1, REG_RW, 1), result: GP },
  { row: '13 above ELRANGE', when: (h) => h.eadd(0, at.rest, at.secsB, BASE + 16, REG_RW, 1), result: GP },
  { row: '15 INIT', when: (h) => h.eadd(0, at.rest, at.secs, BASE + 5, REG_RW, 1), result: GP },
];

const eextend: OutcomeRow[] = [
  { row: '2 SECS not EPC', when: (h) => h.eextend(0, at.pB, -1, 0), result: PF },
  { row: '3 chunk not aligned', when: (h) => h.eextend(0, at.pB, at.secsB, 0.5), result: GP },
  { row: '3 chunk outside the page', when: (h) => h.eextend(0, -1, at.secsB, 16), result: GP },
  { row: '4 page not EPC', when: (h) => h.eextend(0, at.outside, at.secsB, 0), result: PF },
  { row: '6 page free', when: (h) => h.eextend(0, at.rest, at.secsB, 0), result: PF },
  { row: '7 page is a VA page', when: (h) => h.eextend(0, at.va, at.secsB, 0), result: PF },
  { row: '8 page of another enclave', when: (h) => h.eextend(0, at.p, at.secsB, 0), result: GP },
  { row: '9 INIT', when: (h) => h.eextend(0, at.p, at.secs, 0), result: GP },
];

const einit: OutcomeRow[] = [
  { row: '3 SECS not EPC', when: (h) => h.einit(0, -1, {}), result: PF },
  { row: '8 free page', when: (h) => h.einit(0, at.rest, {}), result: PF },
  { row: '8 page of another type', when: (h) => h.einit(0, at.p, {}), result: PF },
  { row: '10 already initialised', when: (h) => h.einit(0, at.secs, {}), result: GP },
  { row: '10 before 11', when: (h) => h.einit(0, at.secs, { measurement: '00'.repeat(32) }), result: GP },
  {
    row: '11 other measurement',
    when: (h) => h.einit(0, at.secsB, { measurement: '00'.repeat(32) }),
    result: SgxCode.INVALID_MEASUREMENT,
  },
];

const epa: OutcomeRow[] = [
  { row: '2 target not EPC', when: (h) => h.epa(0, at.outside), result: PF },
  { row: '4 target valid', when: (h) => h.epa(0, at.va), result: PF },
];

describe.each(Object.entries({ ecreate, eadd, eextend, einit, epa }))('%s refuses', (_leaf, rows) => {
  test.each(rows)('$row', expectRefusal);
});

describe('building an enclave', () => {
  it('makes entries with the requested type and rights', () => {
    const hardware = furnished();
    const common = { valid: true, blocked: false };
    expect(hardware.entry(at.secs)).toMatchObject({
      ...common,
      type: PageType.SECS,
      flags: 0,
      linearPage: 0,
    });
    expect(hardware.entry(at.tcs)).toMatchObject({
      ...common,
      type: PageType.TCS,
      secs: at.secs,
      contents: 100,
    });
    expect(hardware.entry(at.p)).toMatchObject({
      ...common,
      type: PageType.REG,
      flags: SecInfo.R | SecInfo.W,
    });
    expect(hardware.entry(at.va)).toMatchObject({ ...common, type: PageType.VA, secs: -1 });
    expect(hardware.entry(at.rest)).toMatchObject({ valid: false, secs: -1, contents: 0 });
  });

  it('takes the rights off a TCS', () => {
    const hardware = furnished();
    expect(hardware.eadd(0, at.rest, at.secsB, BASE, TCS | SecInfo.R | SecInfo.W, 1)).toBe(0);
    expect(hardware.entry(at.rest).flags).toBe(0);
  });

  it('accepts two pages at one address: software has to forbid that', () => {
    const hardware = furnished();
    expect(hardware.eadd(0, at.rest, at.secsB, BASE + 2, REG_RW, 1)).toBe(0);
    expect(hardware.secsChildren(at.secsB)).toBe(2);
  });

  it('accepts bases in the upper half of the address space', () => {
    expect(empty().ecreate(0, 0, { ...SOURCE, basePage: 2 ** 52 - 16 })).toBe(0);
  });

  it('gives every SECS an EID of its own', () => {
    const hardware = furnished();
    const first = hardware.enclave(at.secsB).enclaveId;
    expect(hardware.enclave(at.secs).enclaveId).not.toBe(first);
    hardware.eremove(0, at.pB);
    hardware.eremove(0, at.secsB);
    hardware.ecreate(0, at.secsB, SOURCE);
    expect(hardware.enclave(at.secsB).enclaveId).toBeGreaterThan(first);
  });
});

describe('measurement', () => {
  function build(basePage: number, contents: number, chunks: number): string {
    const hardware = empty();
    hardware.ecreate(0, 0, { ...SOURCE, basePage });
    hardware.eadd(0, 1, 0, basePage + 3, REG_RW, contents);
    for (let chunk = 0; chunk < chunks; chunk++) expect(hardware.eextend(0, 1, 0, chunk)).toBe(0);
    return hardware.measurement(0);
  }

  it('does not depend on the base address', () => {
    expect(build(BASE, 7, 16)).toBe(build(BASE * 16, 7, 16));
    expect(build(BASE, 7, 16)).toMatch(/^[0-9a-f]{64}$/);
  });
  it('depends on measured contents and on how much was measured', () => {
    expect(build(BASE, 7, 16)).not.toBe(build(BASE, 8, 16));
    expect(build(BASE, 7, 16)).not.toBe(build(BASE, 7, 15));
    expect(build(BASE, 7, 0)).toBe(build(BASE, 8, 0));
  });
  it('is what EINIT compares', () => {
    const hardware = furnished();
    const measurement = hardware.measurement(at.secsB).toUpperCase();
    expect(hardware.einit(0, at.secsB, { measurement })).toBe(0);
    expect(hardware.enclave(at.secsB).attributes & Attribute.INIT).toBe(Attribute.INIT);
  });
});
