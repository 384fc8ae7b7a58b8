import { Access, EpcmCheck } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { at, BASE, furnished, newBlob } from './fixture.js';

/** Operations on two pages P, Q of one enclave and on two processors 1, 2 with a TCS each. */
function machine() {
  const hardware = furnished();
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

describe('traces', () => {
  it('1: an ETRACK is needed even when nobody is inside', () => {
    const m = machine();
    expect([m.block(p), m.ewb(p), m.track(), m.ewb(p)]).toEqual([0, 11, 0, 0]);
  });
  it('2: the processor that was inside has to leave', () => {
    const m = machine();
    expect([m.enter(1), m.block(p), m.ewb(p), m.track(), m.ewb(p), m.aex(1), m.ewb(p)]).toEqual([
      0, 0, 11, 0, 11, 0, 0,
    ]);
  });
  it('3: coming back in the new epoch does not delay the write-back', () => {
    const m = machine();
    expect([m.enter(1), m.block(p), m.track(), m.aex(1), m.resume(1), m.ewb(p)]).toEqual([0, 0, 0, 0, 0, 0]);
  });
  it('4: a cycle must end before the next begins', () => {
    const m = machine();
    expect([m.enter(1), m.track(), m.track(), m.exit(1), m.track()]).toEqual([0, 0, 17, 0, 0]);
  });
  it('5: a page blocked after the ETRACK needs another', () => {
    const m = machine();
    expect([m.enter(1), m.track(), m.block(p), m.exit(1), m.ewb(p), m.track(), m.ewb(p)]).toEqual([
      0, 0, 0, 0, 11, 0, 0,
    ]);
  });
  it('6: pages of different epochs wait for different processors', () => {
    const m = machine();
    expect([m.enter(1), m.block(p), m.track(), m.enter(2), m.block(q), m.exit(1)]).toEqual([
      0, 0, 0, 0, 0, 0,
    ]);
    expect([m.ewb(p), m.ewb(q), m.track(), m.ewb(q), m.exit(2), m.ewb(q)]).toEqual([0, 11, 0, 11, 0, 0]);
  });
  it('7: one ETRACK serves all pages blocked so far', () => {
    const m = machine();
    expect([m.block(p), m.block(q), m.ewb(p), m.track(), m.ewb(p), m.ewb(q)]).toEqual([0, 0, 11, 0, 0, 0]);
  });
  it('10: EREMOVE waits for processors, not for epochs', () => {
    const m = machine();
    const remove = () => m.hardware.eremove(0, p);
    expect([m.enter(1), remove(), m.exit(1), remove()]).toEqual([0, 14, 0, 0]);
  });
  it('11: no new translation to a blocked page, also not after coming back', () => {
    const m = machine();
    const access = () => m.hardware.check(at.secs, p, BASE + 2, Access.READ);
    expect([m.enter(1), access(), m.block(p), access()]).toEqual([0, EpcmCheck.OK, 0, EpcmCheck.BLOCKED]);
    expect([m.exit(1), m.enter(1), access()]).toEqual([0, 0, EpcmCheck.BLOCKED]);
  });
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
  it('epochs of many enclaves are kept apart', () => {
    const { hardware } = machine();
    for (let page = at.rest; page < 16; page++)
      hardware.ecreate(0, page, { ...hardware.enclave(at.secs), attributes: 4 });
    for (let page = at.rest; page < 16; page++) for (let n = 0; n < page; n++) hardware.etrack(0, page);
    for (let page = at.rest; page < 16; page++) expect(hardware.tracking(page).epoch).toBe(page);
  });
});
