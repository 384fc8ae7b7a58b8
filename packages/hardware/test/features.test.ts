import { Attribute } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import type { SgxFeatureOptions } from '../src/features.js';
import { FeatureSet, resolveFeatures } from '../src/features.js';

const misuse = expect.objectContaining({ code: 'EPCKIT_HARDWARE_MISUSE' });

describe('what is left out', () => {
  it('is as in OVERSUB', () => {
    expect(resolveFeatures()).toEqual({ ...FeatureSet.OVERSUB, attributeMask: 0x36 });
    expect(resolveFeatures({ sgx2: undefined })).toEqual(resolveFeatures());
  });

  it('has every leaf that an oversubscribing kernel uses, and no optional enclave feature', () => {
    expect(resolveFeatures()).toMatchObject({ sgx2: true, enclv: true, enclsC: true, eupdatesvn: true });
    expect(resolveFeatures()).toMatchObject({ cet: false, exinfo: false, kss: false, aexNotify: false });
  });

  it('comes from another set if that is spread', () => {
    const features = resolveFeatures({ ...FeatureSet.SGX1, launchControl: true });
    expect(features).toEqual({ ...FeatureSet.SGX1, launchControl: true, attributeMask: 0x36 });
  });
});

it('SGX1 raises #GP, all later sets #PF', () => {
  const { SGX1, SGX2, OVERSUB } = FeatureSet;
  expect([SGX1, SGX2, OVERSUB].map((set) => set.epcmFault)).toEqual(['GP', 'PF', 'PF']);
  expect([SGX1, SGX2, OVERSUB].map((set) => set.enclsC)).toEqual([false, false, true]);
});

describe('the allowed attributes', () => {
  const rows: [options: SgxFeatureOptions, mask: number][] = [
    [{}, 0x36],
    [{ cet: true }, 0x76],
    [{ kss: true }, 0xb6],
    [{ aexNotify: true }, 0x436],
    [{ cet: true, kss: true, aexNotify: true }, 0x4f6],
    [{ ...FeatureSet.SGX1, kss: true }, 0xb6],
  ];
  test.each(rows)('of %o are %i', (options, mask) => {
    expect(resolveFeatures(options).attributeMask).toBe(mask);
  });

  it('are kept if given', () => {
    const attributeMask = Attribute.MODE64BIT;
    expect(resolveFeatures({ kss: true, attributeMask }).attributeMask).toBe(attributeMask);
  });

  it('stay as they are when a resolved set is resolved again', () => {
    const features = resolveFeatures({ kss: true, attributeMask: 0x6 });
    expect(resolveFeatures(features)).toEqual(features);
  });
});

describe('a value that CPUID cannot report is refused', () => {
  const rows: [name: string, options: SgxFeatureOptions][] = [
    ['maxSizeLog2Not64', { maxSizeLog2Not64: 256 }],
    ['maxSizeLog2Not64', { maxSizeLog2Not64: -1 }],
    ['maxSizeLog2For64', { maxSizeLog2For64: 36.5 }],
    ['attributeMask', { attributeMask: 0x37 }],
    ['attributeMask', { attributeMask: 2 ** 32 }],
    ['attributeMask', { attributeMask: -2 }],
    ['xfrmMask', { xfrmMask: 1n }],
    ['xfrmMask', { xfrmMask: 3n | (1n << 63n) }],
    ['xfrmMask', { xfrmMask: -1n }],
    ['xfrmMask', { xfrmMask: 7 as unknown as bigint }],
    ['sgx2', { sgx2: 'no' as unknown as boolean }],
    ['sgx3', { sgx3: true } as SgxFeatureOptions],
    ['linearAddressBits', { linearAddressBits: 52 as 48 }],
    ['epcmFault', { epcmFault: 'UD' as 'GP' }],
  ];
  test.each(rows)('%s: %o', (name, options) => {
    expect(() => resolveFeatures(options)).toThrow(misuse);
    expect(() => resolveFeatures(options)).toThrow(name);
  });
});
