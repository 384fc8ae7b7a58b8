import { Attribute, ConflictExit, Leaf, LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { HardwareModel } from '../src/index.js';
import { createSgxHardware } from '../src/index.js';
import { createObjects } from './fixture.js';

const SECS = 0;
const CHILD = 1;

/** An enclave of one page on processors whose leaves take 100 cycles and end at `ends` from now on. */
function built(ends: readonly [number, number]): HardwareModel {
  let isTimed = false;
  const times = { endOf: (cpu: number) => (isTimed ? (ends[cpu] as number) : -1), cyclesOf: () => 100 };
  const hardware = createSgxHardware(
    { pageCount: 4, cpuCount: 2 },
    { objects: createObjects(), monitor: null, probe: null, times },
  );
  const reg = SecInfo.R | SecInfo.W | (PageType.REG << SecInfo.TYPE_SHIFT);
  const source = { basePage: 16, pageCount: 16, attributes: Attribute.MODE64BIT, ssaFrameSize: 1 };
  expect(hardware.ecreate(0, SECS, source)).toBe(0);
  expect(hardware.eadd(0, CHILD, SECS, 16, reg, 1)).toBe(0);
  expect(hardware.einit(0, SECS, {})).toBe(0);
  isTimed = true;
  return hardware;
}

/** CPU 0 has announced an ETRACK that ends at 100, CPU 1 executes an EBLOCK that ends at 150. */
function announced(prepare: (hardware: HardwareModel) => void): { result: number; refuses: boolean } {
  const hardware = built([100, 150]);
  hardware.leafAt(SECS, 0, Leaf.ETRACK);
  prepare(hardware);
  hardware.leafAt(CHILD, 1, Leaf.EBLOCK);
  const refuses = hardware.overlaps.refuses(0, 1);
  return { refuses, result: hardware.eblock(1, CHILD) };
}

describe('a leaf that a guest has announced', () => {
  it.each([
    [
      'is met while its operands can be reached',
      (h: HardwareModel) => h.boundAnnouncement(0, () => true),
      true,
    ],
    ['is not met once they cannot', (h: HardwareModel) => h.boundAnnouncement(0, () => false), false],
    ['is not met if it was withdrawn', (h: HardwareModel) => h.withdraw(0), false],
    ['is met if it was that of another CPU', (h: HardwareModel) => h.withdraw(1), true],
    [
      'is not bound by what was said before it',
      (h: HardwareModel) => {
        h.boundAnnouncement(0, () => false);
        h.leafAt(SECS, 0, Leaf.ETRACK);
      },
      true,
    ],
  ])('%s', (_, prepare, isMet) => {
    const result = isMet ? SgxCode.ENTRYEPOCH_LOCKED : 0;
    expect(announced(prepare)).toEqual({ refuses: isMet, result });
  });
});

describe('a leaf of a guest that has begun later than one of the host, which ends first', () => {
  it.each([
    ['ends in an exit with EPC virtualization extensions', true, ConflictExit.TRACKING_RESOURCE],
    ['faults without', false, LeafFault.GP],
  ])('%s', (_, isExtended, expected) => {
    const hardware = built([150, 100]);
    hardware.leafAt(SECS, 1, Leaf.ETRACK);
    hardware.setExtended(0, isExtended);
    hardware.leafAt(SECS, 0, Leaf.ETRACK);
    hardware.setExtended(0, false);
    expect(hardware.etrack(1, SECS)).toBe(0);
    hardware.setExtended(0, isExtended);
    expect(hardware.etrack(0, SECS)).toBe(expected);
  });
});
