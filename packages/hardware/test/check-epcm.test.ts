import type { HardwareModel } from '@epckit/hardware';
import { checkEpcm } from '@epckit/hardware';
import type { EpcmEntry } from '@epckit/interface';
import { PageType, SecInfo } from '@epckit/interface';
import { expect, it, test } from 'vitest';
import { at, BASE, furnished } from './fixture.js';

/** Furnished hardware of which one entry reads differently. */
function broken(page: number, change: Partial<EpcmEntry>): HardwareModel {
  const hardware = furnished();
  return new Proxy(hardware, {
    get(target, key) {
      if (key === 'entry') {
        return (asked: number) => ({ ...target.entry(asked), ...(asked === page ? change : {}) });
      }
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const { p, tcs, secs, va } = at;
const cases: [rule: string, page: number, change: Partial<EpcmEntry>][] = [
  ['I1', p, { secs: at.rest }],
  ['I1', p, { secs: at.q }],
  ['I2', p, { secs: at.secsB }],
  ['I3', p, { linearPage: BASE + 16 }],
  ['I3', p, { linearPage: BASE - 1 }],
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
