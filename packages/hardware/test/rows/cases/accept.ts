import { Leaf, PageType, SecInfo } from '@epckit/interface';
import type { Act, RowCase, RowSuite } from '../suite.js';
import { gp, ordinary, pf, rbx, rcx, rdx, zf } from '../suite.js';
import type { World } from '../world.js';
import {
  at,
  enclu,
  enter,
  lin,
  linPage,
  mem,
  off,
  poke,
  REG_R,
  REG_RW,
  renew,
  setEnclaveSecInfo,
  TCS,
  TRIM,
  tcsBytes,
  typed,
  WILD,
} from '../world.js';
import { leafs, remap, toOrdinary, unmap } from './entry.js';
import { both, hold, reg } from './operands.js';

const { R, W, X, PENDING, MODIFIED, PR } = SecInfo;
const REG = PageType.REG;
const NEW = REG_RW | PENDING;
const secinfo =
  (flags: number | bigint): Act =>
  (w) =>
    setEnclaveSecInfo(w, flags);
const secinfoByte: Act = (w) => poke(w, at.info, 56, 1n << 63n);
const cet = { features: { cet: true } };

/** Row of the SECINFO page: everything that its EPCM entry can have wrong. */
const secinfoPage = (row: number): RowCase[] => [
  { row, what: 'the SECINFO page is free', defect: remap(off.info, at.free), outcome: pf(rbx) },
  { row, what: 'the SECINFO page is not readable', defect: reg('rbx', lin(off.fetchOnly)), outcome: pf(rbx) },
  { row, what: 'the SECINFO page is PENDING', defect: reg('rbx', lin(off.pending)), outcome: pf(rbx) },
  {
    row,
    what: 'the SECINFO page is MODIFIED',
    defect: leafs((h) => h.emodt(0, at.info, TRIM)),
    outcome: pf(rbx),
  },
  { row, what: 'the SECINFO page is blocked', defect: leafs((h) => h.eblock(0, at.info)), outcome: pf(rbx) },
  { row, what: 'the SECINFO page is a TCS page', defect: reg('rbx', lin(off.tcs2)), outcome: pf(rbx) },
  {
    row,
    what: 'the SECINFO page belongs to another enclave',
    defect: remap(off.info, at.pB),
    outcome: pf(rbx),
  },
  {
    row,
    what: 'the SECINFO page belongs to another address',
    defect: both(remap(off.hole, at.info), reg('rbx', lin(off.hole))),
    outcome: pf(rbx),
  },
];
/** An operand inside ELRANGE: its alignment, range, and that it is in the EPC. */
function operand(name: 'rbx' | 'rcx' | 'rdx', offset: number, range: number, inEpc: number): RowCase[] {
  const upper = name.toUpperCase();
  const value = (w: World) => w.registers[name];
  return [
    {
      row: range,
      what: `${upper} is misaligned`,
      defect: (w) => {
        w.registers[name] += 32n;
      },
      outcome: gp,
    },
    { row: range, what: `${upper} is not canonical`, defect: reg(name, WILD), outcome: gp },
    { row: range, what: `${upper} is behind ELRANGE`, defect: reg(name, lin(16)), outcome: gp },
    { row: range, what: `${upper} is before ELRANGE`, defect: reg(name, mem.spare), outcome: gp },
    { row: inEpc, what: `${upper} is ordinary memory`, defect: toOrdinary(offset), outcome: pf(value) },
    { row: inEpc, what: `${upper} is not mapped`, defect: unmap(offset), outcome: ordinary(value) },
  ];
}

