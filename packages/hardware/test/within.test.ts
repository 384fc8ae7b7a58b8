import { HardwareMisuse } from '@epckit/hardware';
import { AUGMENTED_SECINFO, LeafFault, PageType, SecInfo } from '@epckit/interface';
import { expect, it } from 'vitest';
import { empty } from './fixture.js';

it('a leaf of enclave code can be played without a thread inside, and nobody is counted', () => {
  const hardware = empty();
  hardware.ecreate(0, 0, { basePage: 16, pageCount: 16, attributes: 4, ssaFrameSize: 1 });
  hardware.einit(0, 0, {});
  hardware.eaug(0, 1, 0, 20, 0);
  const accept = () => hardware.eaccept(0, 1, 20, AUGMENTED_SECINFO | SecInfo.PENDING);
  expect(accept()).toBe(LeafFault.GP);
  const before = hardware.tracking(0);
  expect(hardware.within(0, 0, accept)).toBe(0);
  expect([hardware.tracking(0), hardware.insideOf(0)]).toEqual([before, -1]);
  expect(hardware.entry(1)).toMatchObject({ type: PageType.REG, flags: SecInfo.R | SecInfo.W });
});

it('the CPU is where it was, also after an exception', () => {
  const hardware = empty();
  const fail = () => {
    throw new Error('failed');
  };
  expect(() => hardware.within(0, 2, fail)).toThrow('failed');
  expect(hardware.insideOf(0)).toBe(-1);
});

it('refuses exits, which need a thread that has entered', () => {
  const hardware = empty({ features: { aexNotify: true } });
  hardware.ecreate(0, 0, { basePage: 16, pageCount: 16, attributes: 4, ssaFrameSize: 1 });
  hardware.einit(0, 0, {});
  const before = hardware.tracking(0);
  for (const leaf of ['eexit', 'aex', 'edeccssa'] as const) {
    expect(() => hardware.within(0, 0, () => hardware[leaf](0))).toThrow(HardwareMisuse);
  }
  expect([hardware.tracking(0), hardware.insideOf(0)]).toEqual([before, -1]);
});
