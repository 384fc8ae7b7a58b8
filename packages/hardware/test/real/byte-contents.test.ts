import { createByteBlob, HardwareMisuse, PAGE_BYTES, REFUSED } from '@epckit/hardware';
import { AesGcm, realContents } from '@epckit/hardware/real';
import { LeafFault, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import { at, BASE, empty, newBlob, REG_RW, SOURCE, TCS } from '../fixture.js';
import { evictBytes, furnishedReal, pageBytes, threadBytes } from './fixture.js';

describe('pages', () => {
  it('are copies, read and written as little-endian quadwords', () => {
    const contents = realContents();
    const source = pageBytes(1);
    const handle = contents.adopt(source);
    const copy = contents.copy(handle);
    source.fill(0);
    expect(contents.bytes(handle)).toEqual(pageBytes(1));
    expect(contents.write(handle, 8, 0x0102030405060708n)).toBe(handle);
    expect(contents.bytes(handle).subarray(8, 16)).toEqual(Uint8Array.of(8, 7, 6, 5, 4, 3, 2, 1));
    expect(contents.read(handle, 8)).toBe(0x0102030405060708n);
    expect(contents.bytes(copy)).toEqual(pageBytes(1));
    const chunk = new Uint8Array(256);
    contents.measure(copy, 512, chunk);
    expect(chunk).toEqual(pageBytes(1).subarray(512, 768));
  });

  it('are used again, and a page of zeros has zeros', () => {
    const contents = realContents();
    const handle = contents.adopt(pageBytes(1));
    contents.release(handle);
    expect(contents.pageCount).toBe(0);
    expect(contents.zero()).toBe(handle);
    expect(contents.bytes(handle).every((byte) => byte === 0)).toBe(true);
    expect(contents.pageCount).toBe(1);
    contents.clear();
    expect(contents.pageCount).toBe(0);
    expect(() => contents.bytes(handle)).toThrow(HardwareMisuse);
  });

  it('are refused as numbers and in other sizes', () => {
    const contents = realContents();
    expect(() => contents.adopt(0)).toThrow('In the real mode contents must be 4096 bytes.');
    expect(() => contents.adopt(new Uint8Array(PAGE_BYTES + 1))).toThrow('A page has 4096 bytes.');
    expect(() => furnishedReal().hardware.setContents(at.p, 5)).toThrow(HardwareMisuse);
    expect(contents.pageCount).toBe(0);
  });

  it('are released once', () => {
    const contents = realContents();
    const handle = contents.zero();
    contents.release(handle);
    expect(() => contents.release(handle)).toThrow('The handle stands for no page.');
    expect(() => contents.bytes(0)).toThrow(HardwareMisuse);
  });

  it('are as many as there are child pages in the EPC', () => {
    const { hardware, contents } = furnishedReal();
    expect(contents.pageCount).toBe(5);
    const blob = evictBytes(hardware, at.p, 0);
    expect(contents.pageCount).toBe(4);
    blob.page[0] = (blob.page[0] as number) ^ 1;
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, blob)).toBe(SgxCode.MAC_COMPARE_FAIL);
    expect(contents.pageCount).toBe(4);
    hardware.eremove(0, at.q);
    hardware.eremove(0, at.secsB);
    hardware.eremove(0, at.va2);
    expect(contents.pageCount).toBe(3);
    const refused = hardware.eaddBytes(0, at.rest, at.secsB, BASE + 99, REG_RW, pageBytes(1));
    expect(refused).toBe(LeafFault.GP);
    expect(contents.pageCount).toBe(3);
  });

  it('need blobs with bytes', () => {
    const { hardware } = furnishedReal();
    hardware.eblock(0, at.p);
    hardware.etrack(0, at.secs);
    expect(() => hardware.ewb(0, at.p, at.va, 0, newBlob())).toThrow('4096 bytes of ciphertext');
    expect(hardware.isValid(at.p)).toBe(true);
    expect(hardware.ewb(0, at.p, at.va, 0, createByteBlob())).toBe(0);
  });
});