/** Restricted to R while CPU 0 was outside; it is tracked, so that the enclave can accept. */
const restricted: Act = leafs((h) => {
  h.emodpr(0, at.p, REG_R);
  h.etrack(0, at.secs);
});
const acceptRestricted: Act = both(secinfo(REG_R | PR), reg('rcx', lin(off.p)));
/** The page p holds a TCS and was given that type. */
const newThread: Act = (w) => {
  const view = new DataView(tcsBytes().buffer);
  for (let at8 = 0; at8 < 4096; at8 += 8) poke(w, at.p, at8, view.getBigUint64(at8, true));
  w.hardware.emodt(0, at.p, TCS);
  w.hardware.etrack(0, at.secs);
};
const acceptThread: Act = both(secinfo(TCS | MODIFIED), reg('rcx', lin(off.p)));
const inThread =
  (offset: number, value: bigint): Act =>
  (w) =>
    poke(w, at.p, offset, value);
const pendingStack: Act = leafs((h) => {
  h.eaug(0, at.free, at.secs, linPage(off.hole), typed(PageType.SS_REST, R | W));
});
const acceptStack: Act = both(
  remap(off.hole, at.free),
  secinfo(typed(PageType.SS_REST, R | W) | PENDING),
  reg('rcx', lin(off.hole)),
);

export const eacceptSuite: RowSuite = {
  table: 'EACCEPT',
  call: (w) => {
    setEnclaveSecInfo(w, NEW);
    enter(w);
    enclu(w, Leaf.EACCEPT, { rbx: lin(off.info), rcx: lin(off.pending) });
  },
  cases: [
    ...operand('rbx', off.info, 1, 2),
    ...secinfoPage(3),
    { row: 4, what: 'a reserved bit of SECINFO', defect: secinfo(NEW | 0x40), outcome: gp },
    {
      row: 4,
      what: 'a high reserved bit of SECINFO',
      defect: secinfo(BigInt(NEW) | (1n << 16n)),
      outcome: gp,
    },
    { row: 4, what: 'a reserved byte of SECINFO', defect: secinfoByte, outcome: gp },
    ...operand('rcx', off.pending, 5, 6),
    { row: 7, what: 'REG without a state', defect: secinfo(REG_RW), outcome: gp },
    { row: 7, what: 'REG and MODIFIED', defect: secinfo(REG_RW | MODIFIED | PENDING), outcome: gp },
    { row: 7, what: 'TCS and PENDING', defect: secinfo(TCS | PENDING), outcome: gp },
    { row: 7, what: 'TRIM, MODIFIED and PR', defect: secinfo(TRIM | MODIFIED | PR), outcome: gp },
    { row: 7, what: 'TRIM without a state', defect: secinfo(TRIM), outcome: gp },
    { row: 7, what: 'type VA', defect: secinfo(typed(PageType.VA, PENDING)), outcome: gp },
    {
      row: 7,
      what: 'a shadow stack without CET',
      defect: secinfo(typed(PageType.SS_REST, R | W | PENDING)),
      outcome: gp,
    },
    {
      row: 7,
      what: 'a shadow stack and PR',
      ...cet,
      given: pendingStack,
      also: acceptStack,
      defect: secinfo(typed(PageType.SS_REST, R | W | PENDING | PR)),
      outcome: gp,
    },
    { row: 8, what: 'the page is free', defect: remap(off.pending, at.free), outcome: pf(rcx) },
    { row: 8, what: 'the page is blocked', defect: leafs((h) => h.eblock(0, at.pending)), outcome: pf(rcx) },
    { row: 8, what: 'a VA page', defect: remap(off.pending, at.va), outcome: pf(rcx) },
    { row: 8, what: 'a SECS', defect: remap(off.pending, at.secs), outcome: pf(rcx) },
    { row: 8, what: 'a page of another enclave', defect: remap(off.pending, at.pB), outcome: pf(rcx) },
    { row: 9, what: 'the page is in use', defect: hold(Leaf.EREMOVE, 'rcx'), outcome: gp },
    { row: 9, what: 'an EMODPR of the page is running', defect: hold(Leaf.EMODPR, 'rcx'), outcome: gp },
    {
      row: 10,
      what: 'the page belongs to another address',
      defect: both(remap(off.hole, at.pending), reg('rcx', lin(off.hole))),
      outcome: zf(19),
    },
    { row: 10, what: 'the page is not PENDING', defect: reg('rcx', lin(off.p)), outcome: zf(19) },
    { row: 10, what: 'PENDING is not expected', defect: secinfo(REG_RW | PR), outcome: zf(19) },
    { row: 10, what: 'fewer permissions are expected', defect: secinfo(REG_R | PENDING), outcome: zf(19) },
    { row: 10, what: 'more permissions are expected', defect: secinfo(NEW | X), outcome: zf(19) },
    { row: 10, what: 'another type is expected', defect: secinfo(TRIM | MODIFIED), outcome: zf(19) },
    {
      row: 11,
      what: 'no ETRACK after the EMODPR',
      also: both(
        leafs((h) => h.emodpr(0, at.p, REG_R)),
        acceptRestricted,
      ),
      cure: (w) => {
        w.hardware.etrack(0, at.secs);
        renew(w);
        w.processor.logical(0).cpl = 3;
      },
      outcome: zf(11),
    },
    {
      row: 11,
      what: 'the accepting thread has not left since',
      also: both(restricted, acceptRestricted),
      cure: (w) => renew(w),
      outcome: zf(11),
    },
    {
      row: 12,
      what: 'a reserved byte of the new TCS',
      given: newThread,
      also: acceptThread,
      defect: inThread(4088, 1n),
      outcome: gp,
    },
    {
      row: 12,
      what: 'DBGOPTIN of the new TCS',
      given: newThread,
      also: acceptThread,
      defect: inThread(8, 1n),
      outcome: gp,
    },
    {
      row: 12,
      what: 'AEP of the new TCS',
      given: newThread,
      also: acceptThread,
      defect: inThread(40, 0x3000n),
      outcome: gp,
    },
    {
      row: 12,
      what: 'STATE of the new TCS',
      given: newThread,
      also: acceptThread,
      defect: inThread(0, 1n),
      outcome: gp,
    },
    {
      row: 12,
      what: 'CSSA of the new TCS is NSSA',
      given: newThread,
      also: acceptThread,
      defect: inThread(24, 2n | (2n << 32n)),
      cure: inThread(24, 1n | (2n << 32n)),
      outcome: gp,
    },
    {
      row: 12,
      what: 'PREVSSP of the new TCS with CET',
      ...cet,
      given: newThread,
      also: acceptThread,
      defect: inThread(80, 8n),
      outcome: gp,
    },
  ],
};

