import type { LeafName } from '@epckit/interface';
import { Attribute, LeafFault, PageOperand, SecInfo, SgxCode } from '@epckit/interface';
import type { Bench } from './sgx-hardware-subject.js';
import { at, BASE, expectResult, REG_R, REG_RW, SOURCE, TCS, TRIM } from './sgx-hardware-subject.js';

const { GP, PF } = LeafFault;
const { PENDING, MODIFIED, PR } = SecInfo;
const { outside, free, free2, va, secs, secsB, tcs, tcs2, p, q, pB } = at;

/** One outcome: what is tried, the result, and what brings the hardware there. */
type Row = readonly [
  what: string,
  when: (bench: Bench) => number,
  result: number,
  given?: (bench: Bench) => void,
];

const entered = (bench: Bench): void => bench.enter(1);
const augmented = (bench: Bench): void => {
  bench.augment();
  bench.enter(1);
};
const blocked = (bench: Bench): void => bench.done(bench.h.eblock(0, p));
const ewb = ({ h, newBlob }: Bench, page: number, vaPage: number = va, slot = 0): number =>
  h.ewb(0, page, vaPage, slot, newBlob());
const info = () => ({ status: 0, flags: 0, blocked: false, context: 0 });
const eadd = ({ h }: Bench, page: number, owner: number, linearPage = BASE + 12, secinfo: number = REG_RW) =>
  h.eadd(0, page, owner, linearPage, secinfo, 1);

/** Results of the loads that do not depend on a blob; `load` is one of the four. */
type Load = 'eldb' | 'eldu' | 'eldbc' | 'elduc';
const loadRows = (name: Load): Row[] => {
  const load = (
    { h, newBlob }: Bench,
    target: number,
    owner: number,
    vaPage: number = va,
    slot = 0,
  ): number => h[name](0, target, owner, vaPage, slot, { ...newBlob(), secinfo: REG_RW });
  return [
    ['target not EPC', (b) => load(b, outside, secs), PF],
    ['slot not in the page', (b) => load(b, free, secs, va, 512), GP],
    ['VA page not EPC', (b) => load(b, free, secs, outside), PF],
    ['target valid', (b) => load(b, p, secs), PF],
    ['VA page of another type', (b) => load(b, free, secs, q), PF],
    ['SECS not EPC', (b) => load(b, free, -1), PF],
    ['SECS of another type', (b) => load(b, free, q), PF],
    ['empty slot', (b) => load(b, free, secs), SgxCode.MAC_COMPARE_FAIL],
  ];
};
const entryRows = (name: 'eenter' | 'eresume'): Row[] => {
  const enter = ({ h }: Bench, page: number, linearPage = BASE + page): number =>
    h[name](0, page, linearPage);
  const ready = (bench: Bench): void => {
    bench.enter(0);
    bench.h.aex(0);
  };
  return [
    ['TCS not EPC', (b) => enter(b, outside), PF],
    ['free page', (b) => enter(b, free), PF],
    ['another address', (b) => enter(b, tcs, BASE), PF, ready],
    ['another type', (b) => enter(b, p), PF],
    ['blocked', (b) => enter(b, tcs), PF, (b) => b.done(b.h.eblock(0, tcs))],
    ['TCS in use', (b) => enter(b, tcs), GP, entered],
    ['already inside', (b) => enter(b, tcs2), GP, (b) => b.enter(0)],
  ];
};
const childRows = (name: 'eincvirtchild' | 'edecvirtchild'): Row[] => [
  ['page not EPC', ({ h }) => h[name](0, outside, secs), PF],
  ['SECS not EPC', ({ h }) => h[name](0, p, outside), PF],
  ['free page', ({ h }) => h[name](0, free, secs), PF],
  ['VA page', ({ h }) => h[name](0, va, secs), PF],
  ['SECS of another enclave', ({ h }) => h[name](0, p, secsB), GP],
];

