import {
  blobFromBytes,
  createByteBlob,
  decodePcmd,
  encodePcmd,
  PAGE_BYTES,
  PCMD_BYTES,
  PcmdOffset,
} from '@epckit/hardware';
import { describe, expect, it } from 'vitest';
import { at, BASE, REG_RW } from '../fixture.js';
import { evictBytes, furnishedReal } from './fixture.js';

const mac = Uint8Array.from({ length: 16 }, (_, index) => index + 1);

describe('PCMD', () => {
  it('has SECINFO at 0, ENCLAVEID at 64, zeros, and MAC at 112, little-endian', () => {
    const pcmd = encodePcmd({ secinfo: 0x203, enclaveId: 0x1_0000_0002, mac });
    const expected = new Uint8Array(PCMD_BYTES);
    expected.set([3, 2], 0);
    expected.set([2, 0, 0, 0, 1], 64);
    expected.set(mac, 112);
    expect(pcmd).toEqual(expected);
    expect(decodePcmd(pcmd)).toEqual({ secinfo: 0x203, enclaveId: 0x1_0000_0002, mac });
  });

  it('is what EWB writes', () => {
    const { hardware } = furnishedReal();
    const blob = evictBytes(hardware, at.p, 0);
    const { enclaveId } = hardware.enclave(at.secs);
    expect(decodePcmd(blob.pcmd)).toMatchObject({ secinfo: REG_RW, enclaveId });
    expect(encodePcmd(decodePcmd(blob.pcmd))).toEqual(blob.pcmd);
    expect(blob).toMatchObject({ secinfo: REG_RW, enclaveId, linearPage: BASE + 2, contents: 0 });
  });

  it('names the EID of an evicted SECS, and none for a VA page', () => {
    const { hardware } = furnishedReal();
    const { enclaveId } = hardware.enclave(at.secsB);
    hardware.eremove(0, at.pB);
    const secs = createByteBlob();
    const va = createByteBlob();
    expect(hardware.ewb(0, at.secsB, at.va, 0, secs)).toBe(0);
    expect(hardware.ewb(0, at.va2, at.va, 1, va)).toBe(0);
    expect(decodePcmd(secs.pcmd)).toMatchObject({ secinfo: 0, enclaveId });
    expect(decodePcmd(va.pcmd)).toMatchObject({ secinfo: 0x300, enclaveId: 0 });
  });

  it('a blob is used again without leaving anything of the page before', () => {
    const { hardware } = furnishedReal();
    const blob = createByteBlob();
    blob.pcmd.fill(0xff);
    blob.page.fill(0xff);
    blob.contents = 77;
    hardware.eblock(0, at.p);
    hardware.etrack(0, at.secs);
    expect(hardware.ewb(0, at.p, at.va, 0, blob)).toBe(0);
    expect(blob.pcmd.subarray(PcmdOffset.RESERVED, PcmdOffset.MAC).every((byte) => byte === 0)).toBe(true);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, blob)).toBe(0);
  });
});

describe('blobFromBytes', () => {
  it('gives the numbers that EWB gave', () => {
    const { hardware } = furnishedReal();
    const blob = evictBytes(hardware, at.p, 0);
    expect(blobFromBytes(blob.page, blob.pcmd, blob.linearPage)).toEqual(blob);
  });

  it('copies', () => {
    const page = new Uint8Array(PAGE_BYTES);
    const blob = blobFromBytes(page, new Uint8Array(PCMD_BYTES), 1);
    page.fill(1);
    expect(blob.page.every((byte) => byte === 0)).toBe(true);
  });

  it('refuses another number of bytes', () => {
    const page = new Uint8Array(PAGE_BYTES);
    const pcmd = new Uint8Array(PCMD_BYTES);
    expect(() => blobFromBytes(page.subarray(1), pcmd, 0)).toThrow('An evicted page has 4096 bytes');
    expect(() => blobFromBytes(page, pcmd.subarray(1), 0)).toThrow('A PCMD has 128 bytes');
    expect(() => decodePcmd(page)).toThrow('A PCMD has 128 bytes');
    expect(() => encodePcmd({ secinfo: 0, enclaveId: 0, mac: pcmd })).toThrow('A MAC has 16 bytes');
  });
});