const source = rdx;
export const eacceptcopySuite: RowSuite = {
  table: 'EACCEPTCOPY',
  call: (w) => {
    setEnclaveSecInfo(w, typed(REG, R | X));
    enter(w);
    enclu(w, Leaf.EACCEPTCOPY, { rbx: lin(off.info), rcx: lin(off.pending), rdx: lin(off.p) });
  },
  cases: [
    ...operand('rbx', off.info, 1, 2),
    ...operand('rcx', off.pending, 1, 2),
    ...operand('rdx', off.p, 1, 2),
    ...secinfoPage(3),
    { row: 4, what: 'a reserved bit of SECINFO', defect: secinfo(REG_RW | 0x40), outcome: gp },
    { row: 4, what: 'PENDING in SECINFO', defect: secinfo(NEW), outcome: gp },
    { row: 4, what: 'W without R', defect: secinfo(typed(REG, W)), outcome: gp },
    { row: 4, what: 'type TCS', defect: secinfo(TCS), outcome: gp },
    { row: 5, what: 'the source is free', defect: remap(off.p, at.free), outcome: pf(source) },
    {
      row: 5,
      what: 'the source is not readable',
      defect: reg('rdx', lin(off.fetchOnly)),
      outcome: pf(source),
    },
    { row: 5, what: 'the source is PENDING', defect: reg('rdx', lin(off.pending)), outcome: pf(source) },
    {
      row: 5,
      what: 'the source is MODIFIED',
      defect: leafs((h) => h.emodt(0, at.p, TRIM)),
      outcome: pf(source),
    },
    { row: 5, what: 'the source is blocked', defect: leafs((h) => h.eblock(0, at.p)), outcome: pf(source) },
    { row: 5, what: 'the source is a TCS page', defect: reg('rdx', lin(off.tcs2)), outcome: pf(source) },
    {
      row: 5,
      what: 'the source belongs to another enclave',
      defect: remap(off.p, at.pB),
      outcome: pf(source),
    },
    {
      row: 5,
      what: 'the source belongs to another address',
      defect: both(remap(off.hole, at.p), reg('rdx', lin(off.hole))),
      outcome: pf(source),
    },
    { row: 6, what: 'the target is free', defect: remap(off.pending, at.free), outcome: zf(19) },
    { row: 6, what: 'the target is not PENDING', defect: reg('rcx', lin(off.q)), outcome: zf(19) },
    {
      row: 6,
      what: 'the target is MODIFIED',
      given: leafs((h) => h.emodt(0, at.q, TRIM)),
      defect: reg('rcx', lin(off.q)),
      outcome: zf(19),
    },
    { row: 6, what: 'the target is blocked', defect: leafs((h) => h.eblock(0, at.pending)), outcome: zf(19) },
    { row: 6, what: 'the target is a TCS page', defect: reg('rcx', lin(off.tcs2)), outcome: zf(19) },
    {
      row: 6,
      what: 'the target belongs to another enclave',
      defect: remap(off.pending, at.pB),
      outcome: zf(19),
    },
    { row: 7, what: 'an EMODPR of the target is running', defect: hold(Leaf.EMODPR, 'rcx'), outcome: gp },
    {
      row: 8,
      what: 'the target belongs to another address',
      defect: both(remap(off.hole, at.pending), reg('rcx', lin(off.hole))),
      outcome: zf(19),
    },
  ],
};

