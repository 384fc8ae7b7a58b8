import { Leaf } from '@epckit/interface';
import type { Act, RowCase, RowSuite } from '../suite.js';
import { cf, gp, ok, ordinary, pf, rbx, rcx, rdx, zf } from '../suite.js';
import { at, encls, enclv, epc, mem, WILD } from '../world.js';
import { hold, page, reg, target } from './operands.js';

const read64 =
  (offset: number): ((w: Parameters<Act>[0]) => bigint) =>
  (w) =>
    new DataView(w.memory.read(0, mem.rdInfo, 32).buffer).getBigUint64(offset, true);

export const erdinfoSuite: RowSuite = {
  table: 'ERDINFO',
  call: (w) => encls(w, Leaf.ERDINFO, { rbx: mem.rdInfo, rcx: epc(w, at.p) }),
  cases: [
    { row: 1, what: 'RBX is misaligned', defect: reg('rbx', mem.rdInfo + 16n), outcome: gp },
    { row: 1, what: 'RCX is misaligned', defect: page('rcx', at.p, 64n), outcome: gp },
    { row: 1, what: 'RBX is not canonical', defect: reg('rbx', WILD), outcome: gp },
    { row: 1, what: 'RBX is not mapped', defect: reg('rbx', mem.hole), outcome: ordinary(rbx) },
    {
      row: 1,
      what: 'RBX is read-only',
      defect: (w) => w.memory.mapOrdinary(mem.rdInfo, 1),
      outcome: ordinary(rbx),
    },
    { row: 2, what: 'RCX is ordinary memory', defect: reg('rcx', mem.spare), outcome: cf(26) },
    { row: 2, what: 'RCX is not mapped', defect: reg('rcx', mem.hole), outcome: ordinary(rcx) },
    { row: 3, what: 'the page is in use', defect: hold(Leaf.EREMOVE, 'rcx'), outcome: zf(7) },
    { row: 4, what: 'a free page', defect: page('rcx', at.free), outcome: cf(6) },
    {
      row: 5,
      what: 'a blocked REG page',
      given: (w) => w.hardware.eblock(0, at.p),
      outcome: ok,
      effect: (w) => {
        const seen = [0, 8, 16, 24].map((offset) => read64(offset)(w));
        const wanted = [0n, (1n << 63n) | 0x203n, BigInt(at.secs) * 4096n, 0n];
        if (String(seen) !== String(wanted)) throw new Error(`RDINFO is ${seen}`);
      },
    },
  ],
};

export const eupdatesvnSuite: RowSuite = {
  table: 'EUPDATESVN',
  call: (w) => {
    w.hardware.powerCycle();
    w.hardware.platform.microcodeSvn = 1;
    encls(w, Leaf.EUPDATESVN);
  },
  cases: [
    { row: 1, what: 'an EPA is running', defect: hold(Leaf.EPA, at.free), outcome: zf(7) },
    { row: 2, what: 'a page is valid', defect: (w) => w.hardware.epa(0, at.free), outcome: zf(30) },
    {
      row: 3,
      what: 'there is no entropy',
      defect: (w) => {
        w.hardware.platform.entropyFailures = 1;
      },
      outcome: zf(29),
    },
    {
      row: 4,
      what: 'the microcode is not newer',
      defect: (w) => {
        w.hardware.platform.microcodeSvn = 0;
      },
      outcome: cf(31),
    },
    {
      row: 5,
      what: 'the microcode is newer',
      outcome: ok,
      effect: (w) => {
        if (w.hardware.platform.cpuSvn !== 1) throw new Error('CPUSVN is old');
      },
    },
  ],
};

const increment: Act = (w) => w.hardware.eincvirtchild(0, at.p, at.secs);
const counted =
  (count: number): Act =>
  (w) => {
    if (w.hardware.virtualChildren(at.secs) !== count)
      throw new Error(`count is ${w.hardware.virtualChildren(at.secs)}`);
  };
function virtualRows(table: string): RowCase[] {
  const count = table === 'EINCVIRTCHILD' ? 2 : 0;
  return [
    ...target(1, 2, 'rbx'),
    { row: 3, what: 'RCX is ordinary memory', defect: reg('rcx', mem.spare), outcome: pf(rcx) },
    { row: 3, what: 'RCX is not mapped', defect: reg('rcx', mem.hole), outcome: ordinary(rcx) },
    { row: 4, what: 'the page is in use', defect: hold(Leaf.EREMOVE, 'rbx'), outcome: zf(7) },
    { row: 5, what: 'a free page', defect: page('rbx', at.free), outcome: pf(rbx) },
    { row: 5, what: 'a VA page', defect: page('rbx', at.va), outcome: pf(rbx) },
    { row: 6, what: 'the SECS of another enclave', defect: page('rcx', at.secsB), outcome: gp },
    {
      row: 6,
      what: 'another SECS for a SECS',
      also: page('rbx', at.secs),
      defect: page('rcx', at.secsB),
      outcome: gp,
    },
    { row: 6, what: 'RCX is in the SECS, but misaligned', defect: page('rcx', at.secs, 64n), outcome: gp },
    { row: 8, what: 'a child page', outcome: ok, effect: counted(count) },
    { row: 8, what: 'the SECS itself', also: page('rbx', at.secs), outcome: ok, effect: counted(count) },
  ];
}

export const eincvirtchildSuite: RowSuite = {
  table: 'EINCVIRTCHILD',
  call: (w) => {
    increment(w);
    enclv(w, Leaf.EINCVIRTCHILD, { rbx: epc(w, at.p), rcx: epc(w, at.secs) });
  },
  cases: virtualRows('EINCVIRTCHILD'),
};

export const edecvirtchildSuite: RowSuite = {
  table: 'EDECVIRTCHILD',
  call: (w) => {
    increment(w);
    enclv(w, Leaf.EDECVIRTCHILD, { rbx: epc(w, at.p), rcx: epc(w, at.secs) });
  },
  cases: [
    ...virtualRows('EDECVIRTCHILD'),
    {
      row: 7,
      what: 'the count is 0',
      defect: (w) => w.hardware.edecvirtchild(0, at.p, at.secs),
      outcome: zf(25),
    },
  ],
};

export const esetcontextSuite: RowSuite = {
  table: 'ESETCONTEXT',
  call: (w) => {
    w.memory.write(0, mem.context, Uint8Array.of(0, 0x10, 0, 0, 0x80, 0x88, 0xff, 0xff));
    enclv(w, Leaf.ESETCONTEXT, { rcx: epc(w, at.secs), rdx: mem.context });
  },
  cases: [
    ...target(1, 2),
    { row: 3, what: 'RDX is misaligned', defect: reg('rdx', mem.context + 4n), outcome: gp },
    { row: 3, what: 'RDX is not canonical', defect: reg('rdx', WILD), outcome: gp },
    { row: 3, what: 'RDX is not mapped', defect: reg('rdx', mem.hole), outcome: ordinary(rdx) },
    { row: 4, what: 'the SECS is in use', defect: hold(Leaf.EREMOVE, 'rcx'), outcome: zf(7) },
    { row: 5, what: 'a free page', defect: page('rcx', at.free), outcome: pf(rcx) },
    { row: 5, what: 'a REG page', defect: page('rcx', at.p), outcome: pf(rcx) },
    {
      row: 6,
      what: 'a kernel address',
      outcome: ok,
      effect: (w) => {
        if (w.hardware.enclaveContext(at.secs) !== -0x777f_ffff_f000) throw new Error('wrong context');
      },
    },
  ],
};