/** What every leaf refuses. */
const refusals: Partial<Record<LeafName, readonly Row[]>> = {
  ECREATE: [
    ['target not EPC', ({ h }) => h.ecreate(0, outside, SOURCE), PF],
    ['target valid', ({ h }) => h.ecreate(0, p, SOURCE), PF],
    ['size no power of two', ({ h }) => h.ecreate(0, free, { ...SOURCE, pageCount: 3 }), GP],
    ['base no multiple of the size', ({ h }) => h.ecreate(0, free, { ...SOURCE, basePage: BASE + 1 }), GP],
    ['reserved bytes', ({ h }) => h.ecreate(0, free, { ...SOURCE, isReservedZero: false }), GP],
    [
      'INIT in the source',
      ({ h }) => h.ecreate(0, free, { ...SOURCE, attributes: Attribute.INIT | Attribute.MODE64BIT }),
      GP,
    ],
  ],
  EADD: [
    ['target not EPC', (b) => eadd(b, outside, secsB), PF],
    ['SECS not EPC', (b) => eadd(b, free, outside), PF],
    ['type that cannot be added', (b) => eadd(b, free, secsB, BASE, TRIM), GP],
    ['PENDING in SECINFO', (b) => eadd(b, free, secsB, BASE, REG_RW | PENDING), GP],
    ['target valid', (b) => eadd(b, p, secsB), PF],
    ['SECS of another type', (b) => eadd(b, free, pB), PF],
    ['W without R', (b) => eadd(b, free, secsB, BASE, REG_RW & ~SecInfo.R), GP],
    ['outside ELRANGE', (b) => eadd(b, free, secsB, BASE + 16), GP],
    ['initialised enclave', (b) => eadd(b, free, secs), GP],
  ],
  EEXTEND: [
    ['SECS not EPC', ({ h }) => h.eextend(0, pB, outside, 0), PF],
    ['no such chunk', ({ h }) => h.eextend(0, pB, secsB, 16), GP],
    ['page not EPC', ({ h }) => h.eextend(0, outside, secsB, 0), PF],
    ['free page', ({ h }) => h.eextend(0, free, secsB, 0), PF],
    ['VA page', ({ h }) => h.eextend(0, va, secsB, 0), PF],
    ['page of another enclave', ({ h }) => h.eextend(0, pB, secs, 0), GP],
    ['initialised enclave', ({ h }) => h.eextend(0, p, secs, 0), GP],
  ],
  EINIT: [
    ['not EPC', ({ h }) => h.einit(0, outside, {}), PF],
    ['malformed', ({ h }) => h.einit(0, secsB, { isWellFormed: false }), SgxCode.INVALID_SIG_STRUCT],
    ['forged', ({ h }) => h.einit(0, secsB, { isAuthentic: false }), SgxCode.INVALID_SIGNATURE],
    ['another type', ({ h }) => h.einit(0, pB, {}), PF],
    ['twice', ({ h }) => h.einit(0, secs, {}), GP],
    [
      'another measurement',
      ({ h }) => h.einit(0, secsB, { measurement: '0'.repeat(64) }),
      SgxCode.INVALID_MEASUREMENT,
    ],
    [
      'another attribute',
      ({ h }) => h.einit(0, secsB, { attributeMask: Attribute.DEBUG }),
      SgxCode.INVALID_ATTRIBUTE,
    ],
    ['another signer', ({ h }) => h.einit(0, secsB, { signer: '1'.repeat(64) }), SgxCode.INVALID_EINITTOKEN],
  ],
  EPA: [
    ['target not EPC', ({ h }) => h.epa(0, outside), PF],
    ['target valid', ({ h }) => h.epa(0, p), PF],
  ],
  EREMOVE: [
    ['not EPC', ({ h }) => h.eremove(0, outside), PF],
    ['SECS with children', ({ h }) => h.eremove(0, secs), SgxCode.CHILD_PRESENT],
    ['somebody inside', ({ h }) => h.eremove(0, p), SgxCode.ENCLAVE_ACT, entered],
    [
      'trimmed, not accepted, somebody inside',
      ({ h }) => h.eremove(0, p),
      SgxCode.ENCLAVE_ACT,
      (b) => {
        entered(b);
        b.done(b.h.emodt(0, p, TRIM));
      },
    ],
  ],
  EBLOCK: [
    ['not EPC', ({ h }) => h.eblock(0, outside), PF],
    ['free page', ({ h }) => h.eblock(0, free), SgxCode.PG_INVLD],
    ['SECS', ({ h }) => h.eblock(0, secs), SgxCode.PG_IS_SECS],
    ['VA page', ({ h }) => h.eblock(0, va), SgxCode.NOTBLOCKABLE],
    ['blocked before', ({ h }) => h.eblock(0, p), SgxCode.BLSTATE, blocked],
  ],
  ETRACK: [
    ['not EPC', ({ h }) => h.etrack(0, outside), PF],
    ['free page', ({ h }) => h.etrack(0, free), PF],
    ['another type', ({ h }) => h.etrack(0, p), PF],
  ],
  ETRACKC: [
    ['not EPC', ({ h }) => h.etrackc(0, outside), PF],
    ['free page', ({ h }) => h.etrackc(0, free), SgxCode.PG_INVLD],
    ['VA page', ({ h }) => h.etrackc(0, va), SgxCode.TRACK_NOT_REQUIRED],
  ],
  EWB: [
    ['not EPC', (b) => ewb(b, outside), PF],
    ['slot not in the page', (b) => ewb(b, p, va, 0.5), GP],
    ['VA page not EPC', (b) => ewb(b, p, outside), PF],
    ['VA page into itself', (b) => ewb(b, va, va), GP],
    ['free page', (b) => ewb(b, free), PF],
    ['VA page of another type', (b) => ewb(b, p, q), PF],
    ['neither blocked nor tracked', (b) => ewb(b, p), SgxCode.PAGE_NOT_BLOCKED],
    ['not tracked', (b) => ewb(b, p), SgxCode.NOT_TRACKED, blocked],
    ['SECS with children', (b) => ewb(b, secs), SgxCode.CHILD_PRESENT],
  ],
  ELDB: loadRows('eldb'),
  ELDU: loadRows('eldu'),
  ELDBC: loadRows('eldbc'),
  ELDUC: loadRows('elduc'),
  EAUG: [
    ['target not EPC', ({ h }) => h.eaug(0, outside, secs, BASE, 0), PF],
    ['SECS not EPC', ({ h }) => h.eaug(0, free, outside, BASE, 0), PF],
    ['target valid', ({ h }) => h.eaug(0, p, secs, BASE, 0), PF],
    ['SECS of another type', ({ h }) => h.eaug(0, free, q, BASE, 0), PF],
    ['enclave not initialised', ({ h }) => h.eaug(0, free, secsB, BASE, 0), GP],
    ['outside ELRANGE', ({ h }) => h.eaug(0, free, secs, BASE + 16, 0), GP],
  ],
  EMODPR: [
    ['not EPC', ({ h }) => h.emodpr(0, outside, REG_R), PF],
    ['W without R', ({ h }) => h.emodpr(0, p, SecInfo.W), GP],
    ['free page', ({ h }) => h.emodpr(0, free, REG_R), PF],
    ['PENDING', ({ h }) => h.emodpr(0, free, REG_R), SgxCode.PAGE_NOT_MODIFIABLE, (b) => b.augment()],
    // Order: MODIFIED before the type.
    [
      'MODIFIED TCS',
      ({ h }) => h.emodpr(0, p, REG_R),
      SgxCode.PAGE_NOT_MODIFIABLE,
      (b) => b.done(b.h.emodt(0, p, TCS)),
    ],
    ['TCS', ({ h }) => h.emodpr(0, tcs, REG_R), PF],
    ['enclave not initialised', ({ h }) => h.emodpr(0, pB, REG_R), GP],
  ],
  EMODT: [
    ['not EPC', ({ h }) => h.emodt(0, outside, TRIM), PF],
    ['type that nobody can become', ({ h }) => h.emodt(0, p, REG_RW), GP],
    ['free page', ({ h }) => h.emodt(0, free, TRIM), PF],
    ['TCS to TCS', ({ h }) => h.emodt(0, tcs, TCS), PF],
    // Order: the type before MODIFIED.
    ['MODIFIED TCS to TCS', ({ h }) => h.emodt(0, p, TCS), PF, (b) => b.done(b.h.emodt(0, p, TCS))],
    ['PENDING', ({ h }) => h.emodt(0, free, TRIM), SgxCode.PAGE_NOT_MODIFIABLE, (b) => b.augment()],
    ['enclave not initialised', ({ h }) => h.emodt(0, pB, TRIM), GP],
  ],
  EDBGRD: [
    ['not aligned', ({ h }) => h.edbgrd(0, p, 4, { value: 0n }), GP],
    ['not EPC', ({ h }) => h.edbgrd(0, outside, 0, { value: 0n }), PF],
    ['free page', ({ h }) => h.edbgrd(0, free, 0, { value: 0n }), PF],
    ['SECS', ({ h }) => h.edbgrd(0, secs, 0, { value: 0n }), PF],
    [
      'PENDING',
      ({ h }) => h.edbgrd(0, free, 0, { value: 0n }),
      SgxCode.PAGE_NOT_DEBUGGABLE,
      (b) => b.augment(),
    ],
  ],
  EDBGWR: [
    ['not aligned', ({ h }) => h.edbgwr(0, p, 4, 0n), GP],
    ['not EPC', ({ h }) => h.edbgwr(0, outside, 0, 0n), PF],
    ['VA page', ({ h }) => h.edbgwr(0, va, 0, 0n), PF],
    ['PENDING', ({ h }) => h.edbgwr(0, free, 0, 0n), SgxCode.PAGE_NOT_DEBUGGABLE, (b) => b.augment()],
    ['TCS beside its flags', ({ h }) => h.edbgwr(0, tcs, 16, 0n), GP],
  ],
  ERDINFO: [
    ['not EPC', ({ h }) => h.erdinfo(0, outside, info()), SgxCode.PG_NONEPC],
    ['free page', ({ h }) => h.erdinfo(0, free, info()), SgxCode.PG_INVLD],
  ],
  EUPDATESVN: [['EPC in use', ({ h }) => h.eupdatesvn(0), SgxCode.EPC_NOT_READY]],
  EINCVIRTCHILD: childRows('eincvirtchild'),
  EDECVIRTCHILD: [
    ...childRows('edecvirtchild'),
    ['nothing to take', ({ h }) => h.edecvirtchild(0, p, secs), SgxCode.INVALID_COUNTER],
  ],
  ESETCONTEXT: [
    ['not EPC', ({ h }) => h.esetcontext(0, outside, 1), PF],
    ['another type', ({ h }) => h.esetcontext(0, p, 1), PF],
  ],
  EENTER: [
    ...entryRows('eenter'),
    ['enclave not initialised', ({ h }) => h.eenter(0, free, BASE + 12), GP, uninitialisedThread],
  ],
  ERESUME: [...entryRows('eresume'), ['no saved frame', ({ h }) => h.eresume(0, tcs, BASE + tcs), GP]],
  EEXIT: [['outside', ({ h }) => h.eexit(0), GP]],
  EACCEPT: [
    ['outside', ({ h }) => h.eaccept(0, free, BASE + free, REG_RW | PENDING), GP],
    ['page not EPC', ({ h }) => h.eaccept(1, outside, BASE + free, REG_RW | PENDING), PF, augmented],
    ['outside ELRANGE', ({ h }) => h.eaccept(1, free, BASE + 16, REG_RW | PENDING), GP, augmented],
    ['nothing to accept', ({ h }) => h.eaccept(1, p, BASE + p, REG_RW), GP, entered],
    ['free page', ({ h }) => h.eaccept(1, free2, BASE + free2, REG_RW | PENDING), PF, entered],
    ['page of another enclave', ({ h }) => h.eaccept(1, pB, BASE + pB, REG_RW | PENDING), PF, entered],
    [
      'another address',
      ({ h }) => h.eaccept(1, free, BASE, REG_RW | PENDING),
      SgxCode.PAGE_ATTRIBUTES_MISMATCH,
      augmented,
    ],
    [
      'other permissions',
      ({ h }) => h.eaccept(1, free, BASE + free, REG_R | PENDING),
      SgxCode.PAGE_ATTRIBUTES_MISMATCH,
      augmented,
    ],
    [
      'not tracked',
      ({ h }) => h.eaccept(1, p, BASE + p, REG_R | PR),
      SgxCode.NOT_TRACKED,
      (b) => {
        entered(b);
        b.done(b.h.emodpr(0, p, REG_R));
      },
    ],
    [
      'another type',
      ({ h }) => h.eaccept(1, p, BASE + p, TCS | MODIFIED),
      SgxCode.PAGE_ATTRIBUTES_MISMATCH,
      (b) => {
        b.done(b.h.emodt(0, p, TRIM), b.h.etrack(0, secs));
        entered(b);
      },
    ],
  ],
  EMODPE: [
    ['outside', ({ h }) => h.emodpe(0, p, BASE + p, SecInfo.X), GP],
    ['page not EPC', ({ h }) => h.emodpe(1, outside, BASE + p, SecInfo.X), PF, entered],
    ['another address', ({ h }) => h.emodpe(1, p, BASE, SecInfo.X), PF, entered],
    ['page of another enclave', ({ h }) => h.emodpe(1, pB, BASE + pB, SecInfo.X), PF, entered],
    ['PENDING', ({ h }) => h.emodpe(1, free, BASE + free, SecInfo.X), PF, augmented],
    ['TCS', ({ h }) => h.emodpe(1, tcs, BASE + tcs, SecInfo.X), PF, entered],
  ],
  EACCEPTCOPY: [
    ['outside', ({ h }) => h.eacceptcopy(0, free, BASE + free, p, BASE + p, REG_RW), GP],
    ['target not EPC', ({ h }) => h.eacceptcopy(1, outside, BASE + free, p, BASE + p, REG_RW), PF, augmented],
    [
      'source not EPC',
      ({ h }) => h.eacceptcopy(1, free, BASE + free, outside, BASE + p, REG_RW),
      PF,
      augmented,
    ],
    ['W without R', ({ h }) => h.eacceptcopy(1, free, BASE + free, p, BASE + p, REG_RW & ~1), GP, augmented],
    [
      'source at another address',
      ({ h }) => h.eacceptcopy(1, free, BASE + free, p, BASE, REG_RW),
      PF,
      augmented,
    ],
    [
      'target not PENDING',
      ({ h }) => h.eacceptcopy(1, q, BASE + q, p, BASE + p, REG_RW),
      SgxCode.PAGE_ATTRIBUTES_MISMATCH,
      augmented,
    ],
    [
      'target at another address',
      ({ h }) => h.eacceptcopy(1, free, BASE, p, BASE + p, REG_RW),
      SgxCode.PAGE_ATTRIBUTES_MISMATCH,
      augmented,
    ],
  ],
};

