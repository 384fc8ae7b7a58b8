import type { HardwareModel } from '@epckit/hardware';
import { checkEpcm } from '@epckit/hardware';
import type { EpcmEntry } from '@epckit/interface';
import { PageType, SecInfo } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import { at, BASE, evict, furnished, REG_RW } from './fixture.js';

/** Hardware of which some members read differently. */
function forged(hardware: HardwareModel, members: Partial<HardwareModel>): HardwareModel {
  return new Proxy(hardware, {
    get(target, key) {
      if (key in members) return Reflect.get(members, key);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

/** Furnished hardware of which one entry reads differently. */
function broken(page: number, change: Partial<EpcmEntry>): HardwareModel {
  const hardware = furnished();
  const entry = (asked: number) => ({ ...hardware.entry(asked), ...(asked === page ? change : {}) });
  return forged(hardware, { entry });
}

const rulesOf = (hardware: HardwareModel) => checkEpcm(hardware).map(({ rule }) => rule);

const { p, q, tcs, secs, secsB, va, va2 } = at;
const cases: [rule: string, page: number, change: Partial<EpcmEntry>][] = [
  ['I1', p, { secs: at.rest }],
  ['I1', p, { secs: at.q }],
  ['I2', p, { secs: at.secsB }],
  ['I3', p, { linearPage: BASE + 16 }],
  ['I3', p, { linearPage: BASE - 1 }],
  ['I3', p, { linearPage: BASE + 0.5 }],
  ['I4', p, { flags: SecInfo.W }],
  ['I5', p, { flags: SecInfo.R | SecInfo.MODIFIED }],
  ['I5', tcs, { flags: SecInfo.PENDING }],
  ['I5', tcs, { flags: SecInfo.PENDING | SecInfo.MODIFIED }],
  ['I6', secs, { blocked: true }],
  ['I6', va, { flags: SecInfo.R }],
  ['I7', tcs, { flags: SecInfo.R }],
  ['I7', p, { type: PageType.TRIM, flags: SecInfo.X }],
];
test.each(cases)('%s is seen at page %i with %o', (rule, page, change) => {
  const rules = checkEpcm(broken(page, change)).map((violation) => violation.rule);
  expect(rules).toContain(rule);
});

it('finds nothing in a healthy EPC', () => {
  expect(checkEpcm(furnished())).toEqual([]);
});

it('says where and what', () => {
  expect(checkEpcm(broken(p, { linearPage: 5 }))).toEqual([
    { rule: 'I3', page: p, message: 'address 5 is outside ELRANGE' },
  ]);
});

it('I8 is a permission: two pages at one linear page are accepted', () => {
  const hardware = furnished();
  expect(hardware.eadd(0, at.rest, secsB, BASE + 2, REG_RW, 1)).toBe(0);
  expect(hardware.eaug(0, at.rest + 1, secs, BASE + 2, 0)).toBe(0);
  expect(hardware.entry(at.rest).linearPage).toBe(hardware.entry(at.pB).linearPage);
  expect(checkEpcm(hardware)).toEqual([]);
});

it('I9 is seen: a page left while a processor had it', () => {
  const staleTranslations = [{ cpu: 2, page: p, holds: 'TCS' as const }];
  expect(checkEpcm(forged(furnished(), { staleTranslations }))).toEqual([
    { rule: 'I9', page: p, message: 'left while cpu 2 had it as TCS' },
  ]);
});

describe('I10', () => {
  it('is seen for two SECS with one EID', () => {
    const hardware = furnished();
    const enclave = () => hardware.enclave(secs);
    expect(rulesOf(forged(hardware, { enclave }))).toEqual(['I10']);
  });
  it('is seen for an EID that was never given out', () => {
    expect(rulesOf(forged(furnished(), { lastEnclaveId: 1 }))).toEqual(['I10']);
    const hardware = furnished();
    const enclave = (page: number) => ({ ...hardware.enclave(page), enclaveId: page === secs ? 0 : 2 });
    expect(rulesOf(forged(hardware, { enclave }))).toEqual(['I10']);
  });
  it('is seen for one version in two slots, in one VA page or in two', () => {
    const hardware = furnished();
    evict(hardware, p, 3);
    const twice = (page: number, slot: number) => hardware.versionIn(page, slot === 2 ? 3 : slot);
    expect(rulesOf(forged(hardware, { versionIn: twice }))).toEqual(['I10']);
    const copied = (_page: number, slot: number) => hardware.versionIn(va, slot);
    expect(rulesOf(forged(hardware, { versionIn: copied }))).toEqual(['I10']);
    expect(hardware.occupiedSlots(va2)).toBe(0);
  });
  it('is seen for a version that was never given out', () => {
    const hardware = furnished();
    evict(hardware, p, 3);
    evict(hardware, q, 4);
    expect(rulesOf(forged(hardware, { lastVersion: hardware.lastVersion - 8 }))).toEqual(['I10']);
    const negative = (page: number, slot: number) => -hardware.versionIn(page, slot);
    expect(rulesOf(forged(hardware, { versionIn: negative }))).toEqual(['I10', 'I10']);
  });
  it('holds over evictions and a loss of power', () => {
    const hardware = furnished();
    evict(hardware, p, 3);
    expect(checkEpcm(hardware)).toEqual([]);
    const { lastVersion, lastEnclaveId } = hardware;
    hardware.powerCycle();
    expect(hardware).toMatchObject({ lastVersion, lastEnclaveId });
  });
});

it('counts children by what is there (I2), also too many', () => {
  const hardware = furnished();
  const secsChildren = (page: number) => hardware.secsChildren(page) + (page === secs ? 1 : 0);
  expect(rulesOf(forged(hardware, { secsChildren }))).toEqual(['I2']);
});
