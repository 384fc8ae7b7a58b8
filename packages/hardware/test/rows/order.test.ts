import { Leaf, SecInfo } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { both, page } from './cases/operands.js';
import type { Act, RowCase, RowSuite } from './suite.js';
import { expectOutcomeOf, pf, prepared, rcx, rowName, zf } from './suite.js';
import { SUITES } from './suites.js';
import { ROWS } from './table.js';
import type { World } from './world.js';
import {
  at,
  createWorld,
  encls,
  epc,
  linPage,
  mem,
  off,
  REG_R,
  run,
  setInfo,
  setSecInfo,
  snapshot,
  TCS,
  TRIM,
} from './world.js';

/**
 * Pairs that cannot both be wrong although their set-ups commute: the later one names another page than the one that the
 * earlier one has spoilt. Where the rows can meet at all, {@link MEETINGS} has them.
 */
const CONTRADICTIONS: readonly RegExp[] = [
  /^EADD 11 .* before 12a \([FG]SLIMIT/,
  /^EINIT 16 .* before (17|18|19|20|21)/,
  /^EREMOVE 3 \(another/,
  /^ETRACK 3 \(an (EWB|ETRACKC)/,
  /^(EENTER|ERESUME) 4 \(a page .* before 5/,
  /^EACCEPT 10 \(the page is not PENDING/,
  /^EMODPE 5 \(the page is MODIFIED/,
  /^EWB 13 .* before 14/,
  /^EWB 14 .* before (15|16)/,
  /^EMODPR 7 \(an EMODPE .* before (8 \(a PENDING|9|10)/,
  /^EMODPR 8 \(a MODIFIED .* before (9|10)/,
  /^EMODT 7 .* before (8|9|10)/,
  /^EMODT 9 \(a MODIFIED .* before 10/,
  /^EDBG[RW][DR] 6 \(a MODIFIED .* before (7|8)/,
  /^(EACCEPT|EACCEPTCOPY|EMODPE) 2 \(RBX .* before 3/,
];

/** A world with the defects of both cases, in this order; null if they do not go together. */
function together(suite: RowSuite, first: RowCase, second: RowCase): World | null {
  const tests = [first, second];
  const features = Object.assign({}, ...tests.map((test) => ({ ...test.features, ...test.defectFeatures })));
  const w = createWorld({ ...first.world, ...second.world, features });
  try {
    for (const { given } of tests) given?.(w);
    suite.call(w);
    for (const { also } of tests) also?.(w);
    for (const { defect } of tests) defect?.(w);
    return w;
  } catch {
    return null; // one set-up has taken away what the other needs
  }
}

const text = (value: unknown): string =>
  JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? `${part}n` : part));

/** Do the defects commute? If not, one undoes the other. */
function isBoth(suite: RowSuite, earlier: RowCase, later: RowCase): boolean {
  const [one, other] = [together(suite, earlier, later), together(suite, later, earlier)];
  if (one === null || other === null || text(one.registers) !== text(other.registers)) return false;
  return text(snapshot(one)) === text(snapshot(other));
}

const nameOf = (suite: RowSuite, a: RowCase, b: RowCase): string =>
  `${rowName(suite, a.row)} (${a.what}) before ${b.row} (${b.what})`;

/** The case with the nearest later row that ends differently: which of two equal ends came first cannot be seen. */
function nearestPair(suite: RowSuite, a: RowCase, later: readonly string[]): [RowCase, RowCase][] {
  for (const row of later) {
    for (const b of suite.cases) {
      if (String(b.row) !== row || b.effect !== undefined || text(a.outcome) === text(b.outcome)) continue;
      if (CONTRADICTIONS.some((pattern) => pattern.test(nameOf(suite, a, b)))) continue;
      if (isBoth(suite, a, b)) return [[a, b]];
    }
  }
  return [];
}

/** One pair for each case that fails. */
function nearestPairs(suite: RowSuite): [RowCase, RowCase][] {
  const prefix = `${suite.table} `;
  const rows = ROWS.filter(({ id }) => id.startsWith(prefix)).map(({ id }) => id.slice(prefix.length));
  return suite.cases
    .filter(({ effect }) => effect === undefined)
    .flatMap((a) => nearestPair(suite, a, rows.slice(rows.indexOf(String(a.row)) + 1)));
}

const pairs = SUITES.flatMap((suite) => nearestPairs(suite).map(([a, b]) => ({ suite, a, b })));
describe('of two rows the earlier decides', () => {
  it.each(pairs.map((pair) => ({ ...pair, name: nameOf(pair.suite, pair.a, pair.b) })))(
    '$name',
    ({ suite, a, b }) => {
      const w = together(suite, b, a) as World;
      expectOutcomeOf(suite, a, w, () => run(w));
    },
  );
  it('there are enough of them', () => {
    expect(pairs.length).toBeGreaterThan(150);
  });
});

/** Rows that meet in one page. */
const MEETINGS: readonly { table: string; call: Act; test: RowCase }[] = [
  {
    table: 'EWB',
    call: (w) => {
      setInfo(w, { source: mem.ciphertext, metadata: mem.pcmd });
      encls(w, Leaf.EWB, { rbx: mem.pageInfo, rcx: epc(w, at.p), rdx: epc(w, at.va) });
    },
    test: { row: '13 before 14', what: 'neither blocked nor tracked', outcome: zf(10) },
  },
  {
    table: 'EMODPR',
    call: both(modified(TCS), (w) => setSecInfo(w, REG_R), change(Leaf.EMODPR)),
    test: { row: '8 before 9', what: 'a TCS page that is MODIFIED', outcome: zf(20) },
  },
  {
    table: 'EMODT',
    call: both(modified(TCS), (w) => setSecInfo(w, TCS), change(Leaf.EMODT)),
    test: { row: '8 before 9', what: 'a TCS page that is MODIFIED becomes TCS', outcome: pf(rcx) },
  },
  {
    table: 'EMODT',
    call: both(modified(TRIM), (w) => setSecInfo(w, TRIM), change(Leaf.EMODT)),
    test: { row: '8 before 9', what: 'a TRIM page that is MODIFIED becomes TRIM', outcome: pf(rcx) },
  },
  {
    table: 'EMODPR',
    call: both(
      (w) => setSecInfo(w, REG_R),
      change(Leaf.EMODPR),
      page('rcx', at.pending),
      modifying(at.pending, off.pending),
    ),
    test: { row: '7 before 8', what: 'an EACCEPTCOPY into a PENDING page is running', outcome: zf(7) },
  },
  {
    table: 'EDBGRD',
    call: both(modified(TCS), (w) => encls(w, Leaf.EDBGRD, { rcx: epc(w, at.p) + 80n })),
    test: { row: '6 before 7', what: 'behind the fields of a MODIFIED TCS page', outcome: zf(21) },
  },
  {
    table: 'EDBGWR',
    call: both(modified(TCS), (w) => encls(w, Leaf.EDBGWR, { rcx: epc(w, at.p) })),
    test: { row: '6 before 7', what: 'STATE of a MODIFIED TCS page', outcome: zf(21) },
  },
];
describe('rows that meet in one page', () => {
  it.each(
    MEETINGS.map((meeting) => ({
      ...meeting,
      name: `${meeting.table} ${meeting.test.row}: ${meeting.test.what}`,
    })),
  )('$name', ({ table, call, test }) => {
    const suite: RowSuite = { table, call, cases: [] };
    const w = prepared(suite, test, true);
    expectOutcomeOf(suite, test, w, () => run(w));
  });
});

function modified(type: number): Act {
  return (w) => w.hardware.emodt(0, at.p, type);
}
function change(leaf: typeof Leaf.EMODPR | typeof Leaf.EMODT): Act {
  return (w) => encls(w, leaf, { rbx: mem.secInfo, rcx: epc(w, at.p) });
}
function modifying(index: number, offset: number): Act {
  return (w) => {
    expect(w.hardware.entry(index).flags & SecInfo.PENDING).not.toBe(0);
    expect(w.hardware.eenter(1, at.tcs2, linPage(off.tcs2))).toBe(0);
    expect(w.hardware.acquire(1, Leaf.EACCEPTCOPY, index, -1, -1)).toBe(0);
    expect(w.hardware.entry(index).linearPage).toBe(linPage(offset));
  };
}