describe('TCS', () => {
  const bytes = new Uint8Array(PAGE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, 1n, true);
  view.setBigUint64(8, 3n, true);
  view.setBigUint64(16, 0x4000n, true);
  view.setUint32(24, 5, true);
  view.setUint32(28, 6, true);
  view.setBigUint64(32, 0x77n, true);
  view.setBigUint64(40, 0x88n, true);
  view.setBigUint64(48, 0x5000n, true);
  view.setBigUint64(56, 0x6000n, true);
  view.setUint32(64, 0xfff, true);
  view.setUint32(68, 0x1fff, true);
  const fields = {
    state: view.getBigUint64(0, true),
    flags: 3n,
    saveArea: 0x4000n,
    frame: 5,
    frameCount: 6,
    entry: 0x77n,
    exitPointer: 0x88n,
    fsBase: 0x5000n,
    gsBase: 0x6000n,
    fsLimit: 0xfff,
    gsLimit: 0x1fff,
    previousShadowStack: 0n,
    isReservedZero: true,
  };

  it('has its fields where the SDM says', () => {
    const contents = realContents();
    const handle = contents.adopt(bytes);
    expect(contents.thread(handle)).toEqual(fields);
    expect(contents.frame(handle)).toBe(5);
    expect(contents.addFrames(handle, -2)).toBe(handle);
    contents.setExitPointer(handle, 0x99n);
    expect(contents.thread(handle)).toEqual({ ...fields, frame: 3, exitPointer: 0x99n });
    contents.resetThread(handle);
    expect(contents.thread(handle)).toEqual({ ...fields, state: 0n, flags: 2n, frame: 0, exitPointer: 0n });
    expect(contents.read(handle, 0)).toBe(0n);
  });

  test.each([
    [71, true, true],
    [72, false, true],
    [87, false, true],
    [88, false, false],
    [4095, false, false],
  ])('byte %i may be set: %s without CET, %s with CET', (offset, without, withCet) => {
    const source = Uint8Array.from(bytes);
    source[offset] = 1;
    for (const [cet, isZero] of [
      [false, without],
      [true, withCet],
    ] as const) {
      const contents = realContents({ cet });
      expect(contents.thread(contents.adopt(source)).isReservedZero).toBe(isZero);
    }
  });

  it('EADD refuses reserved bytes, clears what it must, and EENTER counts frames in the page', () => {
    const contents = realContents();
    const hardware = empty({}, { contents });
    hardware.ecreate(0, at.secs, SOURCE);
    const dirty = Uint8Array.from(bytes);
    dirty[100] = 1;
    expect(hardware.eaddBytes(0, at.tcs, at.secs, BASE, TCS, dirty)).toBe(LeafFault.GP);
    expect(hardware.eaddBytes(0, at.tcs, at.secs, BASE, TCS, threadBytes(2))).toBe(0);
    hardware.einit(0, at.secs, {});
    for (const frame of [0, 1]) {
      expect(contents.frame(hardware.entry(at.tcs).contents)).toBe(frame);
      expect(hardware.eenter(0, at.tcs, BASE)).toBe(0);
      hardware.aex(0);
    }
    expect(hardware.eenter(0, at.tcs, BASE)).toBe(LeafFault.GP);
    expect(hardware.eresume(0, at.tcs, BASE)).toBe(0);
    expect(contents.frame(hardware.entry(at.tcs).contents)).toBe(1);
  });
});

describe('paging key', () => {
  const sealed = (key?: Uint8Array) => {
    const contents = realContents({ key });
    const blob = createByteBlob();
    contents.seal(8, 1, BASE, REG_RW, contents.adopt(pageBytes(9)), blob);
    blob.secinfo = REG_RW;
    blob.linearPage = BASE;
    return { contents, blob };
  };

  it('is the same in every run, unless one is given', () => {
    expect(sealed().blob).toEqual(sealed().blob);
    const key = pageBytes(3).slice(0, 16);
    expect(sealed(key).blob).toEqual(sealed(key).blob);
    expect(sealed(key).blob.page).not.toEqual(sealed().blob.page);
    expect(sealed(key).contents.open(8, 1, sealed().blob)).toBe(REFUSED);
    expect(() => new AesGcm(key.subarray(1))).toThrow('A paging key has 16 bytes.');
  });

  it('is another one after a renewal, and another one again', () => {
    const key = pageBytes(3).slice(0, 16);
    for (const { contents, blob } of [sealed(), sealed(key)]) {
      contents.renewKey();
      expect(contents.open(8, 1, blob)).toBe(REFUSED);
      contents.renewKey();
      expect(contents.open(8, 1, blob)).toBe(REFUSED);
    }
  });
});
