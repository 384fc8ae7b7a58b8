import type { HardwareModel } from '@epckit/hardware';
import { HardwareMisuse, INTEL_LAUNCH_KEY_HASH } from '@epckit/hardware';
import type { InitToken, SecsSource, SigStruct } from '@epckit/interface';
import { Attribute, LeafFault, PageOperand, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import type { OutcomeRow } from './fixture.js';
import { at, empty, expectRefusal, furnished, SOURCE } from './fixture.js';

const { GP, PF } = LeafFault;
const ENCLAVE = 0;
const SIGNER = 'ab'.repeat(32);
const {
  INVALID_SIG_STRUCT,
  INVALID_ATTRIBUTE,
  INVALID_MEASUREMENT,
  INVALID_SIGNATURE,
  INVALID_EINITTOKEN,
  INVALID_CPUSVN,
} = SgxCode;

const simple: OutcomeRow[] = [
  { row: '1 not aligned', when: (h) => h.einit(0, PageOperand.MISALIGNED, {}), result: GP },
  { row: '3 not EPC', when: (h) => h.einit(0, -1, { isWellFormed: false }), result: PF },
  {
    row: '4 malformed, before 6',
    when: (h) => h.einit(0, at.secsB, { isWellFormed: false, isAuthentic: false }),
    result: INVALID_SIG_STRUCT,
  },
  {
    row: '6 forged, before 8',
    when: (h) => h.einit(0, at.rest, { isAuthentic: false }),
    result: INVALID_SIGNATURE,
  },
  { row: '8 free page', when: (h) => h.einit(0, at.rest, {}), result: PF },
  { row: '8 another type', when: (h) => h.einit(0, at.p, { isFamilyIdZero: false }), result: PF },
  {
    row: '9 ISVFAMILYID without KSS, before 10',
    when: (h) => h.einit(0, at.secs, { isFamilyIdZero: false }),
    result: INVALID_SIG_STRUCT,
  },
  { row: '10 initialised, before 11', when: (h) => h.einit(0, at.secs, { measurement: '0' }), result: GP },
  {
    row: '11 measurement',
    when: (h) => h.einit(0, at.secsB, { measurement: '0'.repeat(64), attributeMask: Attribute.MODE64BIT }),
    result: INVALID_MEASUREMENT,
  },
];
describe('einit refuses', () => {
  test.each(simple)('$row', expectRefusal);
});

function created(source: Partial<SecsSource> = {}): HardwareModel {
  const h = empty({ features: { cet: true, kss: true, exinfo: true } });
  expect(h.ecreate(0, ENCLAVE, { ...SOURCE, ...source })).toBe(0);
  return h;
}
const tokenFor = (h: HardwareModel, change: Partial<InitToken> = {}): InitToken => {
  const { attributes } = h.enclave(ENCLAVE);
  return { isValid: true, measurement: h.measurement(ENCLAVE), signer: SIGNER, attributes, ...change };
};

describe('what was signed against what was built (rows 12 to 16)', () => {
  const rows: [row: string, source: Partial<SecsSource>, signature: SigStruct, result: number][] = [
    [
      '12 launch enclave of a signer that is not authorised',
      { attributes: Attribute.MODE64BIT | Attribute.EINITTOKENKEY },
      { signer: SIGNER },
      INVALID_ATTRIBUTE,
    ],
    [
      '12 launch enclave of the authorised signer',
      { attributes: Attribute.MODE64BIT | Attribute.EINITTOKENKEY },
      { signer: INTEL_LAUNCH_KEY_HASH },
      0,
    ],
    ['13 attributes', {}, { attributeMask: Attribute.MODE64BIT }, INVALID_ATTRIBUTE],
    ['13 attributes under the mask', {}, { attributes: Attribute.DEBUG, attributeMask: 0 }, 0],
    ['13 XFRM', { xfrm: 7n, ssaFrameSize: 1 }, { xfrm: 3n, xfrmMask: 4n }, INVALID_ATTRIBUTE],
    ['14 MISCSELECT', { miscSelect: 1 }, { miscSelect: 0, miscMask: 1 }, INVALID_ATTRIBUTE],
    [
      '15 CET_ATTRIBUTES',
      { attributes: Attribute.MODE64BIT | Attribute.CET, cetAttributes: 1 },
      { cetAttributes: 0, cetMask: 1 },
      INVALID_ATTRIBUTE,
    ],
    ['16 no token, signer not authorised', {}, { signer: SIGNER }, INVALID_EINITTOKEN],
    ['16 no token, authorised signer', {}, { signer: INTEL_LAUNCH_KEY_HASH.toUpperCase() }, 0],
  ];
  test.each(rows)('%s', (_row, source, signature, result) => {
    const h = created(source);
    expect(h.einit(0, ENCLAVE, signature)).toBe(result);
    expect(h.enclave(ENCLAVE).attributes & Attribute.INIT).toBe(result === 0 ? 1 : 0);
  });
});

describe('the token (rows 16 to 21)', () => {
  const rows: [row: string, token: Partial<InitToken>, result: number][] = [
    ['accepted', {}, 0],
    ['16 not valid', { isValid: false }, INVALID_EINITTOKEN],
    ['17 reserved bytes', { isWellFormed: false, isCpuSvnKnown: false }, INVALID_EINITTOKEN],
    ['18 CPUSVN', { isCpuSvnKnown: false, isAuthentic: false }, INVALID_CPUSVN],
    ['19 MAC', { isAuthentic: false, measurement: '' }, INVALID_EINITTOKEN],
    ['20 MRENCLAVE', { measurement: '1'.repeat(64), attributes: 0 }, INVALID_MEASUREMENT],
    ['20 MRSIGNER', { signer: '1'.repeat(64) }, INVALID_MEASUREMENT],
    ['21 ATTRIBUTES', { attributes: Attribute.MODE64BIT | Attribute.DEBUG }, INVALID_ATTRIBUTE],
  ];
  test.each(rows)('%s', (_row, change, result) => {
    const h = created();
    expect(h.einit(0, ENCLAVE, { signer: SIGNER }, tokenFor(h, change))).toBe(result);
  });
  it('a launch key hash is 64 digits of either case', () => {
    const h = created();
    for (const hash of ['', 'ab', 'x'.repeat(64)]) {
      expect(() => Object.assign(h.platform, { launchKeyHash: hash })).toThrow(HardwareMisuse);
    }
    h.platform.launchKeyHash = SIGNER.toUpperCase();
    expect(h.einit(0, ENCLAVE, { signer: SIGNER })).toBe(0);
  });
  it('a launch key that was replaced authorises its signer', () => {
    const h = created();
    h.platform.launchKeyHash = SIGNER;
    expect(h.einit(0, ENCLAVE, { signer: SIGNER })).toBe(0);
  });
});

it('an event interrupts it, and it can be repeated (row 5)', () => {
  const h = furnished();
  h.platform.raiseEvents(0, 2);
  const results = [h.einit(0, at.secsB, {}), h.einit(1, at.rest, {}), h.einit(0, at.secsB, {})];
  expect(results).toEqual([SgxCode.UNMASKED_EVENT, PF, SgxCode.UNMASKED_EVENT]);
  expect(h.einit(0, at.secsB, {})).toBe(0);
});

it('an event comes after the layout and before the signature', () => {
  const h = furnished();
  h.platform.raiseEvents(0, 1);
  expect(h.einit(0, at.secsB, { isWellFormed: false })).toBe(INVALID_SIG_STRUCT);
  expect(h.einit(0, at.secsB, { isAuthentic: false })).toBe(SgxCode.UNMASKED_EVENT);
  expect(h.einit(0, at.secsB, { isAuthentic: false })).toBe(INVALID_SIGNATURE);
});

it('stores what the signature says and fixes the measurement', () => {
  const h = created();
  const measurement = h.measurement(ENCLAVE);
  const signature = { measurement, signer: SIGNER, productId: 7, securityVersion: 3 };
  expect(h.einit(0, ENCLAVE, signature, tokenFor(h))).toBe(0);
  expect(h.enclave(ENCLAVE)).toMatchObject({ measurement, signer: SIGNER, productId: 7, securityVersion: 3 });
});
