import { Leaf } from '@epckit/interface';
import type { Act, RowCase, RowSuite } from '../suite.js';
import { cf, exit, gp, ok, ordinary, pf, rcx, rdx, zf } from '../suite.js';
import type { World } from '../world.js';
import { at, encls, epc, evict, inGuest, lin, linPage, mem, off, setInfo, track } from '../world.js';
import { both, busyTarget, hold, info, page, pageInfoRows, secs, target } from './operands.js';
import { emptyB } from './remove.js';

const block =
  (index: number): Act =>
  (w) =>
    w.hardware.eblock(0, index);
/** A processor is inside since before the running tracking cycle. */
const cycling: Act = (w) => {
  w.hardware.eenter(1, at.tcs, linPage(off.tcs));
  w.hardware.etrack(0, at.secs);
};
const blockedBy =
  (index: number): Act =>
  (w) => {
    if (!w.hardware.entry(index).blocked) throw new Error('not blocked');
  };
const cycles =
  (count: number): Act =>
  (w) => {
    if (w.hardware.tracking(at.secs).epoch !== count) throw new Error('no cycle');
  };

export const eblockSuite: RowSuite = {
  table: 'EBLOCK',
  call: (w) => encls(w, Leaf.EBLOCK, { rcx: epc(w, at.p) }),
  cases: [
    ...target(1, 2),
    { row: 3, what: 'the page is in use', defect: hold(Leaf.EREMOVE, 'rcx'), outcome: zf(7) },
    { row: 4, what: 'a free page', defect: page('rcx', at.free), outcome: zf(6) },
    { row: 5, what: 'a SECS', defect: page('rcx', at.secs), outcome: cf(18) },
    { row: 6, what: 'a VA page', defect: page('rcx', at.va), outcome: cf(5) },
    {
      row: 7,
      what: 'an ETRACK of the enclave is running',
      defect: hold(Leaf.ETRACK, at.secs),
      outcome: zf(15),
    },
    {
      row: 7,
      what: 'an ETRACKC of the enclave is running',
      defect: hold(Leaf.ETRACKC, at.q),
      outcome: zf(15),
    },
    { row: 8, what: 'blocked already', defect: block(at.p), outcome: cf(3) },
    { row: 9, what: 'a REG page', outcome: ok, effect: blockedBy(at.p) },
    { row: 9, what: 'a page before EINIT', also: page('rcx', at.pB), outcome: ok, effect: blockedBy(at.pB) },
  ],
};

export const etrackSuite: RowSuite = {
  table: 'ETRACK',
  call: (w) => encls(w, Leaf.ETRACK, { rcx: epc(w, at.secs) }),
  cases: [
    ...target(1, 2),
    { row: 3, what: 'the SECS is in use', defect: hold(Leaf.EREMOVE, 'rcx'), outcome: gp },
    { row: 3, what: 'an ETRACK is running', defect: hold(Leaf.ETRACK, 'rcx'), outcome: gp },
    {
      row: 3,
      what: 'an EWB of the enclave is running',
      given: (w) => track(w, at.q),
      defect: hold(Leaf.EWB, at.q, -1, at.va),
      outcome: gp,
    },
    {
      row: 3,
      what: 'an ETRACKC is running, in a guest',
      given: inGuest,
      defect: hold(Leaf.ETRACKC, at.p),
      outcome: exit(71, 0),
    },
    { row: 4, what: 'a free page', defect: page('rcx', at.free), outcome: pf(rcx) },
    { row: 5, what: 'a REG page', defect: page('rcx', at.p), outcome: pf(rcx) },
    { row: 5, what: 'a VA page', defect: page('rcx', at.va), outcome: pf(rcx) },
    { row: 6, what: 'the cycle before has not ended', defect: cycling, outcome: zf(17) },
    {
      row: 6,
      what: 'the cycle before has not ended, in a guest',
      given: inGuest,
      defect: cycling,
      outcome: exit(71, 1),
    },
    { row: 7, what: 'a SECS', outcome: ok, effect: cycles(1) },
  ],
};

export const etrackcSuite: RowSuite = {
  table: 'ETRACKC',
  call: (w) => encls(w, Leaf.ETRACKC, { rcx: epc(w, at.p) }),
  cases: [
    ...target(1, 2),
    { row: 3, what: 'the page is in use', defect: hold(Leaf.EREMOVE, 'rcx'), outcome: zf(7) },
    { row: 4, what: 'a free page', defect: page('rcx', at.free), outcome: zf(6) },
    { row: 5, what: 'a VA page', defect: page('rcx', at.va), outcome: cf(27) },
    { row: 6, what: 'an ETRACK is running', defect: hold(Leaf.ETRACK, at.secs), outcome: zf(7) },
    {
      row: 6,
      what: 'an ETRACK is running, in a guest',
      given: inGuest,
      defect: hold(Leaf.ETRACK, at.secs),
      outcome: exit(71, 0),
    },
    { row: 7, what: 'the cycle before has not ended', defect: cycling, outcome: zf(17) },
    {
      row: 7,
      what: 'the cycle before has not ended, in a guest',
      given: inGuest,
      defect: cycling,
      outcome: exit(71, 1),
    },
    { row: 8, what: 'a child page', outcome: ok, effect: cycles(1) },
    { row: 8, what: 'the SECS itself', also: page('rcx', at.secs), outcome: ok, effect: cycles(1) },
  ],
};

