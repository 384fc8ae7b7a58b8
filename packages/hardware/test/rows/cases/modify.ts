import { Leaf, PageType, SecInfo } from '@epckit/interface';
import type { Act, RowCase, RowSuite } from '../suite.js';
import { exit, gp, ok, ordinary, pf, rbx, rcx, zf } from '../suite.js';
import type { World } from '../world.js';
import {
  at,
  encls,
  epc,
  inGuest,
  lin,
  linPage,
  mem,
  off,
  poke,
  REG_R,
  REG_RW,
  setInfo,
  setSecInfo,
  TCS,
  TRIM,
  typed,
  WILD,
} from '../world.js';
import {
  both,
  busyTarget,
  hold,
  info,
  page,
  pageInfoRows,
  reg,
  secinfo,
  secinfoByte,
  secs,
  target,
} from './operands.js';

const { R, W, X, PENDING } = SecInfo;
const cet = { features: { cet: true } };
const STACK = typed(PageType.SS_REST, R | W);
/** PAGEINFO names a SECINFO. */
const withSecInfo = (flags: number): Act => both(secinfo(flags), info({ metadata: mem.secInfo }));
const stack = withSecInfo(STACK);
const noSecInfo = info({ metadata: 0n });

export const eaugSuite: RowSuite = {
  table: 'EAUG',
  isSilent: true,
  call: (w) => {
    setInfo(w, { linearAddress: lin(off.hole), secs: epc(w, at.secs) });
    encls(w, Leaf.EAUG, { rbx: mem.pageInfo, rcx: epc(w, at.free) });
  },
  cases: [
    ...pageInfoRows(1),
    ...target(2, 3),
    {
      row: 4,
      what: 'SECINFO is misaligned',
      ...cet,
      also: stack,
      defect: info({ metadata: mem.secInfo + 32n }),
      outcome: gp,
    },
    {
      row: 4,
      what: 'SECINFO is not mapped',
      ...cet,
      also: stack,
      defect: info({ metadata: mem.hole }),
      outcome: ordinary(() => mem.hole),
    },
    {
      row: 5,
      what: 'SECS is misaligned',
      defect: (w) => setInfo(w, { secs: epc(w, at.secs) + 64n }),
      outcome: gp,
    },
    {
      row: 5,
      what: 'LINADDR is misaligned',
      defect: info({ linearAddress: lin(off.hole) + 8n }),
      outcome: gp,
    },
    { row: 6, what: 'SRCPGE is not 0', defect: info({ source: mem.source }), outcome: gp },
    {
      row: 7,
      what: 'SECS is ordinary memory',
      defect: info({ secs: mem.spare }),
      outcome: pf(() => mem.spare),
    },
    ...busyTarget(8),
    { row: 9, what: 'the target is valid', defect: page('rcx', at.p), outcome: pf(rcx) },
    { row: 10, what: 'SECINFO of a REG page', ...cet, also: stack, defect: secinfo(REG_RW), outcome: gp },
    { row: 10, what: 'SECINFO with flags 0', ...cet, also: stack, defect: secinfo(0), outcome: gp },
    {
      row: 10,
      what: 'a reserved bit of SECINFO',
      ...cet,
      also: stack,
      defect: secinfo(STACK | 0x40),
      outcome: gp,
    },
    { row: 10, what: 'a reserved byte of SECINFO', ...cet, also: stack, defect: secinfoByte, outcome: gp },
    {
      row: 10,
      what: 'PENDING in SECINFO',
      ...cet,
      also: stack,
      defect: secinfo(STACK | PENDING),
      outcome: gp,
    },
    {
      row: 10,
      what: 'a shadow stack without W',
      ...cet,
      also: stack,
      defect: secinfo(typed(PageType.SS_REST, R)),
      outcome: gp,
    },
    { row: 10, what: 'a shadow stack with X', ...cet, also: stack, defect: secinfo(STACK | X), outcome: gp },
    { row: 10, what: 'a shadow stack without CET', also: stack, cure: noSecInfo, outcome: gp },
    {
      row: 11,
      what: 'a shadow stack while CR4.CET is 0',
      ...cet,
      also: stack,
      defect: (w) => w.hardware.platform.setShadowStacks(0, false),
      outcome: gp,
    },
    { row: 12, what: 'the SECS is in use', defect: hold(Leaf.EREMOVE, 'secs'), outcome: gp },
    { row: 13, what: 'the SECS is free', defect: secs(at.free2), outcome: pf((w) => epc(w, at.free2)) },
    { row: 13, what: 'the SECS is a VA page', defect: secs(at.va), outcome: pf((w) => epc(w, at.va)) },
    { row: 14, what: 'the enclave is not initialised', defect: secs(at.secsB), outcome: gp },
    {
      row: 15,
      what: 'LINADDR behind ELRANGE',
      defect: info({ linearAddress: lin(16) }),
      cure: info({ linearAddress: lin(15) }),
      outcome: gp,
    },
    {
      row: 16,
      what: 'a shadow stack in the first page of ELRANGE',
      ...cet,
      also: stack,
      defect: info({ linearAddress: lin(0) }),
      outcome: gp,
    },
    {
      row: 16,
      what: 'a shadow stack in the last page of ELRANGE',
      ...cet,
      also: stack,
      defect: info({ linearAddress: lin(15) }),
      outcome: gp,
    },
  ],
};

