import { Attribute, Leaf, PageType, SecInfo } from '@epckit/interface';
import type { Act, RowCase, RowSuite } from '../suite.js';
import { done, gp, ordinary, pf, rbx } from '../suite.js';
import type { World, WorldOptions } from '../world.js';
import { AEP, at, enclu, enter, lin, linPage, off, poke, REG_R, TCS, TRIM, WILD } from '../world.js';
import { both, hold, reg, target } from './operands.js';

/** An address of enclave code leads to another EPC page. */
const remap =
  (offset: number, page: number): Act =>
  (w) =>
    w.memory.mapEpc(lin(offset), page);
const toOrdinary =
  (offset: number): Act =>
  (w) =>
    w.memory.mapEpc(lin(offset), -1);
const unmap =
  (offset: number): Act =>
  (w) =>
    w.memory.unmap(lin(offset));
const field =
  (offset: number, value: bigint): Act =>
  (w) =>
    poke(w, at.tcs, offset, value);
const leafs =
  (act: (h: World['hardware']) => unknown): Act =>
  (w) =>
    act(w.hardware);
const address = (offset: number) => () => lin(offset);

export { leafs, remap, toOrdinary, unmap };

/** Another processor is inside through the TCS page. */
const taken: Act = leafs((h) => h.eenter(1, at.tcs, linPage(off.tcs)));

const tcsRows: RowCase[] = [
  ...target(1, 2, 'rbx'),
  { row: 3, what: 'AEP is not canonical', defect: reg('rcx', WILD), outcome: gp },
  { row: 4, what: 'the TCS page is in use', defect: hold(Leaf.EWB, 'rbx', -1, at.va), outcome: gp },
  { row: 4, what: 'a page of the enclave is being removed', defect: hold(Leaf.EREMOVE, at.q), outcome: gp },
  { row: 5, what: 'the TCS page is free', defect: remap(off.tcs, at.free), outcome: pf(rbx) },
  { row: 5, what: 'the TCS page is blocked', defect: leafs((h) => h.eblock(0, at.tcs)), outcome: pf(rbx) },
  {
    row: 5,
    what: 'the TCS page belongs to another address',
    defect: both(remap(off.hole, at.tcs), reg('rbx', lin(off.hole))),
    outcome: pf(rbx),
  },
  { row: 5, what: 'a REG page', defect: reg('rbx', lin(off.p)), outcome: pf(rbx) },
  { row: 5, what: 'a PENDING page', defect: reg('rbx', lin(off.pending)), outcome: pf(rbx) },
  { row: 5, what: 'a SECS', defect: remap(off.tcs, at.secs), outcome: pf(rbx) },
];

const fieldRows: RowCase[] = [
  { row: 6, what: 'OSSA is misaligned', defect: field(16, 0x1008n), outcome: gp },
  { row: 6, what: 'OFSBASE is misaligned', defect: field(48, 8n), outcome: gp },
  { row: 6, what: 'OGSBASE is misaligned', defect: field(56, 8n), outcome: gp },
  { row: 7, what: 'a reserved bit of TCS.FLAGS', defect: field(8, 4n), outcome: gp },
  {
    row: 9,
    what: 'CR4.OSFXSR is 0',
    defect: (w) => {
      w.hardware.platform.osfxsr = false;
    },
    outcome: gp,
  },
  {
    row: 9,
    what: 'XFRM has a component that XCR0 has not',
    defect: (w) => {
      w.hardware.platform.xcr0 = 1n;
    },
    outcome: gp,
  },
  {
    row: 10,
    what: 'TCS.FLAGS.AEXNOTIFY and not the attribute',
    defect: field(8, 2n),
    cure: field(8, 3n),
    outcome: gp,
  },
  {
    row: 10,
    what: 'the attribute AEXNOTIFY and not the flag',
    world: { attributes: Attribute.AEXNOTIFY },
    given: field(8, 2n),
    defect: field(8, 0n),
    outcome: gp,
  },
];
const lateRows: RowCase[] = [
  { row: 13, what: 'the entry point is not canonical', defect: field(32, WILD), outcome: gp },
  { row: 13, what: 'the FS base is not canonical', defect: field(48, WILD), outcome: gp },
  { row: 13, what: 'the GS base is not canonical', defect: field(56, WILD), outcome: gp },
];

