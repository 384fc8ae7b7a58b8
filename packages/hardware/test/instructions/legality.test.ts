import type { Outcome } from '@epckit/hardware';
import { createRegisters, Vector } from '@epckit/hardware';
import type { LeafId } from '@epckit/interface';
import { Access, Leaf, PageType, SecInfo } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { World } from '../rows/world.js';
import {
  at,
  createWorld,
  encls,
  enclu,
  enter,
  epc,
  lin,
  linPage,
  mem,
  off,
  poke,
  REG_R,
  REG_RW,
  run,
  setEnclaveSecInfo,
  setSecInfo,
  TCS,
  TRIM,
  tcsBytes,
} from '../rows/world.js';

const { PENDING, MODIFIED, PR } = SecInfo;

/** A state of a page: how it comes about, where the page is, and what an honest enclave would accept. */
interface State {
  readonly set: (w: World) => void;
  readonly page: number;
  readonly offset: number;
  readonly accepts: number;
}

const onP = { page: at.p, offset: off.p };
const modified = (type: number) => (w: World) => expect(w.hardware.emodt(0, at.p, type)).toBe(0);
const STATES: Readonly<Record<string, State>> = {
  REG: { ...onP, set: () => {}, accepts: REG_RW | PENDING },
  'REG PENDING': { page: at.pending, offset: off.pending, set: () => {}, accepts: REG_RW | PENDING },
  'REG PR': { ...onP, set: (w) => w.hardware.emodpr(0, at.p, REG_R), accepts: REG_R | PR },
  TCS: { page: at.tcs2, offset: off.tcs2, set: () => {}, accepts: TCS | MODIFIED },
  'TCS MODIFIED': { ...onP, set: makeThread, accepts: TCS | MODIFIED },
  'TRIM MODIFIED': { ...onP, set: modified(TRIM), accepts: TRIM | MODIFIED },
  'TRIM accepted': { ...onP, set: acceptTrim, accepts: TRIM | MODIFIED },
  'REG BLOCKED': { ...onP, set: (w) => w.hardware.eblock(0, at.p), accepts: REG_RW | PENDING },
};

function makeThread(w: World): void {
  const view = new DataView(tcsBytes().buffer);
  for (let offset = 0; offset < 4096; offset += 8) poke(w, at.p, offset, view.getBigUint64(offset, true));
  modified(TCS)(w);
}
function acceptTrim(w: World): void {
  const h = w.hardware;
  modified(TRIM)(w);
  const results = [
    h.etrack(0, at.secs),
    h.eenter(1, at.tcs, linPage(off.tcs)),
    h.eaccept(1, at.p, linPage(off.p), TRIM | MODIFIED),
    h.eexit(1),
  ];
  expect(results).toEqual([0, 0, 0, 0]);
}

/** `ok`, the code, or the fault. */
function verdict(w: World, outcome: Outcome, isSilent = false): string {
  if (outcome.kind === 'fault') return outcome.vector === Vector.PF ? 'PF' : `#${outcome.vector}`;
  expect(outcome.kind).toBe('done');
  return isSilent || w.registers.rax === 0n ? 'ok' : `${w.registers.rax}`;
}
function change(leaf: LeafId, secinfo: number) {
  return (w: World, { page }: State): string => {
    setSecInfo(w, secinfo);
    encls(w, leaf, { rbx: mem.secInfo, rcx: epc(w, page) });
    return verdict(w, run(w));
  };
}
function accept(isTracked: boolean, secinfo?: number) {
  return (w: World, { offset, accepts }: State): string => {
    if (isTracked) expect(w.hardware.etrack(0, at.secs)).toBe(0);
    setEnclaveSecInfo(w, secinfo ?? accepts);
    enter(w);
    enclu(w, Leaf.EACCEPT, { rbx: lin(off.info), rcx: lin(offset) });
    return verdict(w, run(w));
  };
}
function copy(w: World, { offset }: State): string {
  setEnclaveSecInfo(w, REG_R);
  enter(w);
  enclu(w, Leaf.EACCEPTCOPY, { rbx: lin(off.info), rcx: lin(offset), rdx: lin(off.q) });
  return verdict(w, run(w));
}
function extend(w: World, { offset }: State): string {
  setEnclaveSecInfo(w, REG_RW | SecInfo.X);
  enter(w);
  enclu(w, Leaf.EMODPE, { rbx: lin(off.info), rcx: lin(offset) });
  return verdict(w, run(w), true);
}
function remove(isInside: boolean) {
  return (w: World, { page }: State): string => {
    if (isInside) expect(w.hardware.eenter(1, at.tcs, linPage(off.tcs))).toBe(0);
    encls(w, Leaf.EREMOVE, { rcx: epc(w, page) });
    return verdict(w, run(w));
  };
}
function access(kind: (typeof Access)[keyof typeof Access]) {
  return (w: World, { offset }: State): string => {
    enter(w);
    const outcome = w.processor.access(0, createRegisters(), lin(offset), kind);
    return outcome.kind === 'fault' ? 'PF' : 'ok';
  };
}