const secinfoOperand: RowCase[] = [
  { row: 1, what: 'RBX is misaligned', defect: reg('rbx', mem.secInfo + 32n), outcome: gp },
  { row: 1, what: 'RBX is not canonical', defect: reg('rbx', WILD), outcome: gp },
  { row: 1, what: 'RBX is not mapped', defect: reg('rbx', mem.hole), outcome: ordinary(rbx) },
];
/** CPU 1 is inside and has begun an EMODPE, which takes nothing but family A. */
const modifying: Act = (w) => {
  if (w.hardware.acquire(1, Leaf.EMODPE, at.p, -1, -1) !== 0) throw new Error('EMODPE could not begin');
};
const otherInside: Act = (w) => w.hardware.eenter(1, at.tcs2, linPage(off.tcs2));

export const emodprSuite: RowSuite = {
  table: 'EMODPR',
  call: (w) => {
    setSecInfo(w, REG_R);
    encls(w, Leaf.EMODPR, { rbx: mem.secInfo, rcx: epc(w, at.p) });
  },
  cases: [
    ...secinfoOperand,
    ...target(2, 3),
    { row: 4, what: 'a reserved bit of SECINFO', defect: secinfo(REG_R | 0x80), outcome: gp },
    { row: 4, what: 'a reserved byte of SECINFO', defect: secinfoByte, outcome: gp },
    { row: 4, what: 'PR in SECINFO', defect: secinfo(REG_R | SecInfo.PR), outcome: gp },
    { row: 4, what: 'W without R', defect: secinfo(typed(PageType.REG, W)), outcome: gp },
    { row: 5, what: 'the page is in use', defect: hold(Leaf.EREMOVE, 'rcx'), outcome: gp },
    { row: 6, what: 'a free page', defect: page('rcx', at.free), outcome: pf(rcx) },
    {
      row: 7,
      what: 'an EMODPE of the page is running',
      given: otherInside,
      defect: modifying,
      outcome: zf(7),
    },
    { row: 7, what: 'an EMODPR of the page is running', defect: hold(Leaf.EMODPR, 'rcx'), outcome: zf(7) },
    { row: 8, what: 'a PENDING page', defect: page('rcx', at.pending), outcome: zf(20) },
    { row: 8, what: 'a MODIFIED page', defect: (w) => w.hardware.emodt(0, at.p, TRIM), outcome: zf(20) },
    { row: 9, what: 'a TCS page', defect: page('rcx', at.tcs), outcome: pf(rcx) },
    { row: 9, what: 'a VA page', defect: page('rcx', at.va), outcome: pf(rcx) },
    { row: 9, what: 'a SECS', defect: page('rcx', at.secs), outcome: pf(rcx) },
    { row: 10, what: 'the enclave is not initialised', defect: page('rcx', at.pB), outcome: gp },
  ],
};

export const emodtSuite: RowSuite = {
  table: 'EMODT',
  call: (w) => {
    setSecInfo(w, TRIM);
    encls(w, Leaf.EMODT, { rbx: mem.secInfo, rcx: epc(w, at.p) });
  },
  cases: [
    ...secinfoOperand,
    ...target(2, 3),
    { row: 4, what: 'a reserved bit of SECINFO', defect: secinfo(TRIM | 0x40), outcome: gp },
    { row: 4, what: 'MODIFIED in SECINFO', defect: secinfo(TRIM | SecInfo.MODIFIED), outcome: gp },
    { row: 4, what: 'type REG', defect: secinfo(REG_R), outcome: gp },
    { row: 4, what: 'type SECS', defect: secinfo(0), outcome: gp },
    { row: 5, what: 'the page is in use', defect: hold(Leaf.EBLOCK, 'rcx'), outcome: zf(7) },
    {
      row: 5,
      what: 'the page is in use, in a guest',
      given: inGuest,
      defect: hold(Leaf.EBLOCK, 'rcx'),
      outcome: exit(71, 3, 7),
    },
    { row: 6, what: 'a free page', defect: page('rcx', at.free), outcome: pf(rcx) },
    {
      row: 7,
      what: 'an EMODPE of the page is running',
      given: otherInside,
      defect: modifying,
      outcome: zf(7),
    },
    {
      row: 8,
      what: 'a TCS page becomes TCS',
      also: secinfo(TCS),
      defect: page('rcx', at.tcs),
      outcome: pf(rcx),
    },
    { row: 8, what: 'a VA page', defect: page('rcx', at.va), outcome: pf(rcx) },
    { row: 8, what: 'a SECS', defect: page('rcx', at.secs), outcome: pf(rcx) },
    {
      row: 8,
      what: 'a shadow stack becomes TCS',
      ...cet,
      given: addStack,
      also: secinfo(TCS),
      defect: page('rcx', at.free),
      outcome: pf(rcx),
    },
    { row: 9, what: 'a PENDING page', defect: page('rcx', at.pending), outcome: zf(20) },
    {
      row: 9,
      what: 'a MODIFIED TCS page becomes TRIM',
      given: (w) => w.hardware.emodt(0, at.p, TCS),
      cure: page('rcx', at.q),
      outcome: zf(20),
    },
    { row: 10, what: 'the enclave is not initialised', defect: page('rcx', at.pB), outcome: gp },
  ],
};

