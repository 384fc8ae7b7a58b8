import assert from 'node:assert/strict';
import type { RdInfo } from '@epckit/interface';
import { Access, EpcmCheck, LeafFault, PageType, SecInfo, SgxCode } from '@epckit/interface';
import type { Bench } from './sgx-hardware-subject.js';
import { at, BASE, expectResult, REG_R, REG_RW, SOURCE, seen, TCS, TRIM } from './sgx-hardware-subject.js';

const { GP } = LeafFault;
const { R, W, X, PENDING, MODIFIED, PR } = SecInfo;
const { va, secs, secsB, tcs, p, q, pB, free, free2 } = at;

const INVALID = { valid: false, type: 0, flags: 0, blocked: false, secs: -1, linearPage: 0 };
const child = (page: number, type: number, flags: number, owner: number = secs) => {
  return { valid: true, type, flags, blocked: false, secs: owner, linearPage: BASE + page };
};
const alone = (type: number) => ({ valid: true, type, flags: 0, blocked: false, secs: -1, linearPage: 0 });
const rdinfo = ({ h, done }: Bench, page: number): RdInfo => {
  const info = { status: 9, flags: 9, blocked: true, context: 9 };
  done(h.erdinfo(0, page, info));
  return info;
};

/** What leaves do when they succeed. */
export const effects: Readonly<Record<string, (bench: Bench) => void>> = {
  'ECREATE, EADD, EPA make the entries that they say': ({ h, done }) => {
    assert.deepEqual(seen(h.entry(secs)), alone(PageType.SECS));
    assert.deepEqual(seen(h.entry(va)), alone(PageType.VA));
    assert.deepEqual(seen(h.entry(tcs)), child(tcs, PageType.TCS, 0));
    assert.deepEqual(seen(h.entry(p)), child(p, PageType.REG, R | W));
    assert.deepEqual(seen(h.entry(free)), INVALID);
    done(h.eadd(0, free, secsB, BASE + free, TCS | R | W | X, 1));
    assert.deepEqual(seen(h.entry(free)), child(free, PageType.TCS, 0, secsB));
    done(h.ecreate(0, free2, SOURCE), h.eextend(0, pB, secsB, 15), h.einit(0, secsB, {}));
    assert.deepEqual(h.tracking(free2), { epoch: 0, current: 0, previous: 0, children: 0 });
    assert.equal(h.tracking(secsB).children, 2);
  },
  'hardware does not mind two pages at one address': ({ h, done }) => {
    done(h.eadd(0, free, secsB, BASE + pB, REG_RW, 1), h.eaug(0, free2, secs, BASE + p, 0));
    assert.equal(h.tracking(secsB).children, 2);
  },
  'EREMOVE frees children, then the SECS, and a free page': ({ h, done }) => {
    done(h.eremove(0, free), h.eblock(0, pB), h.eremove(0, pB));
    assert.deepEqual([h.isValid(pB), h.tracking(secsB).children], [false, 0]);
    done(h.eremove(0, secsB), h.eremove(0, va), h.ecreate(0, secsB, SOURCE));
  },
  'EREMOVE frees an accepted trimmed page while a thread runs': (bench) => {
    const { h, done } = bench;
    done(h.emodt(0, p, TRIM), h.etrack(0, secs));
    bench.enter(1);
    done(h.eaccept(1, p, BASE + p, TRIM | MODIFIED), h.eremove(0, p));
    assert.deepEqual([h.isValid(p), h.insideOf(1)], [false, secs]);
  },
  'EBLOCK blocks, and nothing clears it but leaving': (bench) => {
    const { h } = bench;
    bench.block(p);
    assert.deepEqual(seen(h.entry(p)), { ...child(p, PageType.REG, R | W), blocked: true });
    assert.equal(h.check(secs, p, BASE + p, Access.READ), EpcmCheck.BLOCKED);
  },
  'EAUG makes a page that waits, and EACCEPT takes it without an ETRACK': (bench) => {
    const { h, done } = bench;
    bench.augment();
    assert.deepEqual(seen(h.entry(free)), child(free, PageType.REG, R | W | PENDING));
    assert.equal(h.check(secs, free, BASE + free, Access.READ), EpcmCheck.PENDING);
    bench.enter(1);
    // PR is the one flag that is not compared.
    done(h.eaccept(1, free, BASE + free, REG_RW | PENDING | PR));
    assert.deepEqual(seen(h.entry(free)), child(free, PageType.REG, R | W));
    assert.equal(h.tracking(secs).children, 5);
  },
  'EACCEPTCOPY fills a page and gives it its permissions': (bench) => {
    const { h, done } = bench;
    bench.augment();
    bench.enter(1);
    done(h.eacceptcopy(1, free, BASE + free, p, BASE + p, REG_R | X));
    assert.deepEqual(seen(h.entry(free)), child(free, PageType.REG, R | X));
    assert.equal(bench.peek(free), bench.peek(p));
  },
  'EMODPR takes permissions away, EACCEPT agrees, EMODPE gives more': (bench) => {
    const { h, done } = bench;
    done(h.emodpr(0, p, REG_R | X), h.etrack(0, secs));
    assert.deepEqual(seen(h.entry(p)), child(p, PageType.REG, R | PR));
    bench.enter(1);
    const waiting = h.eaccept(1, p, BASE + p, REG_R | PENDING);
    expectResult(waiting, SgxCode.PAGE_ATTRIBUTES_MISMATCH, 'EACCEPT of a page that does not wait');
    done(h.eaccept(1, p, BASE + p, REG_R | PR), h.emodpe(1, p, BASE + p, X));
    assert.deepEqual(seen(h.entry(p)), child(p, PageType.REG, R | X));
  },
  'EMODT makes a thread, which EACCEPT admits': (bench) => {
    const { h, done } = bench;
    done(h.emodpr(0, q, REG_R), h.emodt(0, q, TRIM), h.etrack(0, secs));
    assert.deepEqual(seen(h.entry(q)), child(q, PageType.TRIM, MODIFIED));
    bench.enter(1);
    done(h.eaccept(1, q, BASE + q, TRIM | MODIFIED));
    assert.deepEqual(seen(h.entry(q)), child(q, PageType.TRIM, 0));
    expectResult(h.emodt(0, q, TRIM), LeafFault.PF, 'EMODT of an accepted TRIM page');
  },
  'a debugger reads and writes ordinary pages, and sees which slots are occupied': (bench) => {
    const { h, done } = bench;
    const word = { value: 1n };
    done(h.edbgwr(0, p, 8, 0xfedc_ba98_7654_3210n), h.edbgrd(0, p, 8, word));
    assert.equal(word.value, 0xfedc_ba98_7654_3210n);
    assert.equal(bench.peek(va), 0n);
    const before = bench.peek(q);
    const blob = bench.evict(p);
    assert.equal(bench.peek(va), 0xffff_ffff_ffff_ffffn);
    done(h.eldu(0, free, secs, va, 0, blob), h.edbgrd(0, free, 8, word));
    assert.deepEqual([word.value, bench.peek(q)], [0xfedc_ba98_7654_3210n, before]);
    done(h.edbgwr(0, tcs, 8, 0n));
  },
  'a debugger is refused by an enclave that is not for debugging': ({ h, done }) => {
    done(h.ecreate(0, free, { ...SOURCE, attributes: 4 }), h.eadd(0, free2, free, BASE, REG_RW, 1));
    expectResult(h.edbgrd(0, free2, 0, { value: 0n }), GP, 'EDBGRD');
    expectResult(h.edbgwr(0, free2, 0, 0n), GP, 'EDBGWR');
  },
  'ERDINFO tells flags, BLOCKED, children and ENCLAVECONTEXT': (bench) => {
    const { h, done } = bench;
    bench.block(p);
    done(h.esetcontext(0, secs, 4711));
    assert.deepEqual(rdinfo(bench, p), { status: 0, flags: REG_RW, blocked: true, context: 4711 });
    assert.deepEqual(rdinfo(bench, secs), { status: 1, flags: 0, blocked: false, context: 4711 });
    done(h.eincvirtchild(0, p, secs), h.eincvirtchild(0, secs, secs), h.edecvirtchild(0, p, secs));
    assert.equal(rdinfo(bench, secs).status, 3);
    done(h.edecvirtchild(0, p, secs));
    assert.equal(rdinfo(bench, secs).status, 1);
    assert.deepEqual(rdinfo(bench, va), { status: 0, flags: 0x300, blocked: false, context: 0 });
  },
  'entries and exits count the processor': (bench) => {
    const { h, done } = bench;
    bench.enter(2);
    assert.deepEqual([h.insideOf(2), h.tracking(secs).current], [secs, 1]);
    done(h.eexit(2));
    assert.deepEqual([h.insideOf(2), h.tracking(secs).current], [-1, 0]);
    bench.enter(2);
    assert.deepEqual([h.aex(2), h.aex(2)], [true, false]);
    done(h.eresume(2, tcs, BASE + tcs), h.eexit(2));
    expectResult(h.eresume(2, tcs, BASE + tcs), GP, 'a second ERESUME after one AEX');
  },
  'an access is judged by BLOCKED, type, owner, address and permissions': ({ h }) => {
    const check = (owner: number, page: number, linearPage: number, kind: number = Access.READ) =>
      h.check(owner, page, linearPage, kind as 0);
    assert.deepEqual(
      [
        check(secs, p, BASE + p),
        check(secs, free, BASE),
        check(secs, tcs, BASE + tcs),
        check(secsB, p, BASE + p),
        check(secs, p, BASE),
        check(secs, p, BASE + p, Access.EXECUTE),
      ],
      [
        EpcmCheck.OK,
        EpcmCheck.INVALID,
        EpcmCheck.TYPE,
        EpcmCheck.OWNER,
        EpcmCheck.ADDRESS,
        EpcmCheck.PERMISSION,
      ],
    );
  },
  'counts every change of an entry, and nothing else': ({ h, done }) => {
    const { changes } = h;
    done(h.etrack(0, secs), h.eremove(0, free));
    assert.equal(h.changes, changes);
    done(h.eblock(0, p));
    assert.ok(h.changes > changes);
  },
};
