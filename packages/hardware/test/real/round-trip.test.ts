import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ByteBlob } from '@epckit/hardware';
import {
  blobFromBytes,
  createByteBlob,
  decodeSigStruct,
  encodeSigStruct,
  PAGE_BYTES,
} from '@epckit/hardware';
import { generateSigner, realContents, signSigStruct, verifySigStruct } from '@epckit/hardware/real';
import { Attribute, LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { at, BASE, empty, noSecs, REG_RW, SOURCE, TCS } from '../fixture.js';
import { evictBytes, furnishedReal, pageBytes, threadBytes } from './fixture.js';

const { MAC_COMPARE_FAIL, INVALID_MEASUREMENT } = SgxCode;
const REG_RX = SecInfo.R | SecInfo.X | (PageType.REG << SecInfo.TYPE_SHIFT);

const folder = mkdtempSync(join(tmpdir(), 'epckit-real-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('evicted pages', () => {
  it('come back as they were, whatever is in them', () => {
    const linearPage = fc.oneof(fc.constantFrom(BASE, BASE + 15), fc.integer({ min: BASE, max: BASE + 15 }));
    const bytes = fc.uint8Array({ minLength: PAGE_BYTES, maxLength: PAGE_BYTES, size: 'max' });
    const secinfo = fc.constantFrom(REG_RW, REG_RX, 0x200);
    const slot = fc.nat(511);
    const property = fc.property(bytes, linearPage, secinfo, slot, (source, linear, flags, place) => {
      const contents = realContents();
      const hardware = empty({}, { contents });
      hardware.epa(0, 0);
      hardware.ecreate(0, 1, SOURCE);
      expect(hardware.eaddBytes(0, 2, 1, linear, flags, source)).toBe(0);
      const blob = evictBytes(hardware, 2, place, 0);
      expect(blob.page).not.toEqual(source);
      expect(hardware.eldu(0, 5, 1, 0, place, blob)).toBe(0);
      const { contents: handle, ...entry } = hardware.entry(5);
      expect(entry).toMatchObject({ type: PageType.REG, flags: flags & 0xff, linearPage: linear, secs: 1 });
      expect(contents.bytes(handle)).toEqual(source);
    });
    fc.assert(property, { numRuns: 20, seed: 1 });
  });

  it('have another ciphertext every time', () => {
    const { hardware } = furnishedReal();
    const first = evictBytes(hardware, at.p, 0);
    hardware.eldu(0, at.p, at.secs, at.va, 0, first);
    const second = evictBytes(hardware, at.p, 0);
    expect(second.page).not.toEqual(first.page);
    expect(second.pcmd.subarray(0, 112)).toEqual(first.pcmd.subarray(0, 112));
  });

  it('can wait in a file', () => {
    const { hardware, contents } = furnishedReal();
    const path = join(folder, 'page');
    const { page, pcmd, linearPage } = evictBytes(hardware, at.p, 3);
    writeFileSync(path, Buffer.concat([page, pcmd]));
    const bytes = readFileSync(path);
    const blob = blobFromBytes(bytes.subarray(0, PAGE_BYTES), bytes.subarray(PAGE_BYTES), linearPage);
    expect(hardware.eldu(0, at.rest, at.secs, at.va, 3, blob)).toBe(0);
    expect(contents.bytes(hardware.entry(at.rest).contents)).toEqual(pageBytes(102));
  });

  it('keep PENDING, PR and MODIFIED', () => {
    const { hardware } = furnishedReal();
    const reload = (page: number, slot: number) => {
      expect(hardware.eldu(0, page, at.secs, at.va, slot, evictBytes(hardware, page, slot))).toBe(0);
      return hardware.entry(page).flags;
    };
    expect(hardware.eaug(0, at.rest, at.secs, BASE + 9, 0)).toBe(0);
    expect(hardware.emodpr(0, at.p, SecInfo.R)).toBe(0);
    expect(hardware.emodt(0, at.q, PageType.TRIM << SecInfo.TYPE_SHIFT)).toBe(0);
    expect(reload(at.rest, 0)).toBe(SecInfo.R | SecInfo.W | SecInfo.PENDING);
    expect(reload(at.p, 1)).toBe(SecInfo.R | SecInfo.PR);
    expect(reload(at.q, 2)).toBe(SecInfo.MODIFIED);
  });

  it('a thread resumes after its TCS was outside', () => {
    const { hardware, contents } = furnishedReal();
    hardware.eenter(1, at.tcs, BASE);
    hardware.aex(1);
    const blob = evictBytes(hardware, at.tcs, 0);
    expect(hardware.eldu(0, at.rest, at.secs, at.va, 0, blob)).toBe(0);
    expect(contents.frame(hardware.entry(at.rest).contents)).toBe(1);
    expect(hardware.eresume(1, at.rest, BASE)).toBe(0);
    expect(hardware.eexit(1)).toBe(0);
    expect(hardware.eresume(1, at.rest, BASE)).toBe(LeafFault.GP);
  });
});

/** MRENCLAVE as sections 5.1 to 5.3 of the reference lay out its blocks, with node:crypto. */
class ExpectedMeasurement {
  readonly #hash = createHash('sha256');
  constructor(ssaFrameSize: number, pageCount: number) {
    const block = begin('ECREATE\0');
    block.writeUInt32LE(ssaFrameSize, 8);
    block.writeBigUInt64LE(BigInt(pageCount) * 4096n, 12);
    this.#hash.update(block);
  }
  add(offset: number, secinfo: number): this {
    const block = begin('EADD\0\0\0\0');
    block.writeBigUInt64LE(BigInt(offset), 8);
    block.writeUInt32LE(secinfo, 16);
    this.#hash.update(block);
    return this;
  }
  extend(offset: number, bytes: Uint8Array): this {
    for (let chunk = 0; chunk < PAGE_BYTES; chunk += 256) {
      const block = begin('EEXTEND\0');
      block.writeBigUInt64LE(BigInt(offset + chunk), 8);
      this.#hash.update(block).update(bytes.subarray(chunk, chunk + 256));
    }
    return this;
  }
  digest(): string {
    return this.#hash.digest('hex');
  }
}
function begin(name: string): Buffer {
  const block = Buffer.alloc(64);
  block.write(name, 'latin1');
  return block;
}

describe('an enclave whose SECS was outside while it was built', () => {
  const SECS = 1;
  const MOVED = 12;
  const measured = () =>
    new ExpectedMeasurement(1, 16)
      .add(0, TCS)
      .extend(0, threadBytes(3))
      .add(0x2000, REG_RW)
      .extend(0x2000, pageBytes(5))
      .add(0x3000, REG_RX)
      .extend(0x3000, pageBytes(6))
      .digest();

  /** Builds half, evicts everything, brings it back elsewhere, builds the rest. */
  function build() {
    const contents = realContents();
    const hardware = empty({}, { contents });
    const extend = (page: number, secs: number) => {
      for (let chunk = 0; chunk < 16; chunk++) expect(hardware.eextend(0, page, secs, chunk)).toBe(0);
    };
    hardware.epa(0, 0);
    hardware.ecreate(0, SECS, SOURCE);
    const { enclaveId } = hardware.enclave(SECS);
    hardware.eaddBytes(0, 2, SECS, BASE, TCS | SecInfo.R | SecInfo.W, threadBytes(3));
    extend(2, SECS);
    hardware.eaddBytes(0, 3, SECS, BASE + 2, REG_RW, pageBytes(5));
    for (let chunk = 0; chunk < 7; chunk++) hardware.eextend(0, 3, SECS, chunk);
    const half = hardware.measurement(SECS);

    const tcs = evictBytes(hardware, 2, 0, 0);
    const data = evictBytes(hardware, 3, 1, 0);
    const secs = createByteBlob();
    expect(hardware.ewb(0, SECS, 0, 2, secs)).toBe(0);
    expect(hardware.eldu(0, MOVED, noSecs, 0, 2, secs)).toBe(0);
    expect(hardware.eldu(0, 3, MOVED, 0, 1, data)).toBe(0);
    expect(hardware.enclave(MOVED)).toMatchObject({ enclaveId, attributes: Attribute.MODE64BIT });
    expect(hardware.measurement(MOVED)).toBe(half);

    for (let chunk = 7; chunk < 16; chunk++) hardware.eextend(0, 3, MOVED, chunk);
    hardware.eaddBytes(0, 4, MOVED, BASE + 3, REG_RX, pageBytes(6));
    extend(4, MOVED);
    return { hardware, tcs, enclaveId };
  }

  it('has the measurement of one that never was, and keeps EID, INIT and identity in later round trips', () => {
    const { hardware, tcs, enclaveId } = build();
    const measurement = measured();
    expect(hardware.einit(0, MOVED, { measurement: 'f'.repeat(64) })).toBe(INVALID_MEASUREMENT);
    expect(hardware.einit(0, MOVED, { measurement, productId: 7 })).toBe(0);

    const blobs: ByteBlob[] = [evictBytes(hardware, 3, 1, 0), evictBytes(hardware, 4, 3, 0)];
    const secs = createByteBlob();
    expect(hardware.ewb(0, MOVED, 0, 2, secs)).toBe(0);
    expect(secs).toMatchObject({ enclaveId, linearPage: 0, secinfo: 0 });
    expect(hardware.eldu(0, 3, MOVED, 0, 1, blobs[0] as ByteBlob)).toBe(LeafFault.PF);
    expect(hardware.eldu(0, 9, noSecs, 0, 2, blobFromBytes(secs.page, secs.pcmd, 0))).toBe(0);
    const { attributes, ...rest } = hardware.enclave(9);
    expect(attributes & Attribute.INIT).toBe(Attribute.INIT);
    expect(rest).toMatchObject({ enclaveId, measurement, productId: 7 });
    expect(hardware.eldu(0, 4, 9, 0, 3, blobs[1] as ByteBlob)).toBe(0);
    expect(hardware.eldu(0, 2, 9, 0, 0, tcs)).toBe(0);
    expect(hardware.eenter(0, 2, BASE)).toBe(0);
  });

  it('is initialised with a signature over that measurement', () => {
    const { hardware } = build();
    const bytes = signSigStruct(encodeSigStruct({ measurement: measured() }), generateSigner());
    const signature = decodeSigStruct(bytes, verifySigStruct);
    hardware.platform.launchKeyHash = signature.signer as string;
    expect(hardware.einit(0, MOVED, signature)).toBe(0);
    expect(hardware.enclave(MOVED).signer).toBe(signature.signer);
  }, 30_000);
});

describe('images of SECS and VA pages', () => {
  it('are what is encrypted', () => {
    const { hardware, contents } = furnishedReal();
    hardware.eremove(0, at.pB);
    const enclave = hardware.enclave(at.secsB);
    evictBytes(hardware, at.p, 5, at.va2);
    const versionOfPage = hardware.versionIn(at.va2, 5);
    const secs = createByteBlob();
    const va = createByteBlob();
    hardware.ewb(0, at.secsB, at.va, 0, secs);
    hardware.ewb(0, at.va2, at.va, 1, va);
    const imageOf = (slot: number, blob: ByteBlob) => {
      const handle = contents.open(hardware.versionIn(at.va, slot), 0, blob);
      return (offset: number) => contents.read(handle, offset);
    };
    const readSecs = imageOf(0, secs);
    expect([readSecs(0), readSecs(8)]).toEqual([16n * 4096n, BigInt(BASE) * 4096n]);
    expect(readSecs(48)).toBe(BigInt(enclave.attributes));
    expect(imageOf(1, va)(5 * 8)).toBe(BigInt(versionOfPage));
  });
});

describe('VA tree', () => {
  it('loads from the root down, with the versions that were in it', () => {
    const { hardware, contents } = furnishedReal();
    const page = evictBytes(hardware, at.p, 7, at.va2);
    const version = hardware.versionIn(at.va2, 7);
    const va2 = createByteBlob();
    expect(hardware.ewb(0, at.va2, at.va, 0, va2)).toBe(0);
    expect(hardware.eldu(0, at.p, at.secs, at.va2, 7, page)).toBe(LeafFault.PF);
    expect(hardware.eldu(0, at.rest, noSecs, at.va, 0, blobFromBytes(va2.page, va2.pcmd, 0))).toBe(0);
    expect(hardware.versionIn(at.rest, 7)).toBe(version);
    expect(hardware.eldu(0, at.p, at.secs, at.rest, 7, page)).toBe(0);
    expect(contents.bytes(hardware.entry(at.p).contents)).toEqual(pageBytes(102));
  });

  it('an older image of a VA page does not bring old versions back', () => {
    const { hardware } = furnishedReal();
    const page = evictBytes(hardware, at.p, 7, at.va2);
    const older = createByteBlob();
    hardware.ewb(0, at.va2, at.va, 0, older);
    hardware.eldu(0, at.va2, noSecs, at.va, 0, older);
    hardware.eldu(0, at.p, at.secs, at.va2, 7, page);
    const newer = createByteBlob();
    hardware.ewb(0, at.va2, at.va, 0, newer);
    expect(hardware.eldu(0, at.va2, noSecs, at.va, 0, older)).toBe(MAC_COMPARE_FAIL);
    expect(hardware.eldu(0, at.va2, noSecs, at.va, 0, newer)).toBe(0);
    expect(hardware.eldu(0, at.rest, at.secs, at.va2, 7, page)).toBe(MAC_COMPARE_FAIL);
  });
});
