import { LeafFault } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import type { OutcomeRow } from './fixture.js';
import { at, BASE, evict, expectRefusal, furnished, TCS } from './fixture.js';

const { GP, PF } = LeafFault;
const NEXT = BASE + 1;

type Enter = (hardware: ReturnType<typeof furnished>, tcs: number, linearPage: number) => number;

function rowsFor(enter: Enter, prepare: (hardware: ReturnType<typeof furnished>) => void): OutcomeRow[] {
  return [
    {
      row: '- already inside',
      given: (h) => {
        prepare(h);
        h.eenter(0, at.tcs2, NEXT);
      },
      when: (h) => enter(h, at.tcs, BASE),
      result: GP,
    },
    { row: '2 TCS not EPC', given: prepare, when: (h) => enter(h, -1, BASE), result: PF },
    { row: '5 free page', given: prepare, when: (h) => enter(h, at.rest, BASE), result: PF },
    {
      row: '5 blocked',
      given: (h) => {
        prepare(h);
        h.eblock(0, at.tcs);
      },
      when: (h) => enter(h, at.tcs, BASE),
      result: PF,
    },
    { row: '5 other address', given: prepare, when: (h) => enter(h, at.tcs, NEXT), result: PF },
    { row: '5 not a TCS', given: prepare, when: (h) => enter(h, at.p, BASE + 2), result: PF },
    { row: '5 a SECS', given: prepare, when: (h) => enter(h, at.secs, 0), result: PF },
    {
      row: '8 not initialised',
      given: (h) => h.eadd(0, at.rest, at.secsB, BASE, TCS, 1),
      when: (h) => enter(h, at.rest, BASE),
      result: GP,
    },
    {
      row: '14 TCS in use',
      given: (h) => {
        prepare(h);
        h.eenter(1, at.tcs, BASE);
      },
      when: (h) => enter(h, at.tcs, BASE),
      result: GP,
    },
  ];
}

const eenter = rowsFor(
  (h, tcs, linearPage) => h.eenter(0, tcs, linearPage),
  () => {},
);
const eresume = rowsFor(
  (h, tcs, linearPage) => h.eresume(0, tcs, linearPage),
  (h) => {
    h.eenter(0, at.tcs, BASE);
    h.aex(0);
  },
).concat([{ row: '11 no saved frame', when: (h) => h.eresume(0, at.tcs2, NEXT), result: GP }]);
const eexit: OutcomeRow[] = [{ row: '- outside', when: (h) => h.eexit(0), result: GP }];

describe.each(Object.entries({ eenter, eresume, eexit }))('%s refuses', (_leaf, rows) => {
  test.each(rows)('$row', expectRefusal);
});

describe('entries and exits', () => {
  it('count the processor and name its enclave', () => {
    const hardware = furnished();
    expect(hardware.eenter(2, at.tcs, BASE)).toBe(0);
    expect(hardware.insideOf(2)).toBe(at.secs);
    expect(hardware.tcsOf(2)).toBe(at.tcs);
    expect(hardware.tracking(at.secs)).toMatchObject({ current: 1, previous: 0 });
    expect(hardware.eexit(2)).toBe(0);
    expect(hardware.insideOf(2)).toBe(-1);
    expect(hardware.tracking(at.secs)).toMatchObject({ current: 0, previous: 0 });
  });

  it('AEX outside an enclave does nothing', () => {
    expect(furnished().aex(0)).toBe(false);
  });

  it('nested exceptions use a frame each, and resumes give them back', () => {
    const hardware = furnished();
    for (let frame = 0; frame < 3; frame++) {
      expect(hardware.eenter(0, at.tcs, BASE)).toBe(0);
      expect(hardware.aex(0)).toBe(true);
    }
    for (let frame = 0; frame < 3; frame++) {
      expect(hardware.eresume(0, at.tcs, BASE)).toBe(0);
      expect(hardware.eexit(0)).toBe(0);
    }
    expect(hardware.eresume(0, at.tcs, BASE)).toBe(GP);
  });

  it('runs out of frames', () => {
    const hardware = furnished();
    let frames = 0;
    for (; frames < 10_000 && hardware.eenter(0, at.tcs, BASE) === 0; frames++) hardware.aex(0);
    expect(frames).toBe(4096);
    expect(hardware.eenter(0, at.tcs, BASE)).toBe(GP);
    expect(hardware.eresume(0, at.tcs, BASE)).toBe(0);
  });

  it('a thread that was thrown out resumes after its TCS was evicted and reloaded', () => {
    const hardware = furnished();
    hardware.eenter(0, at.tcs, BASE);
    hardware.aex(0);
    const out = evict(hardware, at.tcs, 0);
    expect(hardware.eresume(0, at.tcs, BASE)).toBe(PF);
    expect(hardware.eldu(0, at.rest, at.secs, at.va, 0, out)).toBe(0);
    expect(hardware.eresume(0, at.rest, BASE)).toBe(0);
  });

  it('without TCS state, a TCS may be shared and resumed at any time', () => {
    const hardware = furnished({ tcsState: false });
    expect(hardware.eresume(0, at.tcs, BASE)).toBe(0);
    expect(hardware.eenter(1, at.tcs, BASE)).toBe(0);
    expect(hardware.aex(0)).toBe(true);
    expect(hardware.tracking(at.secs)).toMatchObject({ current: 1, previous: 0 });
  });
});
