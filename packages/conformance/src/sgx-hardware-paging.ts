import assert from 'node:assert/strict';
import type { PagingBlob } from '@epckit/interface';
import { LeafFault, SecInfo, SgxCode } from '@epckit/interface';
import type { Bench } from './sgx-hardware-subject.js';
import { at, BASE, expectResult, REG_R, seen } from './sgx-hardware-subject.js';

const { GP, PF } = LeafFault;
const { MAC_COMPARE_FAIL } = SgxCode;
const { va, va2, secs, secsB, p, q, pB, tcs, tcs2, free, free2 } = at;

/** Fields that a blob is bound to, each changed. */
const forgeries: Readonly<Record<string, (blob: PagingBlob) => Partial<PagingBlob>>> = {
  contents: ({ contents }) => ({ contents: contents + 1 }),
  permissions: ({ secinfo }) => ({ secinfo: secinfo ^ SecInfo.X }),
  type: ({ secinfo }) => ({ secinfo: secinfo ^ 0x300 }),
  address: ({ linearPage }) => ({ linearPage: linearPage + 1 }),
  MAC: ({ macLow }) => ({ macLow: macLow ^ 1 }),
};

/** Versions, what a blob is bound to, and the order in which pages can leave and come back. */
export const paging: Readonly<Record<string, (bench: Bench) => void>> = {
  'EWB frees the page and ELDU restores it anywhere, ELDB blocked': (bench) => {
    const { h, done } = bench;
    const before = seen(h.entry(p));
    const word = bench.peek(p);
    const blob = bench.evict(p, 511);
    assert.equal(blob.linearPage, BASE + p);
    assert.deepEqual([h.isValid(p), h.tracking(secs).children, h.occupiedSlots(va)], [false, 3, 1]);
    done(h.eldu(0, free, secs, va, 511, blob));
    assert.deepEqual([seen(h.entry(free)), bench.peek(free)], [before, word]);
    assert.deepEqual([h.tracking(secs).children, h.occupiedSlots(va)], [4, 0]);
    const again = bench.evict(free);
    done(h.eldb(0, p, secs, va, 0, again));
    assert.deepEqual(seen(h.entry(p)), { ...before, blocked: true });
  },
  'a page that arrives blocked needs no ETRACK': (bench) => {
    const { h, done, newBlob } = bench;
    const blob = bench.evict(p);
    bench.enter(1);
    done(h.eldbc(0, p, secs, va, 0, blob), h.ewb(0, p, va, 0, newBlob()));
  },
  'flags of SGX2 travel with the page': (bench) => {
    const { h, done } = bench;
    done(h.emodpr(0, p, REG_R));
    const before = seen(h.entry(p));
    const blob = bench.evict(p);
    done(h.elduc(0, p, secs, va, 0, blob));
    assert.deepEqual(seen(h.entry(p)), before);
  },
  'a blob is loaded once': (bench) => {
    const { h, done } = bench;
    const blob = bench.evict(p);
    done(h.eldu(0, p, secs, va, 0, blob));
    expectResult(h.eldu(0, free, secs, va, 0, blob), MAC_COMPARE_FAIL, 'the second load');
  },
  'an older blob of the same page is refused': (bench) => {
    const { h, done } = bench;
    const old = bench.evict(p);
    done(h.eldu(0, p, secs, va, 0, old));
    const now = bench.evict(p);
    expectResult(h.eldu(0, p, secs, va, 0, old), MAC_COMPARE_FAIL, 'the older blob');
    done(h.eldu(0, p, secs, va, 0, now));
  },
  'a blob belongs to its slot': (bench) => {
    const { h, done } = bench;
    const [one, other] = [bench.evict(p, 0), bench.evict(q, 1)];
    expectResult(h.eldu(0, p, secs, va, 1, one), MAC_COMPARE_FAIL, 'the slot of another page');
    expectResult(h.eldu(0, p, secs, va2, 0, one), MAC_COMPARE_FAIL, 'an empty slot');
    done(h.eldu(0, p, secs, va, 0, one), h.eldu(0, q, secs, va, 1, other));
  },
  'a blob that was changed anywhere is refused, and then still loads as it was': (bench) => {
    const { h, done } = bench;
    const blob = bench.evict(p);
    for (const [what, change] of Object.entries(forgeries)) {
      expectResult(h.eldu(0, p, secs, va, 0, { ...blob, ...change(blob) }), MAC_COMPARE_FAIL, what);
      assert.deepEqual([h.isValid(p), h.occupiedSlots(va)], [false, 1], what);
    }
    done(h.eldu(0, p, secs, va, 0, { ...blob, enclaveId: 99 }));
  },
  'a page comes back to its own enclave only': (bench) => {
    const { h, done } = bench;
    const blob = bench.evict(p);
    expectResult(h.eldu(0, p, secsB, va, 0, blob), MAC_COMPARE_FAIL, 'the SECS of another enclave');
    for (const page of [q, tcs, tcs2, secs]) done(h.eremove(0, page));
    done(h.ecreate(0, secs, { basePage: BASE, pageCount: 16, attributes: 6, ssaFrameSize: 1 }));
    expectResult(h.eldu(0, p, secs, va, 0, blob), MAC_COMPARE_FAIL, 'a new enclave in the same place');
  },
  'EWB into an occupied slot tells, and loses the other page': (bench) => {
    const { h, done, newBlob } = bench;
    const lost = bench.evict(p);
    const kept = newBlob();
    bench.block(q);
    expectResult(h.ewb(0, q, va, 0, kept), SgxCode.VA_SLOT_OCCUPIED, 'EWB into an occupied slot');
    assert.equal(h.isValid(q), false);
    expectResult(h.eldu(0, p, secs, va, 0, lost), MAC_COMPARE_FAIL, 'the page that was overwritten');
    done(h.eldu(0, q, secs, va, 0, kept));
  },
  'a SECS leaves after its children and comes back as it was': (bench) => {
    const { h, done, newBlob } = bench;
    const blobs = [p, q, tcs, tcs2].map((page, slot) => bench.evict(page, slot));
    const secsBlob = newBlob();
    done(h.ewb(0, secs, va, 9, secsBlob));
    const [blob] = blobs as [PagingBlob];
    expectResult(h.eldu(0, p, secs, va, 0, blob), PF, 'a child without its SECS');
    expectResult(h.eldu(0, free, secsB, va, 9, secsBlob), GP, 'a SECS with a SECS operand');
    done(h.eldb(0, free, -1, va, 9, secsBlob), h.eldu(0, p, free, va, 0, blob));
    assert.equal(h.entry(free).blocked, false);
    assert.equal(h.entry(p).secs, free);
    assert.deepEqual([h.tracking(free).children, h.tracking(free).current], [1, 0]);
    expectResult(h.eadd(0, free2, free, BASE, REG_R, 1), GP, 'EADD to an enclave that was initialised');
  },
  'a VA page leaves with its slots and comes back with them': (bench) => {
    const { h, done, newBlob } = bench;
    const blob = bench.evict(p, 7);
    const vaBlob = newBlob();
    done(h.ewb(0, va, va2, 3, vaBlob));
    expectResult(h.eldu(0, p, secs, va, 7, blob), PF, 'a page without its VA page');
    done(h.eldu(0, free, -1, va2, 3, vaBlob));
    assert.deepEqual([h.occupiedSlots(free), h.occupiedSlots(va2)], [1, 0]);
    done(h.eldu(0, p, secs, free, 7, blob));
  },
  'EREMOVE of a VA page loses what was versioned in it': (bench) => {
    const { h, done } = bench;
    const blob = bench.evict(p);
    done(h.eremove(0, va), h.epa(0, va));
    assert.equal(h.occupiedSlots(va), 0);
    expectResult(h.eldu(0, p, secs, va, 0, blob), MAC_COMPARE_FAIL, 'a page whose version is gone');
  },
  'evicted children do not keep a SECS': (bench) => {
    const { h, done } = bench;
    bench.evict(p);
    for (const page of [q, tcs, tcs2, secs]) done(h.eremove(0, page));
    assert.equal(h.isValid(secs), false);
    done(h.eremove(0, pB), h.eremove(0, secsB));
  },
  'a loss of power empties everything, and old blobs are worthless': (bench) => {
    const { h } = bench;
    const blob = bench.evict(p);
    bench.enter(1);
    h.powerCycle();
    assert.deepEqual([h.insideOf(1), h.aex(1)], [-1, false]);
    for (let page = 0; page < h.pageCount; page++) assert.equal(h.isValid(page), false);
    const results: Record<string, number> = {
      EADD: h.eadd(0, free, secsB, BASE, REG_R, 1),
      EAUG: h.eaug(0, free, secs, BASE, 0),
      EINIT: h.einit(0, secsB, {}),
      ETRACK: h.etrack(0, secs),
      EWB: h.ewb(0, p, va, 0, bench.newBlob()),
      ELDU: h.eldu(0, p, secs, va, 0, blob),
      EMODPR: h.emodpr(0, p, REG_R),
      EENTER: h.eenter(0, tcs, BASE + tcs),
    };
    for (const [leaf, result] of Object.entries(results)) expectResult(result, PF, leaf);
    const coded = [h.etrackc(0, p), h.eblock(0, p), h.eremove(0, p)];
    assert.deepEqual(coded, [SgxCode.PG_INVLD, SgxCode.PG_INVLD, 0]);
    bench.furnish();
    bench.evict(p);
    expectResult(h.eldu(0, p, secs, va, 0, blob), MAC_COMPARE_FAIL, 'a blob from before');
  },
  'EUPDATESVN wants an empty EPC, and newer microcode': (bench) => {
    const { h } = bench;
    for (const page of [p, q, tcs, tcs2, secs, pB, secsB, va]) {
      expectResult(h.eupdatesvn(0), SgxCode.EPC_NOT_READY, 'EUPDATESVN of an EPC in use');
      bench.done(h.eremove(0, page));
    }
    expectResult(h.eupdatesvn(0), SgxCode.EPC_NOT_READY, 'EUPDATESVN with a VA page left');
    bench.done(h.eremove(0, va2));
    expectResult(h.eupdatesvn(0), SgxCode.NO_UPDATE, 'EUPDATESVN without newer microcode');
  },
};
