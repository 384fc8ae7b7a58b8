import { Translated } from '@epckit/hardware';
import { Access, ConflictExit, SecInfo } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import { at, BASE, furnished, newBlob, REG_RW, SOURCE } from './fixture.js';

/** Operations on two pages P, Q of one enclave and on two processors 1, 2 with a TCS each. */
function machine() {
  const hardware = furnished({ keepsTlbs: true });
  const tcs = (cpu: number) => (cpu === 1 ? at.tcs : at.tcs2);
  return {
    hardware,
    enter: (cpu: number) => hardware.eenter(cpu, tcs(cpu), BASE + cpu - 1),
    resume: (cpu: number) => hardware.eresume(cpu, tcs(cpu), BASE + cpu - 1),
    exit: (cpu: number) => hardware.eexit(cpu),
    aex: (cpu: number) => (hardware.aex(cpu) ? 0 : -1),
    block: (page: number) => hardware.eblock(0, page),
    track: () => hardware.etrack(0, at.secs),
    ewb: (page: number) => hardware.ewb(0, page, at.va, page, newBlob()),
  };
}
const { p, q } = at;

/** Runs events such as `EBLOCK P` or `L1 enters`; results as in the reference, `-` for an event without a code. */
function play(events: string): string {
  const m = machine();
  const { hardware } = m;
  const mapping = { page: p, rights: SecInfo.R | SecInfo.W };
  const pageOf = (name: string | undefined) => (name === 'Q' ? q : p);
  let accepted = REG_RW | SecInfo.PR;
  const quiet = (result: number): string => (result === 0 ? '-' : `! ${result}`);
  const one = (event: string): string | number => {
    const [who = '', what = ''] = event.split(' ');
    const cpu = Number(who.slice(1));
    if (who === 'EBLOCK') return m.block(pageOf(what));
    if (who === 'EWB') return m.ewb(pageOf(what));
    if (who === 'ETRACK') return m.track();
    if (who === 'EREMOVE') return hardware.eremove(0, pageOf(what));
    if (who === 'EMODPR') return hardware.emodpr(0, p, REG_RW);
    if (who === 'EAUG') {
      accepted = REG_RW | SecInfo.PENDING;
      hardware.eremove(0, p);
      return hardware.eaug(0, p, at.secs, BASE + 2, 0);
    }
    if (what === 'EACCEPT') return hardware.eaccept(cpu, p, BASE + 2, accepted);
    if (what === 'reads') {
      const result = hardware.access(cpu, BASE + 2, mapping, Access.READ);
      return Object.keys(Translated)[result] as string;
    }
    if (what === 'enters') return quiet(m.enter(cpu));
    if (what === 'ERESUME') return quiet(m.resume(cpu));
    return quiet(what === 'AEX' ? m.aex(cpu) : m.exit(cpu));
  };
  return events.split('; ').map(one).join(' ');
}

const traces: [number: number, events: string, results: string][] = [
  [1, 'EBLOCK P; EWB P; ETRACK; EWB P', '0 11 0 0'],
  [2, 'L1 enters; EBLOCK P; EWB P; ETRACK; EWB P; L1 AEX; EWB P', '- 0 11 0 11 - 0'],
  [3, 'L1 enters; EBLOCK P; ETRACK; L1 AEX; L1 ERESUME; EWB P', '- 0 0 - - 0'],
  [4, 'L1 enters; ETRACK; ETRACK; L1 exits; ETRACK', '- 0 17 - 0'],
  [5, 'L1 enters; ETRACK; EBLOCK P; L1 exits; EWB P; ETRACK; EWB P', '- 0 0 - 11 0 0'],
  [
    6,
    'L1 enters; EBLOCK P; ETRACK; L2 enters; EBLOCK Q; L1 exits; EWB P; EWB Q; ETRACK; EWB Q; L2 exits; EWB Q',
    '- 0 0 - 0 - 0 11 0 11 - 0',
  ],
  [7, 'EBLOCK P; EBLOCK Q; EWB P; ETRACK; EWB P; EWB Q', '0 0 11 0 0 0'],
  [
    8,
    'L1 enters; EMODPR P; L1 EACCEPT; L1 exits; L1 enters; L1 EACCEPT; ETRACK; L1 EACCEPT; L1 exits; L1 enters; L1 EACCEPT',
    '- 0 11 - - 11 0 11 - - 0',
  ],
  [9, 'EAUG P; L1 enters; L1 EACCEPT', '0 - 0'],
  [10, 'L1 enters; EREMOVE P; L1 exits; EREMOVE P', '- 14 - 0'],
  [
    11,
    'L1 enters; L1 reads P; EBLOCK P; L1 reads P; L1 exits; L1 enters; L1 reads P',
    '- FILLED 0 HIT - - EPCM_FAULT',
  ],
];
test.each(traces)('trace %i: %s', (_number, events, results) => {
  expect(play(events)).toBe(results);
});

