import { createRegisters } from '@epckit/hardware';
import type { LeafId } from '@epckit/interface';
import { Leaf, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import { SUITES } from '../rows/suites.js';
import type { World } from '../rows/world.js';
import {
  at,
  createWorld,
  encls,
  enclu,
  enter,
  epc,
  lin,
  mem,
  off,
  REG_RW,
  run,
  setEnclaveSecInfo,
  setInfo,
  setSecInfo,
} from '../rows/world.js';

/** Codes that this model's leaves return, and the flag that each leaf sets with them. */
const CODES: Readonly<Record<number, readonly string[]>> = {
  1: ['EINIT zf'],
  2: ['EINIT zf'],
  3: ['EBLOCK cf'],
  4: ['EINIT zf'],
  5: ['EBLOCK cf'],
  6: ['EBLOCK zf', 'ERDINFO cf', 'ETRACKC zf'],
  7: [
    ...['EBLOCK', 'EDECVIRTCHILD', 'EINCVIRTCHILD', 'ELDBC', 'ELDUC', 'EMODPR', 'EMODT', 'ERDINFO'],
    ...['ESETCONTEXT', 'ETRACKC', 'EUPDATESVN'],
  ].map((leaf) => `${leaf} zf`),
  8: ['EINIT zf'],
  9: ['ELDB zf', 'ELDBC zf', 'ELDU zf', 'ELDUC zf'],
  10: ['EWB zf'],
  11: ['EACCEPT zf', 'EWB zf'],
  13: ['EREMOVE zf', 'EWB zf'],
  14: ['EREMOVE zf'],
  15: ['EBLOCK zf'],
  16: ['EINIT zf'],
  17: ['ETRACK zf', 'ETRACKC zf'],
  18: ['EBLOCK cf'],
  19: ['EACCEPT zf', 'EACCEPTCOPY zf'],
  20: ['EMODPR zf', 'EMODT zf'],
  21: ['EDBGRD zf', 'EDBGWR zf'],
  25: ['EDECVIRTCHILD zf'],
  26: ['ERDINFO cf'],
  27: ['ETRACKC cf'],
  29: ['EUPDATESVN zf'],
  30: ['EUPDATESVN zf'],
  31: ['EUPDATESVN cf'],
  32: ['EINIT zf'],
  128: ['EINIT zf'],
};

describe('codes and flags', () => {
  it('every code comes from the leaves of section 6, with its flag (12 is tested with EWB)', () => {
    const seen: Record<number, Set<string>> = {};
    for (const { table, cases } of SUITES) {
      for (const { outcome } of cases) {
        if (outcome.is !== 'done' || outcome.code === null || outcome.code === SgxCode.SUCCESS) continue;
        seen[outcome.code] = (seen[outcome.code] ?? new Set()).add(`${table} ${outcome.flag}`);
      }
    }
    const sorted = Object.fromEntries(Object.entries(seen).map(([code, names]) => [code, [...names].sort()]));
    expect(sorted).toEqual(CODES);
  });
  it('success clears every flag, and the upper half of RAX', () => {
    const w = createWorld();
    encls(w, Leaf.EBLOCK, { rax: 0xffff_ffff_0000_0009n, rcx: epc(w, at.p) });
    expect(run(w)).toEqual({ kind: 'done' });
    expect(w.registers.rax).toBe(0n);
    expect(Object.values(w.registers.flags)).toEqual(Array(6).fill(false));
  });
});

describe('leaves without a code leave RAX and flags alone', () => {
  const silent: [LeafId, (w: World) => void][] = [
    [Leaf.ECREATE, ecreate],
    [Leaf.EADD, add],
    [Leaf.EEXTEND, (w) => encls(w, Leaf.EEXTEND, { rbx: epc(w, at.secsB), rcx: epc(w, at.pB) })],
    [Leaf.EPA, (w) => encls(w, Leaf.EPA, { rbx: 3n, rcx: epc(w, at.free) })],
    [Leaf.EAUG, aug],
    [Leaf.EMODPE, extend],
  ];
  test.each(silent)('leaf %i', (_leaf, set) => {
    for (const fails of [false, true]) {
      const w = createWorld();
      set(w);
      if (fails) w.registers.rcx += 8n;
      const { rax } = w.registers;
      const before = structuredClone(w.registers);
      const outcome = run(w);
      expect(outcome.kind).toBe(fails ? 'fault' : 'done');
      if (outcome.kind === 'fault' && outcome.isExit) continue;
      expect(w.registers).toEqual({ ...before, rax });
      expect(Object.values(w.registers.flags)).toEqual(Array(6).fill(true));
    }
  });
});

function ecreate(w: World): void {
  const secs = new Uint8Array(4096);
  new DataView(secs.buffer).setBigUint64(0, 8192n, true);
  new DataView(secs.buffer).setUint32(16, 1, true);
  secs.set([4, 0, 0, 0, 0, 0, 0, 0, 3], 48);
  w.memory.write(0, mem.secs, secs);
  setInfo(w, { source: mem.secs, metadata: mem.secInfo });
  encls(w, Leaf.ECREATE, { rbx: mem.pageInfo, rcx: epc(w, at.free) });
}
function add(w: World): void {
  setSecInfo(w, REG_RW);
  setInfo(w, {
    linearAddress: lin(off.hole),
    source: mem.source,
    metadata: mem.secInfo,
    secs: epc(w, at.secsB),
  });
  encls(w, Leaf.EADD, { rbx: mem.pageInfo, rcx: epc(w, at.free) });
}
function aug(w: World): void {
  setInfo(w, { linearAddress: lin(off.hole), secs: epc(w, at.secs) });
  encls(w, Leaf.EAUG, { rbx: mem.pageInfo, rcx: epc(w, at.free) });
}
function extend(w: World): void {
  setEnclaveSecInfo(w, REG_RW | 4);
  enter(w);
  enclu(w, Leaf.EMODPE, { rbx: lin(off.info), rcx: lin(off.p) });
}

describe('registers', () => {
  it('are 0 and false unless given', () => {
    const registers = createRegisters({ rcx: 5n, flags: { zf: true } });
    expect(registers).toMatchObject({ rax: 0n, rcx: 5n, rip: 0n, flags: { zf: true, cf: false } });
  });
});