/** All that can be wrong with a page of the save state area at this offset. */
function frameDefects(
  offset: number,
  page: number,
): readonly { what: string; defect: Act; isOrdinary?: boolean }[] {
  return [
    { what: 'is not mapped', defect: unmap(offset), isOrdinary: true },
    { what: 'is ordinary memory', defect: toOrdinary(offset) },
    { what: 'is free', defect: remap(offset, at.free) },
    { what: 'is blocked', defect: leafs((h) => h.eblock(0, page)) },
    { what: 'is PENDING', defect: both(remap(offset, at.pending)) },
    { what: 'is MODIFIED', defect: leafs((h) => h.emodt(0, page, TRIM)) },
    { what: 'belongs to another address', defect: remap(offset, at.q) },
    { what: 'is a TCS page', defect: remap(offset, at.tcs2) },
    { what: 'belongs to another enclave', defect: remap(offset, at.pB) },
    { what: 'is not writable', defect: leafs((h) => h.emodpr(0, page, REG_R)) },
    { what: 'is not readable', defect: leafs((h) => h.emodpr(0, page, PageType.REG << SecInfo.TYPE_SHIFT)) },
  ];
}
function frameRows(row: number, offset: number, page: number, part: string, world: WorldOptions): RowCase[] {
  return frameDefects(offset, page).map(({ what, defect, isOrdinary = false }) => {
    const outcome = (isOrdinary ? ordinary : pf)(address(offset));
    return { row, what: `the ${part} page ${what}`, world, defect, outcome };
  });
}

const twoPages = { ssaFrameSize: 2 };
const eenterSet: Act = (w) => enclu(w, Leaf.EENTER, { rbx: lin(off.tcs), rcx: AEP });

export const eenterSuite: RowSuite = {
  table: 'EENTER',
  success: done,
  call: eenterSet,
  cases: [
    ...tcsRows,
    {
      row: 5,
      what: 'a MODIFIED TCS page',
      defect: both(
        leafs((h) => h.emodt(0, at.p, TCS)),
        reg('rbx', lin(off.p)),
      ),
      outcome: pf(rbx),
    },
    ...fieldRows,
    { row: 8, what: 'the enclave is not initialised', defect: remap(off.tcs, at.tcsB), outcome: gp },
    {
      row: 11,
      what: 'all frames are in use',
      defect: field(24, 2n | (2n << 32n)),
      cure: field(24, 1n | (2n << 32n)),
      outcome: gp,
    },
    ...frameRows(12, off.ssa, at.ssa, 'only', {}),
    ...frameRows(12, off.ssa, at.ssa, 'XSAVE', twoPages),
    ...frameRows(12, off.ssa2, at.ssa2, 'register', twoPages),
    ...lateRows,
    { row: 14, what: 'the TCS page is in use by a thread', defect: taken, outcome: gp },
  ],
};

/** One frame is filled. */
const thrownOut: Act = (w) => {
  enter(w);
  w.processor.interrupt(0, structuredClone(w.registers));
};
const eresumeSet: Act = (w) => {
  thrownOut(w);
  enclu(w, Leaf.ERESUME, { rbx: lin(off.tcs), rcx: AEP });
};
/** A processor has entered again through the TCS page, into the second frame. */
const takenAgain: Act = leafs((h) => h.eenter(1, at.tcs, linPage(off.tcs)));

export const eresumeSuite: RowSuite = {
  table: 'ERESUME',
  success: done,
  call: eresumeSet,
  cases: [
    ...tcsRows,
    {
      row: 5,
      what: 'a MODIFIED TCS page',
      defect: both(
        leafs((h) => h.emodt(0, at.p, TCS)),
        reg('rbx', lin(off.p)),
      ),
      outcome: pf(rbx),
    },
    ...fieldRows,
    { row: 8, what: 'the enclave is not initialised', defect: remap(off.tcs, at.tcsB), outcome: gp },
    { row: 11, what: 'no frame is filled', defect: field(24, 2n << 32n), outcome: gp },
    ...frameRows(12, off.ssa, at.ssa, 'only', {}),
    ...frameRows(12, off.ssa, at.ssa, 'XSAVE', twoPages),
    ...frameRows(12, off.ssa2, at.ssa2, 'register', twoPages),
    ...lateRows,
    { row: 14, what: 'the TCS page is in use by a thread', defect: takenAgain, outcome: gp },
  ],
};

export const eexitSuite: RowSuite = {
  table: 'EEXIT',
  success: done,
  call: (w) => {
    enter(w);
    enclu(w, Leaf.EEXIT, { rbx: 0x5000n });
  },
  cases: [{ row: 1, what: 'the target is not canonical', defect: reg('rbx', WILD), outcome: gp }],
};

/** Inside with one frame filled. */
const edeccssaSet: Act = (w) => {
  thrownOut(w);
  enter(w);
  enclu(w, Leaf.EDECCSSA);
};

export const edeccssaSuite: RowSuite = {
  table: 'EDECCSSA',
  isSilent: true,
  call: edeccssaSet,
  cases: [
    { row: 1, what: 'CSSA is 0', defect: field(24, 2n << 32n), outcome: gp },
    ...frameDefects(off.ssa, at.ssa).map(
      ({ what, defect, isOrdinary = false }): RowCase => ({
        row: 2,
        what: `the page of the frame before ${what}`,
        defect,
        outcome: (isOrdinary ? ordinary : pf)(address(off.ssa)),
      }),
    ),
  ],
};
