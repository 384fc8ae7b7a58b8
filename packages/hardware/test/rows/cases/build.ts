import { Leaf, PageType, SecInfo } from '@epckit/interface';
import type { Act, RowSuite } from '../suite.js';
import { gp, ordinary, pf, rcx } from '../suite.js';
import {
  at,
  BASE_PAGE,
  encls,
  epc,
  lin,
  mem,
  off,
  patch,
  REG_RW,
  setInfo,
  setSecInfo,
  TCS,
  TRIM,
  tcsBytes,
  typed,
} from '../world.js';

import {
  both,
  busyTarget,
  hold,
  info,
  page,
  pageInfoRows,
  secinfo,
  secinfoByte,
  secs,
  target,
} from './operands.js';

const { R, W, X } = SecInfo;
const cet = { features: { cet: true } };
const source =
  (bytes: Uint8Array): Act =>
  (w) =>
    w.memory.write(0, mem.source, bytes);
const threadSource =
  (offset: number, ...bytes: number[]): Act =>
  (w) => {
    const tcs = tcsBytes();
    tcs.set(bytes, offset);
    source(tcs)(w);
  };
const thread: Act = (w) => {
  setSecInfo(w, TCS);
  source(tcsBytes())(w);
};
/** A 32-bit enclave under construction takes the place of B. */
const narrow: Act = (w) => {
  const made = w.hardware.ecreate(0, at.free2, {
    basePage: BASE_PAGE,
    pageCount: 16,
    ssaFrameSize: 1,
    attributes: 0,
  });
  if (made !== 0) throw new Error(`ECREATE: ${made}`);
};
const intoNarrow: Act = (w) => {
  thread(w);
  secs(at.free2)(w);
};
const stack =
  (type: number, rights = R | W): Act =>
  (w) =>
    setSecInfo(w, typed(type, rights));
const first = stack(PageType.SS_FIRST);
const rest = stack(PageType.SS_REST);
const quadword =
  (value: bigint): Act =>
  (w) => {
    const bytes = new Uint8Array(4096);
    new DataView(bytes.buffer).setBigUint64(4088, value, true);
    source(bytes)(w);
  };
const token = lin(off.hole) + 4096n + 1n;