export const emodpeSuite: RowSuite = {
  table: 'EMODPE',
  isSilent: true,
  call: (w) => {
    setEnclaveSecInfo(w, typed(REG, R | X));
    enter(w);
    enclu(w, Leaf.EMODPE, { rbx: lin(off.info), rcx: lin(off.p) });
  },
  cases: [
    ...operand('rbx', off.info, 1, 2),
    ...operand('rcx', off.p, 1, 2),
    ...secinfoPage(3),
    { row: 4, what: 'a reserved bit of SECINFO', defect: secinfo(REG_RW | 0x40), outcome: gp },
    { row: 4, what: 'a reserved byte of SECINFO', defect: secinfoByte, outcome: gp },
    { row: 4, what: 'PENDING in SECINFO', defect: secinfo(NEW), outcome: gp },
    { row: 5, what: 'the page is free', defect: remap(off.p, at.free), outcome: pf(rcx) },
    { row: 5, what: 'the page is PENDING', defect: reg('rcx', lin(off.pending)), outcome: pf(rcx) },
    { row: 5, what: 'the page is MODIFIED', defect: leafs((h) => h.emodt(0, at.p, TRIM)), outcome: pf(rcx) },
    { row: 5, what: 'the page is blocked', defect: leafs((h) => h.eblock(0, at.p)), outcome: pf(rcx) },
    { row: 5, what: 'a TCS page', defect: reg('rcx', lin(off.tcs2)), outcome: pf(rcx) },
    { row: 5, what: 'a page of another enclave', defect: remap(off.p, at.pB), outcome: pf(rcx) },
    { row: 6, what: 'an EMODPR of the page is running', defect: hold(Leaf.EMODPR, 'rcx'), outcome: gp },
    {
      row: 7,
      what: 'the page belongs to another address',
      defect: both(remap(off.hole, at.p), reg('rcx', lin(off.hole))),
      outcome: pf(rcx),
    },
    {
      row: 8,
      what: 'W for a page without R',
      also: reg('rcx', lin(off.fetchOnly)),
      defect: secinfo(typed(REG, W)),
      outcome: gp,
    },
  ],
};
