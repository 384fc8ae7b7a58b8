import { Leaf, PageType, SecInfo } from '@epckit/interface';
import type { Act, RowSuite } from '../suite.js';
import { gp, ok, pf, rcx, zf } from '../suite.js';
import { at, encls, epc, inGuest, linPage, off, TRIM } from '../world.js';

import { both, busyTarget, hold, page, reg, target } from './operands.js';

const trim: Act = (w) => {
  const h = w.hardware;
  const results = [
    h.emodt(0, at.p, TRIM),
    h.etrack(0, at.secs),
    h.eenter(1, at.tcs, linPage(off.tcs)),
    h.eaccept(1, at.p, linPage(off.p), TRIM | SecInfo.MODIFIED),
  ];
  if (results.some((result) => result !== 0)) throw new Error(String(results));
};
const isGone =
  (index: number): Act =>
  (w) => {
    if (w.hardware.isValid(index)) throw new Error(`page ${index} is still valid`);
  };
const emptyB: Act = (w) => {
  w.hardware.eremove(0, at.pB);
  w.hardware.eremove(0, at.tcsB);
};

export { emptyB };

export const eremoveSuite: RowSuite = {
  table: 'EREMOVE',
  call: (w) => encls(w, Leaf.EREMOVE, { rcx: epc(w, at.p) }),
  cases: [
    ...target(1, 2),
    ...busyTarget(3, Leaf.EBLOCK),
    {
      row: 3,
      what: 'another page of the enclave is being removed',
      defect: hold(Leaf.EREMOVE, at.q),
      outcome: gp,
    },
    { row: 4, what: 'a free page', defect: page('rcx', at.free), outcome: ok },
    { row: 5, what: 'a VA page', also: page('rcx', at.va), outcome: ok, effect: isGone(at.va) },
    {
      row: 6,
      what: 'an accepted TRIM page with a processor inside',
      given: trim,
      outcome: ok,
      effect: isGone(at.p),
    },
    { row: 7, what: 'a SECS with children', defect: page('rcx', at.secs), outcome: zf(13) },
    {
      row: 8,
      what: 'a SECS with virtual children, in a guest',
      given: both(emptyB, inGuest),
      also: page('rcx', at.secsB),
      defect: (w) => w.hardware.eincvirtchild(0, at.secsB, at.secsB),
      outcome: zf(13),
    },
    {
      row: 9,
      what: 'a SECS without children',
      given: emptyB,
      also: page('rcx', at.secsB),
      outcome: ok,
      effect: isGone(at.secsB),
    },
    {
      row: 9,
      what: 'a SECS with virtual children, not in a guest',
      given: both(emptyB, (w) => w.hardware.eincvirtchild(0, at.secsB, at.secsB)),
      also: page('rcx', at.secsB),
      outcome: ok,
      effect: isGone(at.secsB),
    },
    {
      row: 10,
      what: 'a processor is inside',
      defect: (w) => w.hardware.eenter(1, at.tcs, linPage(off.tcs)),
      outcome: zf(14),
    },
    {
      row: 10,
      what: 'TRIM not accepted and a processor inside',
      given: (w) => w.hardware.emodt(0, at.p, TRIM),
      defect: (w) => w.hardware.eenter(1, at.tcs, linPage(off.tcs)),
      outcome: zf(14),
    },
    { row: 11, what: 'a REG page', outcome: ok, effect: isGone(at.p) },
    { row: 11, what: 'a TCS page', also: page('rcx', at.tcs), outcome: ok, effect: isGone(at.tcs) },
    {
      row: 11,
      what: 'a TRIM page that was not accepted',
      given: (w) => w.hardware.emodt(0, at.p, TRIM),
      outcome: ok,
      effect: isGone(at.p),
    },
  ],
};

export const epaSuite: RowSuite = {
  table: 'EPA',
  isSilent: true,
  call: (w) => encls(w, Leaf.EPA, { rbx: BigInt(PageType.VA), rcx: epc(w, at.free) }),
  cases: [
    { row: 1, what: 'RBX is not 3', defect: reg('rbx', 2n), outcome: gp },
    ...target(1, 2),
    ...busyTarget(3),
    { row: 4, what: 'the target is valid', defect: page('rcx', at.p), outcome: pf(rcx) },
  ],
};
