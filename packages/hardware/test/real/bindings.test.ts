import type { ByteBlob, HardwareModel } from '@epckit/hardware';
import { blobFromBytes, createByteBlob, PAGE_BYTES, PCMD_BYTES, REFUSED } from '@epckit/hardware';
import { LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import { at, BASE, noSecs, SOURCE, snapshot } from '../fixture.js';
import { evictBytes, furnishedReal, pageBytes } from './fixture.js';

const MAC = SgxCode.MAC_COMPARE_FAIL;
const { GP, PF } = LeafFault;
const CHILD_TYPES: readonly number[] = [PageType.TCS, PageType.REG, PageType.TRIM];
const SHADOW_STACK_TYPES: readonly number[] = [PageType.SS_FIRST, PageType.SS_REST];
const PT_BYTE = 1;

/** A blob whose bytes differ in the bits of `mask`, as software that keeps bytes would present it. */
function flipped(blob: ByteBlob, part: 'page' | 'pcmd', offset: number, mask: number): ByteBlob {
  const bytes = Uint8Array.from(blob[part]);
  bytes[offset] = (bytes[offset] as number) ^ mask;
  const changed = { ...blob, [part]: bytes };
  return blobFromBytes(changed.page, changed.pcmd, blob.linearPage);
}

/** What ELDU must say to a child page with a changed bit in its PCMD. */
function verdictOnChild(blob: ByteBlob, offset: number, hasShadowStacks: boolean): number {
  if (offset >= 64 && offset < 72) return 0;
  if (offset !== PT_BYTE) return MAC;
  const type = blob.secinfo >> SecInfo.TYPE_SHIFT;
  const isChild = CHILD_TYPES.includes(type) || (hasShadowStacks && SHADOW_STACK_TYPES.includes(type));
  return isChild ? MAC : GP;
}

const bits = [1, 2, 4, 8, 16, 32, 64, 128];
const offsets = (count: number) => Array.from({ length: count }, (_, offset) => offset);

/** Everything that can be observed but the count of changes, which refused loads leave alone anyway. */
const state = (hardware: HardwareModel) => JSON.stringify(snapshot(hardware), plain);
const plain = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value);

describe('every flipped bit of an evicted child page', () => {
  it('in its 4096 bytes of ciphertext gives 9 and consumes nothing', () => {
    const { hardware, contents } = furnishedReal();
    const blob = evictBytes(hardware, at.p, 0);
    const before = state(hardware);
    const accepted = offsets(PAGE_BYTES).filter((offset) => {
      const changed = flipped(blob, 'page', offset, bits[offset % 8] as number);
      return hardware.eldu(0, at.p, at.secs, at.va, 0, changed) !== MAC;
    });
    expect(accepted).toEqual([]);
    expect(state(hardware)).toBe(before);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, blob)).toBe(0);
    expect(contents.bytes(hardware.entry(at.p).contents)).toEqual(pageBytes(102));
  });

  test.each([false, true])('in its PCMD is judged as 8.2 of the reference says; CET: %s', (cet) => {
    const { hardware } = furnishedReal({ features: { cet } });
    let blob = evictBytes(hardware, at.p, 0);
    const counts = { [MAC]: 0, [GP]: 0, 0: 0 } as Record<number, number>;
    for (const offset of offsets(PCMD_BYTES)) {
      for (const mask of bits) {
        const before = state(hardware);
        const changed = flipped(blob, 'pcmd', offset, mask);
        const result = hardware.eldu(0, at.p, at.secs, at.va, 0, changed);
        expect([offset, mask, result]).toEqual([offset, mask, verdictOnChild(changed, offset, cet)]);
        counts[result] = (counts[result] as number) + 1;
        if (result !== 0) expect(state(hardware)).toBe(before);
        else blob = evictBytes(hardware, at.p, 0);
      }
    }
    // Of the 8 bits of PT, one leads from REG to a type that is a child's only with CET; 64 bits are ENCLAVEID.
    expect(counts).toEqual(cet ? { [MAC]: 953, [GP]: 7, 0: 64 } : { [MAC]: 952, [GP]: 8, 0: 64 });
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, blob)).toBe(0);
  });
});

describe.each([
  ['SECS', at.secsB, PageType.SECS],
  ['VA', at.va2, PageType.VA],
] as const)('every flipped bit of an evicted %s page', (_name, page, type) => {
  it('is judged as 8.2 of the reference says', () => {
    const { hardware } = furnishedReal();
    hardware.eremove(0, at.pB);
    const blob = createByteBlob();
    expect(hardware.ewb(0, page, at.va, 0, blob)).toBe(0);
    const load = (changed: ByteBlob) => hardware.eldu(0, page, noSecs, at.va, 0, changed);
    for (const offset of offsets(PAGE_BYTES)) {
      expect(load(flipped(blob, 'page', offset, bits[offset % 8] as number))).toBe(MAC);
    }
    for (const offset of offsets(PCMD_BYTES)) {
      for (const mask of bits) {
        const isChild = offset === PT_BYTE && CHILD_TYPES.includes(type ^ mask);
        const isHint = offset >= 64 && offset < 72;
        const result = load(flipped(blob, 'pcmd', offset, mask));
        expect([offset, mask, result]).toEqual([offset, mask, isHint ? 0 : isChild ? PF : MAC]);
        if (isHint) expect(hardware.ewb(0, page, at.va, 0, blob)).toBe(0);
      }
    }
    expect(load({ ...blob, linearPage: 1 })).toBe(MAC);
    const other = type === PageType.SECS ? PageType.VA : PageType.SECS;
    expect(load(flipped(blob, 'pcmd', PT_BYTE, type ^ other))).toBe(MAC);
    expect(load(blob)).toBe(0);
  });
});

