import assert from 'node:assert/strict';
import type { LeafName } from '@epckit/interface';
import { Leaf, LeafFault, SgxCode } from '@epckit/interface';
import type { Bench } from './sgx-hardware-subject.js';
import { at, BASE, expectResult, REG_R, REG_RW, SOURCE, TRIM } from './sgx-hardware-subject.js';

const { GP, PF } = LeafFault;
const { EPC_PAGE_CONFLICT: BUSY, ENTRYEPOCH_LOCKED } = SgxCode;
const { va, va2, secs, secsB, tcs, p, q, pB, free, free2, outside } = at;

/** A leaf with the operands of acquire: page, SECS, VA page. */
type Running = readonly [leaf: LeafName, page: number, secs?: number, va?: number];
/** Who runs on CPU 1, who comes on CPU 0 or inside on CPU 2, and what the second gets. */
type Row = readonly [other: Running, mine: Running, result: number];

const EADD: Running = ['EADD', free, secsB];
const ELDU: Running = ['ELDU', free, secs, va];
const ELDUC: Running = ['ELDUC', free, secs, va];
const EWB: Running = ['EWB', p, -1, va];

const rows: readonly Row[] = [
  [['EPA', free], ['ECREATE', free], GP],
  [['ECREATE', free], ['EPA', free], GP],
  [['EPA', free], EADD, GP],
  [['EREMOVE', secsB], EADD, GP],
  [['EEXTEND', pB, secsB], EADD, GP],
  [['EPA', free], ['EAUG', free, secs], GP],
  [['EREMOVE', secs], ['EAUG', free, secs], GP],
  [['EREMOVE', pB], ['EEXTEND', pB, secsB], GP],
  [EADD, ['EEXTEND', pB, secsB], GP],
  [['EREMOVE', secsB], ['EEXTEND', pB, secsB], 0],
  [EADD, ['EINIT', secsB], GP],
  [['EREMOVE', secsB], ['EINIT', secsB], GP],
  [['EBLOCK', p], ['EREMOVE', p], GP],
  [['EREMOVE', q], ['EREMOVE', p], GP],
  [['EREMOVE', pB], ['EREMOVE', p], 0],
  [['EREMOVE', p], ['EBLOCK', p], BUSY],
  [['EBLOCK', p], ['EBLOCK', p], 0],
  [['ETRACK', secs], ['EBLOCK', p], ENTRYEPOCH_LOCKED],
  [['ETRACKC', q], ['EBLOCK', p], ENTRYEPOCH_LOCKED],
  [['ETRACK', secsB], ['EBLOCK', p], 0],
  [['EBLOCK', p], ['ETRACK', secs], 0],
  [['ETRACK', secs], ['ETRACK', secs], GP],
  [EWB, ['ETRACK', secs], GP],
  [['ETRACK', secs], ['ETRACKC', p], BUSY],
  [['EREMOVE', p], ['ETRACKC', p], BUSY],
  [['EBLOCK', p], EWB, GP],
  [['EREMOVE', va], EWB, GP],
  [['ETRACK', secs], EWB, GP],
  [['EWB', q, -1, va], EWB, 0],
  [['EPA', free], ELDU, GP],
  [['EREMOVE', va], ELDU, GP],
  [['EREMOVE', secs], ELDU, GP],
  [['EPA', free], ELDUC, BUSY],
  [['EREMOVE', va], ELDUC, BUSY],
  [['EREMOVE', secs], ELDUC, BUSY],
  [['EMODT', p], ['EMODPR', p], GP],
  [['EMODPR', p], ['EMODPR', p], BUSY],
  [['EBLOCK', p], ['EMODT', p], BUSY],
  [['EBLOCK', p], ['EMODPR', p], 0],
  [['EREMOVE', p], ['ERDINFO', p], BUSY],
  [['EREMOVE', p], ['EDBGRD', p], GP],
  [['EREMOVE', p], ['EDBGWR', p], GP],
  [['EREMOVE', p], ['EINCVIRTCHILD', p, secs], BUSY],
  [['EREMOVE', p], ['EDECVIRTCHILD', p, secs], BUSY],
  [['EREMOVE', secs], ['ESETCONTEXT', secs], BUSY],
  [['EREMOVE', q], ['EENTER', tcs], GP],
  [['EWB', tcs, -1, va], ['EENTER', tcs], GP],
  [['EBLOCK', tcs], ['EENTER', tcs], 0],
  [['EREMOVE', q], ['ERESUME', tcs], GP],
  [['EMODPR', p], ['EACCEPT', p], GP],
  [['EMODPR', p], ['EMODPE', p], GP],
  [['EBLOCK', p], ['EUPDATESVN', -1], BUSY],
  [['EUPDATESVN', -1], ['EPA', free], GP],
  [['EUPDATESVN', -1], ['EBLOCK', p], 0],
  // Rows before the lock win, rows behind it lose.
  [['EREMOVE', secsB], ['EADD', p, secsB], 0],
  [['EPA', free], ['EADD', free, outside], 0],
  [['EBLOCK', p], ['EPA', p], GP],
];