function addStack(w: World): void {
  w.hardware.eaug(0, at.free, at.secs, linPage(off.hole), STACK);
}

const word = 0x1122_3344_5566_7788n;
const debugRows = (isRead: boolean): RowCase[] => [
  ...target(1, 2, 'rcx', 4n),
  { row: 3, what: 'the page is in use', defect: hold(Leaf.EREMOVE, 'rcx'), outcome: gp },
  { row: 4, what: 'a free page', defect: page('rcx', at.free), outcome: pf(rcx) },
  { row: 5, what: 'a SECS', defect: page('rcx', at.secs), outcome: pf(rcx) },
  ...(isRead ? [] : [{ row: 5, what: 'a VA page', defect: page('rcx', at.va), outcome: pf(rcx) }]),
  {
    row: 5,
    what: 'an accepted TRIM page',
    given: trimmed,
    also: page('rcx', at.q),
    defect: page('rcx', at.p),
    outcome: pf(rcx),
  },
  { row: 6, what: 'a PENDING page', defect: page('rcx', at.pending), outcome: zf(21) },
  {
    row: 6,
    what: 'a MODIFIED TCS page',
    given: (w) => w.hardware.emodt(0, at.p, TCS),
    cure: page('rcx', at.q),
    outcome: zf(21),
  },
  { row: 8, what: 'the enclave is not for debugging', defect: page('rcx', at.pB), outcome: gp },
];

function trimmed({ hardware: h }: World): void {
  h.emodt(0, at.p, TRIM);
  h.etrack(0, at.secs);
  h.eenter(1, at.tcs, linPage(off.tcs));
  h.eaccept(1, at.p, linPage(off.p), TRIM | SecInfo.MODIFIED);
}
const readsWord: Act = (w) => {
  if (w.registers.rbx !== word) throw new Error(`RBX is ${w.registers.rbx}`);
};

export const edbgrdSuite: RowSuite = {
  table: 'EDBGRD',
  call: (w) => {
    poke(w, at.p, 16, word);
    encls(w, Leaf.EDBGRD, { rcx: epc(w, at.p) + 16n });
  },
  cases: [
    ...debugRows(true),
    {
      row: 7,
      what: 'behind the fields of a TCS',
      defect: page('rcx', at.tcs, 72n),
      cure: page('rcx', at.tcs, 64n),
      outcome: gp,
    },
    {
      row: 7,
      what: 'behind the fields of a TCS with CET',
      ...cet,
      defect: page('rcx', at.tcs, 88n),
      cure: page('rcx', at.tcs, 80n),
      outcome: gp,
    },
    { row: 9, what: 'a word of a REG page', outcome: ok, effect: readsWord },
  ],
};

export const edbgwrSuite: RowSuite = {
  table: 'EDBGWR',
  call: (w) => encls(w, Leaf.EDBGWR, { rbx: word, rcx: epc(w, at.p) + 16n }),
  cases: [
    ...debugRows(false),
    {
      row: 7,
      what: 'STATE of a TCS',
      defect: page('rcx', at.tcs),
      cure: page('rcx', at.tcs, 8n),
      outcome: gp,
    },
    { row: 7, what: 'OSSA of a TCS', defect: page('rcx', at.tcs, 16n), outcome: gp },
    {
      row: 9,
      what: 'a word of a REG page',
      outcome: ok,
      effect: (w) => {
        if (w.contents.read(w.hardware.entry(at.p).contents, 16) !== word) throw new Error('not written');
      },
    },
  ],
};
