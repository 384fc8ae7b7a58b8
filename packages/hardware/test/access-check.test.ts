import { Access, EpcmCheck } from '@epckit/interface';
import { expect, it, test } from 'vitest';
import { at, BASE, furnished } from './fixture.js';

const { secs, p } = at;
const cases: [name: string, operands: [secs: number, page: number, linearPage: number], result: number][] = [
  ['granted', [secs, p, BASE + 2], EpcmCheck.OK],
  ['not EPC', [secs, -1, BASE + 2], EpcmCheck.INVALID],
  ['free page', [secs, at.rest, BASE + 2], EpcmCheck.INVALID],
  ['TCS', [secs, at.tcs, BASE], EpcmCheck.TYPE],
  ['SECS', [secs, secs, 0], EpcmCheck.TYPE],
  ['VA', [secs, at.va, 0], EpcmCheck.TYPE],
  ['page of another enclave', [at.secsB, p, BASE + 2], EpcmCheck.OWNER],
  ['another address', [secs, p, BASE + 3], EpcmCheck.ADDRESS],
];
test.each(cases)('%s', (_name, [owner, page, linearPage], result) => {
  expect(furnished().check(owner, page, linearPage, Access.READ)).toBe(result);
});

it('asks for the right of the access', () => {
  const hardware = furnished();
  const kinds = [Access.READ, Access.WRITE, Access.EXECUTE];
  expect(kinds.map((kind) => hardware.check(secs, p, BASE + 2, kind))).toEqual([
    EpcmCheck.OK,
    EpcmCheck.OK,
    EpcmCheck.PERMISSION,
  ]);
});

it('BLOCKED comes before type, owner and address', () => {
  const hardware = furnished();
  hardware.eblock(0, p);
  expect(hardware.check(at.secsB, p, 0, Access.EXECUTE)).toBe(EpcmCheck.BLOCKED);
});

it('written contents are what EWB saves', () => {
  const hardware = furnished();
  hardware.setContents(p, 4711);
  expect(hardware.entry(p).contents).toBe(4711);
});
