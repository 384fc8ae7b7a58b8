import type { ByteBlob, ByteContents, HardwareModel, HardwareOptions } from '@epckit/hardware';
import { createByteBlob, PAGE_BYTES } from '@epckit/hardware';
import { realContents } from '@epckit/hardware/real';
import { expect } from 'vitest';
import { at, BASE, empty, REG_RW, SOURCE, TCS } from '../fixture.js';

/** Bytes that depend on a seed only. */
export function pageBytes(seed: number): Uint8Array {
  let state = seed | 1;
  return Uint8Array.from({ length: PAGE_BYTES }, () => {
    state = Math.imul(state, 0x2c1b_3c6d) + 0x297a_2d39;
    return state >>> 24;
  });
}

/** The bytes of a TCS with this NSSA; everything else is 0. */
export function threadBytes(frameCount: number): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES);
  new DataView(bytes.buffer).setUint32(28, frameCount, true);
  return bytes;
}

/** Real-mode hardware with the things of `at`, and the store of its bytes. */
export function furnishedReal(options: Partial<HardwareOptions> = {}): {
  hardware: HardwareModel;
  contents: ByteContents;
} {
  const contents = realContents({ cet: options.features?.cet });
  const hardware = empty(options, { contents });
  const results = [
    hardware.epa(0, at.va),
    hardware.ecreate(0, at.secs, SOURCE),
    hardware.eaddBytes(0, at.tcs, at.secs, BASE, TCS, threadBytes(2)),
    hardware.eaddBytes(0, at.tcs2, at.secs, BASE + 1, TCS, threadBytes(2)),
    hardware.eaddBytes(0, at.p, at.secs, BASE + 2, REG_RW, pageBytes(102)),
    hardware.eaddBytes(0, at.q, at.secs, BASE + 3, REG_RW, pageBytes(103)),
    hardware.einit(0, at.secs, {}),
    hardware.ecreate(0, at.secsB, SOURCE),
    hardware.eaddBytes(0, at.pB, at.secsB, BASE + 2, REG_RW, pageBytes(104)),
    hardware.epa(0, at.va2),
  ];
  expect(results).toEqual(results.map(() => 0));
  return { hardware, contents };
}

/** Blocks, tracks and writes a child page of an enclave that nobody is in. */
export function evictBytes(
  hardware: HardwareModel,
  page: number,
  slot: number,
  vaPage: number = at.va,
): ByteBlob {
  const blob = createByteBlob();
  expect(hardware.eblock(0, page)).toBe(0);
  expect(hardware.etrack(0, hardware.entry(page).secs)).toBe(0);
  expect(hardware.ewb(0, page, vaPage, slot, blob)).toBe(0);
  return blob;
}