const slotRows = (aligned: number, inEpc: number): RowCase[] => target(aligned, inEpc, 'rdx', 4n);
const blobRows = (row: number): RowCase[] => [
  { row, what: 'PCMD is misaligned', defect: info({ metadata: mem.pcmd + 64n }), outcome: gp },
  { row, what: 'PCMD is not canonical', defect: info({ metadata: 1n << 63n }), outcome: gp },
  { row, what: 'SRCPGE is misaligned', defect: info({ source: mem.ciphertext + 8n }), outcome: gp },
  {
    row,
    what: 'PCMD is not mapped',
    defect: info({ metadata: mem.hole }),
    outcome: ordinary(() => mem.hole),
  },
  {
    row,
    what: 'SRCPGE is not mapped',
    defect: info({ source: mem.hole }),
    outcome: ordinary(() => mem.hole),
  },
];

const secsB: Act = both(emptyB, inGuest);

export const ewbSuite: RowSuite = {
  table: 'EWB',
  call: (w) => {
    track(w, at.p);
    setInfo(w, { source: mem.ciphertext, metadata: mem.pcmd });
    encls(w, Leaf.EWB, { rbx: mem.pageInfo, rcx: epc(w, at.p), rdx: epc(w, at.va) + 24n });
  },
  cases: [
    ...pageInfoRows(1),
    ...target(1, 2),
    ...slotRows(3, 4),
    {
      row: 5,
      what: 'a VA page into itself',
      also: page('rcx', at.va2),
      defect: page('rdx', at.va2, 8n),
      outcome: gp,
    },
    { row: 6, what: 'LINADDR is not 0', defect: info({ linearAddress: lin(0) }), outcome: gp },
    { row: 6, what: 'PAGEINFO.SECS is not 0', defect: secs(at.secs), outcome: gp },
    ...blobRows(7),
    ...busyTarget(8, Leaf.EBLOCK),
    { row: 9, what: 'the VA page is in use', defect: hold(Leaf.EREMOVE, at.va), outcome: gp },
    { row: 10, what: 'a free page', defect: page('rcx', at.free), outcome: pf(rcx) },
    { row: 11, what: 'the slot is in a free page', defect: page('rdx', at.free), outcome: pf(rdx) },
    { row: 11, what: 'the slot is in a REG page', defect: page('rdx', at.q, 8n), outcome: pf(rdx) },
    { row: 12, what: 'an ETRACK of the enclave is running', defect: hold(Leaf.ETRACK, at.secs), outcome: gp },
    { row: 13, what: 'the page is not blocked', defect: page('rcx', at.q), outcome: zf(10) },
    {
      row: 14,
      what: 'blocked after the ETRACK',
      also: both(page('rcx', at.q), block(at.q)),
      cure: (w) => w.hardware.etrack(0, at.secs),
      outcome: zf(11),
    },
    {
      row: 14,
      what: 'a processor has not left since',
      given: (w) => w.hardware.eenter(1, at.tcs, linPage(off.tcs)),
      cure: (w) => w.hardware.eexit(1),
      outcome: zf(11),
    },
    {
      row: 15,
      what: 'a SECS with children',
      given: (w) => w.hardware.eremove(0, at.tcsB),
      also: page('rcx', at.secsB),
      cure: (w) => w.hardware.eremove(0, at.pB),
      outcome: zf(13),
    },
    {
      row: 16,
      what: 'a SECS with virtual children, in a guest',
      given: secsB,
      also: page('rcx', at.secsB),
      defect: (w) => w.hardware.eincvirtchild(0, at.secsB, at.secsB),
      outcome: zf(13),
    },
  ],
};

interface LoadLeaf {
  readonly name: 'ELDB' | 'ELDU' | 'ELDBC' | 'ELDUC';
  /** ELDBC and ELDUC: a conflict is a code. */
  readonly hasCodes: boolean;
}
const LOADS: readonly LoadLeaf[] = [
  { name: 'ELDB', hasCodes: false },
  { name: 'ELDU', hasCodes: false },
  { name: 'ELDBC', hasCodes: true },
  { name: 'ELDUC', hasCodes: true },
];

