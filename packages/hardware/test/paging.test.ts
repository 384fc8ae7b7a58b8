import type { PagingBlob } from '@epckit/interface';
import { LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import { at, BASE, empty, evict, furnished, newBlob, noSecs, SOURCE } from './fixture.js';

const MAC = SgxCode.MAC_COMPARE_FAIL;
const { GP, PF } = LeafFault;

type Tamper = (blob: PagingBlob) => void;
const bindings: { name: string; tamper: Tamper; result: number }[] = [
  { name: 'contents', tamper: (b) => (b.contents += 1), result: MAC },
  { name: 'contents above 32 bits', tamper: (b) => (b.contents += 2 ** 33), result: MAC },
  { name: 'MAC low', tamper: (b) => (b.macLow ^= 1), result: MAC },
  { name: 'MAC high', tamper: (b) => (b.macHigh ^= 1), result: MAC },
  { name: 'R', tamper: (b) => (b.secinfo ^= SecInfo.R), result: MAC },
  { name: 'W', tamper: (b) => (b.secinfo ^= SecInfo.W), result: MAC },
  { name: 'X', tamper: (b) => (b.secinfo ^= SecInfo.X), result: MAC },
  { name: 'PENDING', tamper: (b) => (b.secinfo ^= SecInfo.PENDING), result: MAC },
  { name: 'MODIFIED', tamper: (b) => (b.secinfo ^= SecInfo.MODIFIED), result: MAC },
  { name: 'PR', tamper: (b) => (b.secinfo ^= SecInfo.PR), result: MAC },
  { name: 'reserved SECINFO bit', tamper: (b) => (b.secinfo ^= 0x40), result: MAC },
  { name: 'type to another child type', tamper: (b) => setType(b, PageType.TCS), result: MAC },
  { name: 'type to a non-child type', tamper: (b) => setType(b, PageType.VA), result: GP },
  { name: 'linear address', tamper: (b) => (b.linearPage += 1), result: MAC },
  { name: 'ENCLAVEID', tamper: (b) => (b.enclaveId += 5), result: 0 },
];
function setType(blob: PagingBlob, type: number): void {
  blob.secinfo = (blob.secinfo & 0xff) | (type << SecInfo.TYPE_SHIFT);
}

describe('what is bound to a blob', () => {
  test.each(bindings)('$name gives $result', ({ tamper, result }) => {
    const hardware = furnished();
    const blob = evict(hardware, at.p, 0);
    const changed = { ...blob };
    tamper(changed);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, changed)).toBe(result);
    if (result === 0) return;
    expect(hardware.occupiedSlots(at.va)).toBe(1);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, blob)).toBe(0);
  });

  it('a non-child type changed to a child type has no SECS', () => {
    const hardware = furnished();
    const blob = newBlob();
    hardware.ewb(0, at.va2, at.va, 0, blob);
    setType(blob, PageType.REG);
    expect(hardware.eldu(0, at.va2, noSecs, at.va, 0, blob)).toBe(PF);
  });

  it('a SECS does not load as a VA page, nor the other way', () => {
    const hardware = furnished();
    const blob = newBlob();
    hardware.ewb(0, at.va2, at.va, 0, blob);
    setType(blob, PageType.SECS);
    expect(hardware.eldu(0, at.va2, noSecs, at.va, 0, blob)).toBe(MAC);
    expect(hardware.savedImages).toBe(1);
  });

  it('the enclave: another SECS gives 9', () => {
    const hardware = furnished();
    const blob = evict(hardware, at.p, 0);
    expect(hardware.eldu(0, at.p, at.secsB, at.va, 0, blob)).toBe(MAC);
  });

  it('the version: a wrong slot, an older blob and a second load give 9', () => {
    const hardware = furnished();
    const old = evict(hardware, at.p, 0);
    const other = evict(hardware, at.q, 1);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 1, old)).toBe(MAC);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, old)).toBe(0);
    expect(hardware.eldu(0, at.q, at.secs, at.va, 0, old)).toBe(MAC);
    const recent = evict(hardware, at.p, 0);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, old)).toBe(MAC);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, recent)).toBe(0);
    expect(hardware.eldu(0, at.q, at.secs, at.va, 1, other)).toBe(0);
  });

  it('a rebuilt enclave in the same SECS page cannot load the blobs of the old one', () => {
    const hardware = furnished();
    const blob = evict(hardware, at.pB, 0);
    hardware.eremove(0, at.secsB);
    hardware.ecreate(0, at.secsB, SOURCE);
    expect(hardware.eldu(0, at.pB, at.secsB, at.va, 0, blob)).toBe(MAC);
  });
});