function uninitialisedThread(bench: Bench): void {
  bench.done(eadd(bench, free, secsB, BASE + 12, TCS));
}

/** Main operands that are no multiple of 4096: #GP for every leaf, also for those that give codes otherwise. */
function refuseMisaligned(bench: Bench): void {
  const { h } = bench;
  const page = PageOperand.MISALIGNED;
  const before = JSON.stringify(bench.snapshot());
  const results: Readonly<Record<string, number>> = {
    ECREATE: h.ecreate(0, page, SOURCE),
    EADD: eadd(bench, page, secsB),
    EEXTEND: h.eextend(0, page, secsB, 0),
    EINIT: h.einit(0, page, {}),
    EPA: h.epa(0, page),
    EREMOVE: h.eremove(0, page),
    EBLOCK: h.eblock(0, page),
    ETRACK: h.etrack(0, page),
    ETRACKC: h.etrackc(0, page),
    EWB: ewb(bench, page),
    ELDU: h.eldu(0, page, secs, va, 0, bench.newBlob()),
    ELDBC: h.eldbc(0, page, secs, va, 0, bench.newBlob()),
    EAUG: h.eaug(0, page, secs, BASE, 0),
    EMODPR: h.emodpr(0, page, REG_R),
    EMODT: h.emodt(0, page, TRIM),
    EDBGRD: h.edbgrd(0, page, 0, { value: 0n }),
    EDBGWR: h.edbgwr(0, page, 0, 0n),
    ERDINFO: h.erdinfo(0, page, info()),
    EINCVIRTCHILD: h.eincvirtchild(0, page, secs),
    EDECVIRTCHILD: h.edecvirtchild(0, page, secs),
    ESETCONTEXT: h.esetcontext(0, page, 0),
    EENTER: h.eenter(0, page, BASE),
    ERESUME: h.eresume(0, page, BASE),
  };
  for (const [leaf, result] of Object.entries(results)) expectResult(result, GP, leaf);
  if (JSON.stringify(bench.snapshot()) !== before) throw changed('a leaf', 'operand not aligned');
}

/** One case per leaf, and one for addresses: every refusal has its result, and changes nothing. */
export function refusalCases(make: () => Bench): Record<string, () => void> {
  const ofLeaves = Object.fromEntries(
    Object.entries(refusals).map(([leaf, rows]) => [
      `${leaf} refuses what it must, without a trace`,
      () => {
        for (const [what, when, result, given] of rows) {
          const bench = make();
          given?.(bench);
          const before = JSON.stringify(bench.snapshot());
          expectResult(when(bench), result, `${leaf}, ${what}`);
          if (JSON.stringify(bench.snapshot()) !== before) throw changed(leaf, what);
        }
      },
    ]),
  );
  return { ...ofLeaves, 'every leaf refuses an operand that is not aligned': () => refuseMisaligned(make()) };
}

function changed(leaf: string, what: string): Error {
  return new Error(`${leaf}, ${what}: refused, but something has changed`);
}