/** Section 9, the legality matrix. EACCEPT has a column for "tracked" and one for "not tracked". */
const COLUMNS: Readonly<Record<string, (w: World, state: State) => string>> = {
  EMODPR: change(Leaf.EMODPR, REG_R),
  'EMODT TCS': change(Leaf.EMODT, TCS),
  'EMODT TRIM': change(Leaf.EMODT, TRIM),
  'EACCEPT tracked': accept(true),
  'EACCEPT not tracked': accept(false),
  EACCEPTCOPY: copy,
  EMODPE: extend,
  'EREMOVE, LP inside': remove(true),
  'EREMOVE, no LP inside': remove(false),
  read: access(Access.READ),
  write: access(Access.WRITE),
};
const MATRIX: Readonly<Record<string, string>> = {
  REG: 'ok | ok | ok | 19 | 19 | 19 | ok | 14 | ok | ok | ok',
  'REG PENDING': '20 | 20 | 20 | ok | ok | ok | PF | 14 | ok | PF | PF',
  'REG PR': 'ok | ok | ok | ok | 11 | 19 | ok | 14 | ok | ok | PF',
  TCS: 'PF | PF | ok | 19 | 19 | 19 | PF | 14 | ok | PF | PF',
  'TCS MODIFIED': '20 | PF | 20 | ok | 11 | 19 | PF | 14 | ok | PF | PF',
  'TRIM MODIFIED': '20 | PF | PF | ok | 11 | 19 | PF | 14 | ok | PF | PF',
  'TRIM accepted': 'PF | PF | PF | 19 | 19 | 19 | PF | ok | ok | PF | PF',
  'REG BLOCKED': 'ok | ok | ok | PF | PF | 19 | PF | 14 | ok | PF | PF',
};

describe.each(Object.keys(MATRIX))('%s', (name) => {
  const state = STATES[name] as State;
  const wanted = MATRIX[name]?.split(' | ') ?? [];
  it.each(Object.keys(COLUMNS).map((column, index) => [column, wanted[index]] as const))(
    '%s: %s',
    (column, cell) => {
      const w = createWorld();
      state.set(w);
      expect(COLUMNS[column]?.(w, state)).toBe(cell);
    },
  );
});

describe('beside the matrix', () => {
  it('EACCEPT of a PR request with the same rights succeeds on a REG page that has no change, without effect', () => {
    const w = createWorld();
    const before = w.hardware.entry(at.p);
    expect(accept(false, REG_RW | PR)(w, STATES['REG'] as State)).toBe('ok');
    expect(w.hardware.entry(at.p)).toEqual(before);
  });
  it('EMODPE on a PR page widens it while PR stays; EACCEPT must name the widened rights', () => {
    const w = createWorld();
    const state = STATES['REG PR'] as State;
    state.set(w);
    w.hardware.etrack(0, at.secs);
    setEnclaveSecInfo(w, REG_RW);
    enter(w);
    enclu(w, Leaf.EMODPE, { rbx: lin(off.info), rcx: lin(off.p) });
    expect(verdict(w, run(w), true)).toBe('ok');
    expect(w.hardware.entry(at.p).flags).toBe(SecInfo.R | SecInfo.W | PR);
    for (const [secinfo, result] of [
      [REG_R | PR, '19'],
      [REG_RW | PR, 'ok'],
    ] as const) {
      setEnclaveSecInfo(w, secinfo);
      enclu(w, Leaf.EACCEPT, { rbx: lin(off.info), rcx: lin(off.p) });
      expect(verdict(w, run(w))).toBe(result);
    }
  });
  it('EMODT cancels PR', () => {
    const w = createWorld();
    STATES['REG PR']?.set(w);
    expect(change(Leaf.EMODT, TRIM)(w, STATES['REG PR'] as State)).toBe('ok');
    expect(w.hardware.entry(at.p)).toMatchObject({ type: PageType.TRIM, flags: MODIFIED });
  });
});