describe('rules', () => {
  it('T1: blocking again does not renew the epoch', () => {
    const m = machine();
    expect([m.block(p), m.track(), m.block(p), m.ewb(p)]).toEqual([0, 0, 3, 0]);
  });
  it('T2: a batch of pages leaves after one ETRACK', () => {
    const m = machine();
    m.block(p);
    m.block(q);
    m.track();
    expect([m.ewb(q), m.ewb(p)]).toEqual([0, 0]);
    expect(m.hardware.tracking(at.secs).epoch).toBe(1);
  });
  it('T3: ETRACK forces nobody out', () => {
    const m = machine();
    m.enter(1);
    m.track();
    expect(m.hardware.insideOf(1)).toBe(at.secs);
    expect(m.hardware.tracking(at.secs)).toMatchObject({ epoch: 1, current: 0, previous: 1 });
  });
  it('T4: processors that enter after the ETRACK are counted apart', () => {
    const m = machine();
    m.enter(1);
    m.track();
    m.enter(2);
    expect(m.hardware.tracking(at.secs)).toMatchObject({ current: 1, previous: 1 });
    m.aex(1);
    expect(m.hardware.tracking(at.secs)).toMatchObject({ current: 1, previous: 0 });
  });
  it('T5: a running cycle covers only pages that were blocked before it', () => {
    const m = machine();
    m.enter(1);
    m.block(p);
    m.track();
    m.block(q);
    expect(m.track()).toBe(17);
    m.aex(1);
    expect([m.ewb(p), m.ewb(q)]).toEqual([0, 11]);
  });
  it('T6: a processor that entered between target list and ETRACK must be hit too', () => {
    const m = machine();
    m.block(p);
    m.enter(1); // after the list of targets was made
    m.track();
    expect(m.ewb(p)).toBe(11);
    m.aex(1);
    expect(m.ewb(p)).toBe(0);
  });
  it('T7: ETRACKC by a host makes the ETRACK of its guest incomplete', () => {
    const m = machine();
    m.enter(1);
    expect([m.hardware.etrackc(0, p), m.track()]).toEqual([0, 17]);
    m.hardware.setExtended(0, true);
    expect([m.track(), m.hardware.etrackc(0, at.secs)]).toEqual([
      ConflictExit.TRACKING_REFERENCE,
      ConflictExit.TRACKING_REFERENCE,
    ]);
    m.aex(1);
    expect(m.track()).toBe(0);
  });
  it('T10: who entered before the ETRACK is refused by EACCEPT until it has left', () => {
    const m = machine();
    const accept = (cpu: number) => m.hardware.eaccept(cpu, p, BASE + 2, REG_RW | SecInfo.PR);
    m.enter(1);
    expect([m.hardware.emodpr(0, p, REG_RW), m.track(), m.enter(2)]).toEqual([0, 0, 0]);
    expect([accept(1), accept(2), accept(1)]).toEqual([11, 11, 11]);
    m.aex(1);
    expect([accept(2), accept(2)]).toEqual([0, 0]);
  });
  it('T8: SECS and VA pages need neither EBLOCK nor ETRACK', () => {
    const { hardware } = machine();
    hardware.eremove(0, at.pB);
    expect(hardware.ewb(0, at.secsB, at.va, 0, newBlob())).toBe(0);
    expect(hardware.ewb(0, at.va2, at.va, 1, newBlob())).toBe(0);
  });
  it('T11: a reloaded page is not tracked by its old epoch', () => {
    const m = machine();
    const blob = newBlob();
    m.block(p);
    m.track();
    m.hardware.ewb(0, p, at.va, 0, blob);
    m.hardware.eldu(0, p, at.secs, at.va, 0, blob);
    expect(m.ewb(p)).toBe(10);
    expect([m.block(p), m.ewb(p)]).toEqual([0, 11]);
  });
  it('T11: a page that arrives blocked needs no ETRACK', () => {
    const m = machine();
    const blob = newBlob();
    m.block(p);
    m.track();
    m.enter(1);
    m.hardware.ewb(0, p, at.va, 0, blob);
    m.hardware.eldb(0, p, at.secs, at.va, 0, blob);
    expect(m.ewb(p)).toBe(0);
  });
  it('epochs of many enclaves are kept apart', () => {
    const { hardware } = machine();
    for (let page = at.rest; page < 16; page++) hardware.ecreate(0, page, SOURCE);
    for (let page = at.rest; page < 16; page++) for (let n = 0; n < page; n++) hardware.etrack(0, page);
    for (let page = at.rest; page < 16; page++) expect(hardware.tracking(page).epoch).toBe(page);
  });
});