/** Instead of the page p the VA page va2 is outside. */
const arrayOutside: Act = (w) => {
  w.hardware.eremove(0, at.free);
  evict(w, at.va2, 4);
  w.registers.rdx = epc(w, at.va) + 32n;
};

function loadCases(hasCodes: boolean): RowCase[] {
  const busy = hasCodes ? zf(7) : gp;
  const guest = hasCodes ? exit(71, 3, 7) : exit(71, 2);
  return [
    ...pageInfoRows(1),
    ...target(1, 2),
    ...slotRows(3, 4),
    ...blobRows(5),
    { row: 6, what: 'the target is in use', defect: hold(Leaf.EPA, 'rcx'), outcome: busy },
    {
      row: 6,
      what: 'the target is in use, in a guest',
      given: inGuest,
      defect: hold(Leaf.EPA, 'rcx'),
      outcome: guest,
    },
    { row: 7, what: 'the VA page is in use', defect: hold(Leaf.EREMOVE, at.va), outcome: busy },
    { row: 8, what: 'the target is valid', defect: page('rcx', at.q), outcome: pf(rcx) },
    { row: 9, what: 'the slot is in a free page', defect: page('rdx', at.free2), outcome: pf(rdx) },
    { row: 9, what: 'the slot is in a SECS', defect: page('rdx', at.secs, 8n), outcome: pf(rdx) },
    ...secsCases(hasCodes),
  ];
}

/** Rows 10 to 15: the SECS, and whether the blob is authentic. */
function secsCases(hasCodes: boolean): RowCase[] {
  const busy = hasCodes ? zf(7) : gp;
  const spare = () => mem.spare;
  return [
    {
      row: 10,
      what: 'SECS is misaligned',
      defect: (w) => setInfo(w, { secs: epc(w, at.secs) + 64n }),
      outcome: gp,
    },
    { row: 11, what: 'SECS is ordinary memory', defect: info({ secs: mem.spare }), outcome: pf(spare) },
    {
      row: 11,
      what: 'SECS is not mapped',
      defect: info({ secs: mem.hole }),
      outcome: ordinary(() => mem.hole),
    },
    { row: 11, what: 'SECS is 0', defect: info({ secs: 0n }), outcome: ordinary(() => 0n) },
    {
      row: 11,
      what: 'SECS is 0 and mapped',
      given: (w) => w.memory.mapOrdinary(0n),
      defect: info({ secs: 0n }),
      outcome: pf(() => 0n),
    },
    { row: 12, what: 'the SECS is in use', defect: hold(Leaf.EREMOVE, 'secs'), outcome: busy },
    {
      row: 13,
      what: 'the SECS is a free page',
      defect: secs(at.free2),
      outcome: pf((w) => epc(w, at.free2)),
    },
    { row: 13, what: 'the SECS is a REG page', defect: secs(at.q), outcome: pf((w) => epc(w, at.q)) },
    { row: 14, what: 'a VA page with a SECS', also: arrayOutside, defect: secs(at.secs), outcome: gp },
    {
      row: 14,
      what: 'a VA page with a misaligned SECS',
      also: arrayOutside,
      defect: info({ secs: 8n }),
      outcome: gp,
    },
    {
      row: 15,
      what: 'a changed byte of the ciphertext',
      defect: (w) => flip(w, mem.ciphertext + 4095n),
      outcome: zf(9),
    },
    { row: 15, what: 'another enclave', defect: secs(at.secsB), outcome: zf(9) },
    { row: 15, what: 'an empty slot', defect: page('rdx', at.va, 40n), outcome: zf(9) },
    { row: 15, what: 'another LINADDR', defect: info({ linearAddress: lin(off.hole) }), outcome: zf(9) },
    {
      row: 15,
      what: 'a misaligned LINADDR',
      defect: info({ linearAddress: lin(off.p) + 8n }),
      outcome: zf(9),
    },
    ...[0, 7, 63, 72, 111, 112, 127].map(
      (offset): RowCase => ({
        row: 15,
        what: `a changed bit of byte ${offset} of the PCMD`,
        defect: (w) => flip(w, mem.pcmd + BigInt(offset)),
        outcome: zf(9),
      }),
    ),
  ];
}

/** Changes bit 0 of a byte. */
function flip(w: World, address: bigint): void {
  const [byte = 0] = w.memory.read(0, address, 1);
  w.memory.write(0, address, Uint8Array.of(byte ^ 1));
}

export const loadSuites: readonly RowSuite[] = LOADS.map(({ name, hasCodes }) => ({
  table: name,
  call: (w) => {
    if (w.hardware.isValid(at.p)) evict(w, at.p, 3);
    encls(w, Leaf[name], { rbx: mem.pageInfo, rcx: epc(w, at.free), rdx: epc(w, at.va) + 24n });
  },
  cases: loadCases(hasCodes),
}));