export const eaddSuite: RowSuite = {
  table: 'EADD',
  isSilent: true,
  call: (w) => {
    setInfo(w, {
      linearAddress: lin(off.hole),
      source: mem.source,
      metadata: mem.secInfo,
      secs: epc(w, at.secsB),
    });
    setSecInfo(w, REG_RW);
    encls(w, Leaf.EADD, { rbx: mem.pageInfo, rcx: epc(w, at.free) });
  },
  cases: [
    ...pageInfoRows(1),
    ...target(2, 3),
    { row: 4, what: 'SRCPGE is misaligned', defect: info({ source: mem.source + 64n }), outcome: gp },
    {
      row: 4,
      what: 'SECS is misaligned',
      defect: (w) => setInfo(w, { secs: epc(w, at.secsB) + 64n }),
      outcome: gp,
    },
    {
      row: 4,
      what: 'LINADDR is misaligned',
      defect: info({ linearAddress: lin(off.hole) + 8n }),
      outcome: gp,
    },
    { row: 4, what: 'SECINFO is misaligned', defect: info({ metadata: mem.secInfo + 32n }), outcome: gp },
    {
      row: 4,
      what: 'SRCPGE is not mapped',
      defect: info({ source: mem.hole }),
      outcome: ordinary(() => mem.hole),
    },
    {
      row: 5,
      what: 'SECS is ordinary memory',
      defect: info({ secs: mem.spare }),
      outcome: pf(() => mem.spare),
    },
    { row: 6, what: 'a reserved bit of SECINFO', defect: secinfo(REG_RW | 0x80), outcome: gp },
    { row: 6, what: 'a reserved byte of SECINFO', defect: secinfoByte, outcome: gp },
    { row: 6, what: 'PENDING', defect: secinfo(REG_RW | SecInfo.PENDING), outcome: gp },
    { row: 6, what: 'MODIFIED', defect: secinfo(REG_RW | SecInfo.MODIFIED), outcome: gp },
    { row: 6, what: 'PR', defect: secinfo(REG_RW | SecInfo.PR), outcome: gp },
    { row: 6, what: 'type TRIM', defect: secinfo(TRIM), outcome: gp },
    { row: 6, what: 'type VA', defect: secinfo(typed(PageType.VA)), outcome: gp },
    {
      row: 6,
      what: 'a shadow stack without CET',
      also: rest,
      defectFeatures: { cet: false },
      features: { cet: true },
      outcome: gp,
    },
    {
      row: 7,
      what: 'a shadow stack while CR4.CET is 0',
      ...cet,
      also: rest,
      defect: (w) => w.hardware.platform.setShadowStacks(0, false),
      outcome: gp,
    },
    ...busyTarget(8),
    { row: 9, what: 'the target is valid', defect: page('rcx', at.p), outcome: pf(rcx) },
    { row: 10, what: 'the SECS is in use', defect: hold(Leaf.EREMOVE, 'secs'), outcome: gp },
    { row: 11, what: 'the SECS is free', defect: secs(at.free2), outcome: pf((w) => epc(w, at.free2)) },
    { row: 11, what: 'the SECS is a REG page', defect: secs(at.p), outcome: pf((w) => epc(w, at.p)) },
    {
      row: '12a',
      what: 'a reserved byte of the TCS',
      also: thread,
      defect: threadSource(88, 1),
      outcome: gp,
    },
    {
      row: '12a',
      what: 'FSLIMIT of a 32-bit enclave',
      given: narrow,
      also: intoNarrow,
      defect: threadSource(64, 0xfe),
      outcome: gp,
    },
    {
      row: '12a',
      what: 'GSLIMIT of a 32-bit enclave',
      given: narrow,
      also: intoNarrow,
      defect: threadSource(68, 0xfe),
      outcome: gp,
    },
    { row: '12a', what: 'PREVSSP with CET', ...cet, also: thread, defect: threadSource(80, 8), outcome: gp },
    { row: '12b', what: 'W without R', defect: secinfo(typed(PageType.REG, W)), outcome: gp },
    { row: '12b', what: 'W and X without R', defect: secinfo(typed(PageType.REG, W | X)), outcome: gp },
    {
      row: '12c',
      what: 'a shadow stack in the first page of ELRANGE',
      ...cet,
      also: rest,
      defect: info({ linearAddress: lin(0) }),
      outcome: gp,
    },
    {
      row: '12c',
      what: 'a shadow stack in the last page of ELRANGE',
      ...cet,
      also: rest,
      defect: info({ linearAddress: lin(15) }),
      outcome: gp,
    },
    {
      row: '12c',
      what: 'a shadow stack that is not empty',
      ...cet,
      also: rest,
      defect: (w) => patch(w, mem.source + 4087n, 1),
      outcome: gp,
    },
    {
      row: '12c',
      what: 'SS_FIRST without its token',
      ...cet,
      also: both(first, quadword(token)),
      defect: quadword(0n),
      outcome: gp,
    },
    {
      row: '12c',
      what: 'SS_FIRST with bit 0 of the token clear',
      ...cet,
      also: both(first, quadword(token)),
      defect: quadword(token - 1n),
      outcome: gp,
    },
    { row: '12c', what: 'SS_REST with a token', ...cet, also: rest, defect: quadword(token), outcome: gp },
    {
      row: '12c',
      what: 'a shadow stack that is executable',
      ...cet,
      also: rest,
      defect: stack(PageType.SS_REST, R | W | X),
      outcome: gp,
    },
    {
      row: '12c',
      what: 'a shadow stack that is read-only',
      ...cet,
      also: rest,
      defect: stack(PageType.SS_REST, R),
      outcome: gp,
    },
    {
      row: 13,
      what: 'LINADDR behind ELRANGE',
      defect: info({ linearAddress: lin(16) }),
      cure: info({ linearAddress: lin(15) }),
      outcome: gp,
    },
    { row: 13, what: 'LINADDR before ELRANGE', defect: info({ linearAddress: lin(-1) }), outcome: gp },
    {
      row: 14,
      what: 'an EEXTEND of the enclave is running',
      defect: hold(Leaf.EEXTEND, at.pB, at.secsB),
      outcome: gp,
    },
    { row: 15, what: 'the enclave is initialised', defect: secs(at.secs), outcome: gp },
  ],
};

export const eextendSuite: RowSuite = {
  table: 'EEXTEND',
  isSilent: true,
  call: (w) => encls(w, Leaf.EEXTEND, { rbx: epc(w, at.secsB), rcx: epc(w, at.pB) + 0x300n }),
  cases: [
    ...target(1, 2, 'rbx', 256n),
    ...target(3, 4),
    { row: 5, what: 'the page is in use', defect: hold(Leaf.EREMOVE, 'rcx'), outcome: gp },
    { row: 6, what: 'the page is free', defect: page('rcx', at.free), outcome: pf(rcx) },
    { row: 7, what: 'a VA page', defect: page('rcx', at.va), outcome: pf(rcx) },
    { row: 7, what: 'a SECS', defect: page('rcx', at.secsB), outcome: pf(rcx) },
    {
      row: 7,
      what: 'a TRIM page',
      given: (w) => w.hardware.emodt(0, at.p, TRIM),
      also: page('rbx', at.secs),
      defect: page('rcx', at.p),
      outcome: pf(rcx),
      without: gp,
    },
    { row: 8, what: 'RBX is the SECS of another enclave', defect: page('rbx', at.secs), outcome: gp },
    { row: 8, what: 'RBX is no SECS', defect: page('rbx', at.q), outcome: gp },
    {
      row: 9,
      what: 'an EADD of the enclave is running',
      defect: hold(Leaf.EADD, at.free, at.secsB),
      outcome: gp,
    },
    {
      row: 9,
      what: 'the enclave is initialised',
      defect: both(page('rbx', at.secs), page('rcx', at.p)),
      outcome: gp,
    },
  ],
};