describe('occupied slot', () => {
  it('EWB gives 12, evicts, and the older page is lost', () => {
    const hardware = furnished();
    const lost = evict(hardware, at.p, 0);
    const blob = newBlob();
    hardware.eblock(0, at.q);
    hardware.etrack(0, at.secs);
    expect(hardware.ewb(0, at.q, at.va, 0, blob)).toBe(SgxCode.VA_SLOT_OCCUPIED);
    expect(hardware.isValid(at.q)).toBe(false);
    expect(hardware.occupiedSlots(at.va)).toBe(1);
    expect(hardware.eldu(0, at.p, at.secs, at.va, 0, lost)).toBe(MAC);
    expect(hardware.eldu(0, at.q, at.secs, at.va, 0, blob)).toBe(0);
  });

  it('a SECS image that can no longer be loaded is forgotten', () => {
    const hardware = furnished();
    hardware.eremove(0, at.pB);
    const { enclaveId } = hardware.enclave(at.secsB);
    hardware.ewb(0, at.secsB, at.va, 0, newBlob());
    expect(hardware.savedImages).toBe(1);
    expect(hardware.ewb(0, at.va2, at.va, 0, newBlob())).toBe(SgxCode.VA_SLOT_OCCUPIED);
    expect(hardware.savedImages).toBe(1);
    expect(hardware.trackingOf(enclaveId)).toBeNull();
  });
});

describe('SECS round trip', () => {
  it('keeps EID, range, INIT, measurement and epoch; children load again at any place', () => {
    const hardware = furnished();
    const before = hardware.enclave(at.secs);
    const measurement = hardware.measurement(at.secs);
    const pages = [at.tcs, at.tcs2, at.p, at.q];
    const blobs = pages.map((page, slot) => evict(hardware, page, slot));
    const secs = newBlob();
    expect(hardware.ewb(0, at.secs, at.va, 9, secs)).toBe(0);
    expect(secs).toMatchObject({ enclaveId: before.enclaveId, linearPage: 0 });
    expect(hardware.trackingOf(before.enclaveId)).toEqual({ epoch: 4, current: 0, previous: 0, children: 0 });

    expect(hardware.eldu(0, at.p, at.secs, at.va, 2, blobs[2] as PagingBlob)).toBe(PF);
    expect(hardware.eldu(0, at.rest, noSecs, at.va, 9, secs)).toBe(0);
    expect(hardware.enclave(at.rest)).toEqual(before);
    expect(hardware.measurement(at.rest)).toBe(measurement);
    expect(hardware.tracking(at.rest)).toMatchObject({ epoch: 4, children: 0 });
    pages.forEach((page, slot) => {
      expect(hardware.eldu(0, page, at.rest, at.va, slot, blobs[slot] as PagingBlob)).toBe(0);
    });
    expect(hardware.secsChildren(at.rest)).toBe(4);
    expect(hardware.eenter(0, at.tcs, BASE)).toBe(0);
    expect(hardware.insideOf(0)).toBe(at.rest);
    expect(hardware.savedImages).toBe(0);
  });
});

describe('VA tree', () => {
  it('loads from the root down', () => {
    const hardware = furnished();
    const page = evict(hardware, at.p, 7, at.va2);
    const va2 = newBlob();
    expect(hardware.ewb(0, at.va2, at.va, 0, va2)).toBe(0);
    expect(va2).toMatchObject({ enclaveId: 0, linearPage: 0 });
    expect(hardware.eldu(0, at.p, at.secs, at.va2, 7, page)).toBe(PF);
    expect(hardware.eldu(0, at.rest, noSecs, at.va, 0, va2)).toBe(0);
    expect(hardware.occupiedSlots(at.rest)).toBe(1);
    expect(hardware.eldu(0, at.p, at.secs, at.rest, 7, page)).toBe(0);
  });

  it('loses everything below a removed VA page, and keeps nothing of it', () => {
    const hardware = furnished();
    hardware.eremove(0, at.pB);
    hardware.ewb(0, at.secsB, at.va2, 0, newBlob());
    const va2 = newBlob();
    hardware.ewb(0, at.va2, at.va, 0, va2);
    expect(hardware.savedImages).toBe(2);
    expect(hardware.eremove(0, at.va)).toBe(0);
    expect(hardware.savedImages).toBe(0);
    hardware.epa(0, at.va);
    expect(hardware.eldu(0, at.va2, noSecs, at.va, 0, va2)).toBe(MAC);
  });

  it('reuses what it kept: a long run holds as many images as are outside', () => {
    const hardware = empty();
    hardware.epa(0, 0);
    hardware.ecreate(0, 1, SOURCE);
    const blob = newBlob();
    for (let round = 0; round < 2000; round++) {
      expect(hardware.ewb(0, 1, 0, round % 512, blob)).toBe(0);
      expect(hardware.savedImages).toBe(1);
      expect(hardware.eldu(0, 1, noSecs, 0, round % 512, blob)).toBe(0);
      expect(hardware.savedImages).toBe(0);
    }
  });
});
