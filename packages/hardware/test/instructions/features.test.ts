import type { SgxFeatureOptions } from '@epckit/hardware';
import { FeatureSet } from '@epckit/hardware';
import type { LeafId } from '@epckit/interface';
import { Access, Leaf } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import { SUITES } from '../rows/suites.js';
import type { World } from '../rows/world.js';
import { at, createWorld, encls, enclv, enter, epc, lin, mem, off, run, setInfo } from '../rows/world.js';

const SGX1 = { ...FeatureSet.SGX1 };
const sgx1World = () => createWorld({ features: { ...SGX1, kss: false, exinfo: false, aexNotify: false } });

describe('a processor with SGX1 only', () => {
  it('gives #GP where others give #PF: operands outside the EPC, and EPCM entries', () => {
    const calls: ((w: World) => void)[] = [
      (w) => encls(w, Leaf.EBLOCK, { rcx: mem.spare }),
      (w) => encls(w, Leaf.EPA, { rbx: 3n, rcx: epc(w, at.p) }),
      (w) => encls(w, Leaf.ETRACK, { rcx: epc(w, at.free) }),
      (w) => encls(w, Leaf.EWB, { rbx: mem.pageInfo, rcx: epc(w, at.free), rdx: epc(w, at.va) }),
    ];
    for (const call of calls) {
      const w = sgx1World();
      setInfo(w, { source: mem.ciphertext, metadata: mem.pcmd });
      call(w);
      expect(run(w)).toMatchObject({ kind: 'fault', vector: 13, errorCode: 0, cr2: null });
    }
  });
  it('ordinary page faults stay page faults', () => {
    const w = sgx1World();
    encls(w, Leaf.EBLOCK, { rcx: mem.hole });
    expect(run(w)).toMatchObject({ vector: 14, errorCode: 2, cr2: mem.hole });
  });
  it('enclave accesses that the EPCM refuses are #GP after the exit', () => {
    const w = sgx1World();
    enter(w);
    w.hardware.eblock(0, at.p);
    const outcome = w.processor.access(0, w.registers, lin(off.p), Access.READ);
    expect(outcome).toMatchObject({ vector: 13, isExit: true, cr2: null });
  });
  it('EBLOCK, EWB and ELDU work', () => {
    for (const table of ['EBLOCK', 'ETRACK', 'EWB', 'ELDU', 'ELDB', 'EENTER']) {
      const w = sgx1World();
      SUITES.find((suite) => suite.table === table)?.call(w);
      expect(run(w)).toEqual({ kind: 'done' });
    }
  });
});

/** What the leaves of a feature end with if it is missing; with it they get to their operands (#GP, #PF, code). */
const GROUPS: readonly {
  feature: keyof SgxFeatureOptions;
  encls?: LeafId[];
  enclu?: LeafId[];
  enclv?: LeafId[];
}[] = [
  {
    feature: 'sgx2',
    encls: [Leaf.EAUG, Leaf.EMODPR, Leaf.EMODT],
    enclu: [Leaf.EACCEPT, Leaf.EMODPE, Leaf.EACCEPTCOPY],
  },
  { feature: 'enclsC', encls: [Leaf.ERDINFO, Leaf.ETRACKC, Leaf.ELDBC, Leaf.ELDUC] },
  { feature: 'eupdatesvn', encls: [Leaf.EUPDATESVN] },
  { feature: 'enclv', enclv: [Leaf.EDECVIRTCHILD, Leaf.EINCVIRTCHILD, Leaf.ESETCONTEXT] },
  { feature: 'aexNotify', enclu: [Leaf.EDECCSSA] },
];

/** The suite's good call succeeds with the feature and ends with `vector` without it. */
function expectNeeds(feature: keyof SgxFeatureOptions, leaf: LeafId, vector: number): void {
  const suite = SUITES.find(({ table }) => Leaf[table as keyof typeof Leaf] === leaf);
  if (suite === undefined) throw new Error('no such table');
  const w = createWorld();
  suite.call(w);
  expect(run(w)).toEqual({ kind: 'done' });
  const without = createWorld({ features: { [feature]: false } });
  // A leaf that is not there does not look at its operands: those of the other world do.
  Object.assign(without.registers, w.registers, { rax: BigInt(leaf & 0xff) });
  without.instruction = w.instruction;
  Object.assign(without.processor.logical(0), { ...w.processor.logical(0) });
  if (w.instruction === 'enclu') enter(without);
  expect(run(without)).toMatchObject({ kind: 'fault', vector });
}

describe('leaves exist by feature', () => {
  for (const { feature, encls: s = [], enclu: u = [], enclv: v = [] } of GROUPS) {
    it(`${feature}: #GP without it, #UD for ENCLV`, () => {
      for (const leaf of [...s, ...u]) expectNeeds(feature, leaf, 13);
      for (const leaf of v) expectNeeds(feature, leaf, 6);
    });
  }
  it('numbers without a leaf are #GP with every feature set', () => {
    for (const features of Object.values(FeatureSet)) {
      const w = createWorld({ features: { ...features, aexNotify: false, kss: false, exinfo: false } });
      for (const leaf of [0x14, 0x15, 0x16, 0x17, 0x19, 0x40, 0x100]) {
        encls(w, leaf as LeafId);
        expect(run(w)).toMatchObject({ vector: 13 });
      }
    }
  });
});

describe('interception in a guest', () => {
  it('comes before feature control and leaf numbers: an all-ones bitmap sees everything', () => {
    const w = createWorld();
    Object.assign(w.processor.logical(0), { vmx: 'non-root', enclsExiting: ~0n, isSgxEnabled: false });
    for (const leaf of [0, 0x3f, 0x40, 0x99, 0xffff_ffff]) {
      encls(w, leaf as LeafId);
      expect(run(w)).toMatchObject({ kind: 'exit', reason: 60 });
    }
  });
  it('bit 63 stands for all leaves from 63 on', () => {
    const w = createWorld();
    Object.assign(w.processor.logical(0), { vmx: 'non-root', enclsExiting: 1n << 63n });
    for (const [leaf, kind] of [
      [62, 'fault'],
      [63, 'exit'],
      [64, 'exit'],
    ] as const) {
      encls(w, leaf as unknown as LeafId);
      expect(run(w).kind).toBe(kind);
    }
  });
  it('bitmaps mean nothing outside guests', () => {
    const w = createWorld();
    Object.assign(w.processor.logical(0), { vmx: 'root', enclsExiting: ~0n, enclvExiting: ~0n });
    encls(w, Leaf.EBLOCK, { rcx: epc(w, at.p) });
    expect(run(w)).toEqual({ kind: 'done' });
    enclv(w, Leaf.EINCVIRTCHILD, { rbx: epc(w, at.p), rcx: epc(w, at.secs) });
    expect(run(w)).toEqual({ kind: 'done' });
  });
});
