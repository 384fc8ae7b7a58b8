import { LeafFault, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import type { OutcomeRow } from './fixture.js';
import { at, BASE, evict, expectRefusal, furnished, newBlob, noSecs, snapshot } from './fixture.js';

const { GP, PF } = LeafFault;
const blob = newBlob();

const eblock: OutcomeRow[] = [
  { row: '2 page not EPC', when: (h) => h.eblock(0, -1), result: PF },
  { row: '4 free page', when: (h) => h.eblock(0, at.rest), result: SgxCode.PG_INVLD },
  { row: '5 SECS', when: (h) => h.eblock(0, at.secs), result: SgxCode.PG_IS_SECS },
  { row: '6 VA page', when: (h) => h.eblock(0, at.va), result: SgxCode.NOTBLOCKABLE },
  {
    row: '8 already blocked',
    given: (h) => h.eblock(0, at.p),
    when: (h) => h.eblock(0, at.p),
    result: SgxCode.BLSTATE,
  },
];

const etrack: OutcomeRow[] = [
  { row: '2 SECS not EPC', when: (h) => h.etrack(0, at.outside), result: PF },
  { row: '4 free page', when: (h) => h.etrack(0, at.rest), result: PF },
  { row: '5 page of another type', when: (h) => h.etrack(0, at.p), result: PF },
  {
    row: '6 previous cycle incomplete',
    given: (h) => {
      h.eenter(1, at.tcs, BASE);
      h.etrack(0, at.secs);
    },
    when: (h) => h.etrack(0, at.secs),
    result: SgxCode.PREV_TRK_INCMPL,
  },
];

const ewb: OutcomeRow[] = [
  { row: '2 page not EPC', when: (h) => h.ewb(0, -1, at.va, 0, blob), result: PF },
  { row: '2 before 3', when: (h) => h.ewb(0, -1, at.va, 0.5, blob), result: PF },
  { row: '3 slot not aligned', when: (h) => h.ewb(0, at.p, at.va, 0.5, blob), result: GP },
  { row: '3 slot outside the page', when: (h) => h.ewb(0, at.p, -1, 512, blob), result: GP },
  { row: '4 VA page not EPC', when: (h) => h.ewb(0, at.p, -1, 0, blob), result: PF },
  { row: '5 VA page into itself', when: (h) => h.ewb(0, at.va, at.va, 0, blob), result: GP },
  { row: '5 before 10', when: (h) => h.ewb(0, at.rest, at.rest, 0, blob), result: GP },
  { row: '10 free page', when: (h) => h.ewb(0, at.rest, at.va, 0, blob), result: PF },
  { row: '11 VA page free', when: (h) => h.ewb(0, at.p, at.rest, 0, blob), result: PF },
  { row: '11 VA page of another type', when: (h) => h.ewb(0, at.p, at.q, 0, blob), result: PF },
  {
    row: '13 not blocked, not tracked',
    when: (h) => h.ewb(0, at.p, at.va, 0, blob),
    result: SgxCode.PAGE_NOT_BLOCKED,
  },
  {
    row: '14 blocked, no ETRACK, nobody inside',
    given: (h) => h.eblock(0, at.p),
    when: (h) => h.ewb(0, at.p, at.va, 0, blob),
    result: SgxCode.NOT_TRACKED,
  },
  {
    row: '14 cycle incomplete',
    given: (h) => {
      h.eenter(1, at.tcs, BASE);
      h.eblock(0, at.p);
      h.etrack(0, at.secs);
    },
    when: (h) => h.ewb(0, at.p, at.va, 0, blob),
    result: SgxCode.NOT_TRACKED,
  },
  {
    row: '15 SECS with children',
    when: (h) => h.ewb(0, at.secs, at.va, 0, blob),
    result: SgxCode.CHILD_PRESENT,
  },
];

const saved = newBlob();
const savedSecs = newBlob();
function savePage(hardware: ReturnType<typeof furnished>): void {
  Object.assign(saved, evict(hardware, at.p, 3));
}
function saveSecs(hardware: ReturnType<typeof furnished>): void {
  hardware.eremove(0, at.pB);
  expect(hardware.ewb(0, at.secsB, at.va, 4, savedSecs)).toBe(0);
}

const eldu: OutcomeRow[] = [
  {
    row: '2 target not EPC',
    given: savePage,
    when: (h) => h.eldu(0, -1, at.secs, at.va, 3, saved),
    result: PF,
  },
  { row: '3 slot', given: savePage, when: (h) => h.eldu(0, at.p, at.secs, at.va, -1, saved), result: GP },
  { row: '4 VA not EPC', given: savePage, when: (h) => h.eldu(0, at.p, at.secs, -1, 3, saved), result: PF },
  {
    row: '8 target valid',
    given: savePage,
    when: (h) => h.eldu(0, at.q, at.secs, at.va, 3, saved),
    result: PF,
  },
  { row: '9 VA free', given: savePage, when: (h) => h.eldu(0, at.p, at.secs, at.rest, 3, saved), result: PF },
  { row: '9 VA type', given: savePage, when: (h) => h.eldu(0, at.p, at.secs, at.q, 3, saved), result: PF },
  {
    row: '11 SECS not EPC',
    given: savePage,
    when: (h) => h.eldu(0, at.p, noSecs, at.va, 3, saved),
    result: PF,
  },
  {
    row: '13 SECS free',
    given: savePage,
    when: (h) => h.eldu(0, at.p, at.rest, at.va, 3, saved),
    result: PF,
  },
  { row: '13 SECS type', given: savePage, when: (h) => h.eldu(0, at.p, at.q, at.va, 3, saved), result: PF },
  {
    row: '14 SECS operand for a SECS page',
    given: saveSecs,
    when: (h) => h.eldu(0, at.rest, at.secs, at.va, 4, savedSecs),
    result: GP,
  },
  {
    row: '15 empty slot',
    given: savePage,
    when: (h) => h.eldu(0, at.p, at.secs, at.va, 4, saved),
    result: SgxCode.MAC_COMPARE_FAIL,
  },
];

const eremove: OutcomeRow[] = [
  { row: '2 page not EPC', when: (h) => h.eremove(0, at.outside), result: PF },
  { row: '4 free page: success without a change', when: (h) => h.eremove(0, at.rest), result: 0 },
  { row: '7 SECS with children', when: (h) => h.eremove(0, at.secs), result: SgxCode.CHILD_PRESENT },
  {
    row: '10 a processor is inside',
    given: (h) => h.eenter(1, at.tcs, BASE),
    when: (h) => h.eremove(0, at.p),
    result: SgxCode.ENCLAVE_ACT,
  },
  {
    row: '10 a processor is inside, page blocked and tracked',
    given: (h) => {
      h.eblock(0, at.p);
      h.etrack(0, at.secs);
      h.eenter(1, at.tcs, BASE);
    },
    when: (h) => h.eremove(0, at.p),
    result: SgxCode.ENCLAVE_ACT,
  },
];

describe.each(Object.entries({ eblock, etrack, ewb, eldu, eremove }))('%s refuses', (_leaf, rows) => {
  test.each(rows)('$row', expectRefusal);
});

describe('eviction', () => {
  it('EBLOCK blocks and keeps everything else', () => {
    const hardware = furnished();
    const before = hardware.entry(at.p);
    expect(hardware.eblock(0, at.p)).toBe(0);
    expect(hardware.entry(at.p)).toEqual({ ...before, blocked: true });
  });

  it('EWB frees the entry and fills the blob; ELDU restores the entry, not blocked', () => {
    const hardware = furnished();
    const before = hardware.entry(at.p);
    const out = evict(hardware, at.p, 511);
    expect(hardware.isValid(at.p)).toBe(false);
    expect(hardware.secsChildren(at.secs)).toBe(3);
    expect(hardware.occupiedSlots(at.va)).toBe(1);
    expect(out).toMatchObject({ linearPage: BASE + 2, contents: 102 });
    expect(out.enclaveId).toBe(hardware.enclave(at.secs).enclaveId);

    expect(hardware.eldu(0, at.rest, at.secs, at.va, 511, out)).toBe(0);
    expect(hardware.entry(at.rest)).toEqual(before);
    expect(hardware.secsChildren(at.secs)).toBe(4);
    expect(hardware.occupiedSlots(at.va)).toBe(0);
  });

  it('a refused EWB leaves the blob alone', () => {
    const hardware = furnished();
    const out = { ...newBlob(), contents: 77 };
    expect(hardware.ewb(0, at.p, at.va, 0, out)).not.toBe(0);
    expect(out).toEqual({ ...newBlob(), contents: 77 });
  });

  it('EREMOVE frees blocked, running-free children, then the SECS; evicted children do not count', () => {
    const hardware = furnished();
    evict(hardware, at.p, 0);
    for (const page of [at.q, at.tcs, at.tcs2, at.secs]) expect(hardware.eremove(0, page)).toBe(0);
    expect(hardware.isValid(at.secs)).toBe(false);
  });

  it('EREMOVE of a VA page loses its versions', () => {
    const hardware = furnished();
    const out = evict(hardware, at.p, 0);
    expect(hardware.eremove(0, at.va)).toBe(0);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, out)).toBe(PF);
    expect(hardware.epa(0, at.va)).toBe(0);
    expect(hardware.occupiedSlots(at.va)).toBe(0);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, out)).toBe(SgxCode.MAC_COMPARE_FAIL);
  });

  it('counts changes of entries and nothing else', () => {
    const hardware = furnished();
    const { changes } = hardware;
    hardware.etrack(0, at.secs);
    hardware.setContents(at.p, 5);
    hardware.eremove(0, at.rest);
    expect(hardware.changes).toBe(changes);
    hardware.eblock(0, at.p);
    expect(hardware.changes).toBe(changes + 1);
    expect(snapshot(hardware)).toMatchObject({ changes: changes + 1 });
  });
});