describe('numbers that disagree with the bytes', () => {
  const changes: [string, Partial<ByteBlob>][] = [
    ['contents', { contents: 1 }],
    ['low end of MAC', { macLow: 5 }],
    ['high end of MAC', { macHigh: 5 }],
    ['permissions', { secinfo: 0x201 }],
    ['type', { secinfo: 0x103 }],
    ['SECINFO above 32 bits', { secinfo: 0x203 + 2 ** 32 }],
    ['linear page', { linearPage: BASE + 3 }],
    ['linear page 0', { linearPage: 0 }],
    ['negative linear page', { linearPage: -1 }],
    ['half a linear page', { linearPage: BASE + 2.5 }],
    ['no linear page', { linearPage: Number.NaN }],
    ['linear page above 2^52', { linearPage: BASE + 2 + 2 ** 52 }],
  ];
  test.each(changes)('%s gives 9', (_name, change) => {
    const { hardware } = furnishedReal();
    const blob = evictBytes(hardware, at.p, 0);
    const before = state(hardware);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, { ...blob, ...change })).toBe(MAC);
    expect(state(hardware)).toBe(before);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, blob)).toBe(0);
  });

  it('ENCLAVEID is a hint there too', () => {
    const { hardware } = furnishedReal();
    const blob = evictBytes(hardware, at.p, 0);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, { ...blob, enclaveId: 99 })).toBe(0);
  });

  it('bytes that were changed under the numbers give 9', () => {
    const { hardware } = furnishedReal();
    const blob = evictBytes(hardware, at.p, 0);
    for (const offset of offsets(PCMD_BYTES).filter((byte) => byte < 64 || byte >= 72)) {
      const pcmd = Uint8Array.from(blob.pcmd);
      pcmd[offset] = (pcmd[offset] as number) ^ 0x10;
      const changed: ByteBlob = { ...blob, pcmd };
      expect(hardware.eldu(0, at.p, at.secs, at.va, 0, changed)).toBe(MAC);
    }
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, blob)).toBe(0);
  });
});

describe('what else is bound', () => {
  it('the enclave: the SECS of another one gives 9', () => {
    const { hardware } = furnishedReal();
    const blob = evictBytes(hardware, at.p, 0);
    expect(hardware.eldu(0, at.p, at.secsB, at.va, 0, blob)).toBe(MAC);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, blob)).toBe(0);
  });

  it('the enclave: one that was built again in the same page gives 9', () => {
    const { hardware } = furnishedReal();
    const blob = evictBytes(hardware, at.pB, 0);
    hardware.eremove(0, at.secsB);
    hardware.ecreate(0, at.secsB, SOURCE);
    expect(hardware.eldu(0, at.pB, at.secsB, at.va, 0, blob)).toBe(MAC);
  });

  it('the version: a wrong slot, an empty slot, another VA page and an older blob give 9', () => {
    const { hardware } = furnishedReal();
    const old = evictBytes(hardware, at.p, 0);
    const other = evictBytes(hardware, at.q, 1);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 1, old)).toBe(MAC);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 2, old)).toBe(MAC);
    expect(hardware.eldu(0, at.p, at.secs, at.va2, 0, old)).toBe(MAC);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, old)).toBe(0);
    expect(hardware.eldu(0, at.rest, at.secs, at.va, 0, old)).toBe(MAC);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, old)).toBe(PF);
    const recent = evictBytes(hardware, at.p, 0);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, old)).toBe(MAC);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, recent)).toBe(0);
    expect(hardware.eldu(0, at.q, at.secs, at.va, 1, other)).toBe(0);
  });

  it('not the place: any free page will do', () => {
    const { hardware, contents } = furnishedReal();
    const blob = evictBytes(hardware, at.p, 0);
    for (let page = at.rest; page < hardware.pageCount; page++) {
      expect(hardware.eldu(0, page, at.secs, at.va, 0, blob)).toBe(0);
      expect(contents.bytes(hardware.entry(page).contents)).toEqual(pageBytes(102));
      Object.assign(blob, evictBytes(hardware, page, 0));
    }
  });

  it('not BLOCKED: it is the choice of ELDB or ELDU', () => {
    const { hardware } = furnishedReal();
    const blob = evictBytes(hardware, at.p, 0);
    expect(hardware.eldb(0, at.p, at.secs, at.va, 0, blob)).toBe(0);
    expect(hardware.entry(at.p).blocked).toBe(true);
  });

  it('the key: after a loss of power old blobs give 9', () => {
    const { hardware, contents } = furnishedReal();
    const blob = evictBytes(hardware, at.p, 0);
    const { enclaveId } = hardware.enclave(at.secs);
    const version = hardware.versionIn(at.va, 0);
    const va = createByteBlob();
    hardware.ewb(0, at.va2, at.va, 1, va);
    contents.release(contents.open(version, enclaveId, blob));
    hardware.powerCycle();
    expect(contents.pageCount).toBe(0);
    expect(contents.open(version, enclaveId, blob)).toBe(REFUSED);
    hardware.epa(0, at.va);
    hardware.ecreate(0, at.secs, SOURCE);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, blob)).toBe(MAC);
    expect(hardware.eldu(0, at.p, noSecs, at.va, 1, va)).toBe(MAC);
  });
});