const INSIDE: readonly LeafName[] = ['EACCEPT', 'EMODPE', 'EACCEPTCOPY'];

function acquire({ h }: Bench, cpu: number, [leaf, page, owner = -1, vaPage = -1]: Running): number {
  return h.acquire(cpu, Leaf[leaf], page, owner, vaPage);
}

function name([leaf, page]: Running): string {
  return `${leaf} of page ${page}`;
}

/** Conflicts, as acquire reports them and as the leaf itself meets them. */
export const conflicts: Readonly<Record<string, (bench: Bench) => void>> = {
  'a second leaf gets what the concurrency table says, and holds nothing then': (bench) => {
    const { h } = bench;
    bench.enter(2, at.tcs2);
    for (const [other, mine, result] of rows) {
      const what = `${name(mine)} during ${name(other)}`;
      const cpu = INSIDE.includes(mine[0]) ? 2 : 0;
      expectResult(acquire(bench, 1, other), 0, `${name(other)} alone`);
      expectResult(acquire(bench, cpu, mine), result, what);
      h.complete(1);
      if (result === 0) h.complete(cpu);
      expectResult(acquire(bench, 3, ['EUPDATESVN', -1]), 0, `nobody at all, after ${what}`);
      h.complete(3);
    }
  },
  'a leaf that is called meets the same conflict, and changes nothing': (bench) => {
    const { h, newBlob } = bench;
    const calls: Readonly<Record<string, readonly [Running, number, () => number]>> = {
      ECREATE: [['EPA', free], GP, () => h.ecreate(0, free, SOURCE)],
      EADD: [['EPA', free], GP, () => h.eadd(0, free, secsB, BASE, REG_RW, 1)],
      'EADD of a valid page': [['EREMOVE', secsB], PF, () => h.eadd(0, p, secsB, BASE, REG_RW, 1)],
      EBLOCK: [['EREMOVE', p], BUSY, () => h.eblock(0, p)],
      'EBLOCK during ETRACK': [['ETRACK', secs], ENTRYEPOCH_LOCKED, () => h.eblock(0, p)],
      EREMOVE: [['EREMOVE', q], GP, () => h.eremove(0, p)],
      ETRACK: [['ETRACK', secs], GP, () => h.etrack(0, secs)],
      ETRACKC: [['ETRACK', secs], BUSY, () => h.etrackc(0, p)],
      EWB: [['EREMOVE', va], GP, () => h.ewb(0, p, va, 0, newBlob())],
      ELDUC: [['EPA', free], BUSY, () => h.elduc(0, free, secs, va2, 0, newBlob())],
      EAUG: [['EREMOVE', secs], GP, () => h.eaug(0, free, secs, BASE, 0)],
      EMODPR: [['EMODPR', p], BUSY, () => h.emodpr(0, p, REG_R)],
      EMODT: [['EBLOCK', p], BUSY, () => h.emodt(0, p, TRIM)],
      EENTER: [['EREMOVE', q], GP, () => h.eenter(0, tcs, BASE + tcs)],
      EUPDATESVN: [['EBLOCK', p], BUSY, () => h.eupdatesvn(0)],
    };
    for (const [what, [other, result, call]] of Object.entries(calls)) {
      expectResult(acquire(bench, 1, other), 0, name(other));
      const before = JSON.stringify(bench.snapshot());
      expectResult(call(), result, what);
      assert.equal(JSON.stringify(bench.snapshot()), before, `${what} has changed something`);
      h.complete(1);
    }
  },
  'a leaf does not conflict with itself, and complete gives back': (bench) => {
    const { h } = bench;
    expectResult(acquire(bench, 0, ['EREMOVE', pB]), 0, 'acquire');
    bench.done(h.eremove(0, pB));
    expectResult(h.epa(1, pB), GP, 'EPA during EREMOVE');
    h.complete(0);
    bench.done(h.epa(1, pB), h.epa(0, free2));
  },
  'a processor runs one leaf at a time': (bench) => {
    bench.done(acquire(bench, 0, ['EBLOCK', p]));
    assert.throws(() => acquire(bench, 0, ['EBLOCK', q]));
  },
};
