import { createRegisters, Translated } from '@epckit/hardware';
import type { AccessKind } from '@epckit/interface';
import { Access, SecInfo } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { World, WorldOptions } from '../rows/world.js';
import { AEP, at, createWorld, enter, lin, mem, off, TCS, WILD } from '../rows/world.js';

const { READ, WRITE, EXECUTE } = Access;
const [P, W, U, I, SGX] = [1, 2, 4, 0x10, 0x8000];

interface AccessCase {
  readonly what: string;
  readonly given?: (w: World) => void;
  readonly address: bigint;
  readonly kind: AccessKind;
  /** Expected translation, or the expected fault. */
  readonly outcome: number | { readonly vector: number; readonly errorCode?: number };
}
const sgxFault = (bits: number) => ({ vector: 14, errorCode: P | U | SGX | bits });
const modified = (w: World) => void w.hardware.emodt(0, at.p, TCS);

/** Section 10.1, in an enclave. The low bits of each address are there to be cleared from CR2. */
const INSIDE: readonly AccessCase[] = [
  { what: 'a page of the enclave', address: lin(off.p), kind: WRITE, outcome: Translated.FILLED },
  { what: 'row 1: not mapped', address: lin(off.hole), kind: READ, outcome: { vector: 14, errorCode: U } },
  {
    what: 'row 1: not mapped, fetch',
    address: lin(off.hole),
    kind: EXECUTE,
    outcome: { vector: 14, errorCode: U | I },
  },
  {
    what: 'row 1: the page table denies the write',
    given: (w) => w.memory.mapEpc(lin(off.p), at.p, SecInfo.R),
    address: lin(off.p),
    kind: WRITE,
    outcome: { vector: 14, errorCode: P | W | U },
  },
  {
    what: 'row 1 before row 5: not mapped and BLOCKED',
    given: (w) => {
      w.memory.unmap(lin(off.p));
      w.hardware.eblock(0, at.p);
    },
    address: lin(off.p),
    kind: READ,
    outcome: { vector: 14, errorCode: U },
  },
  {
    what: 'row 2: EPC outside ELRANGE',
    given: (w) => w.memory.mapEpc(mem.spare, at.p),
    address: mem.spare,
    kind: WRITE,
    outcome: Translated.ABORT_PAGE,
  },
  {
    what: 'row 3: code outside ELRANGE',
    address: mem.spare,
    kind: EXECUTE,
    outcome: { vector: 13, errorCode: 0 },
  },
  { what: 'data outside ELRANGE', address: mem.spare, kind: READ, outcome: Translated.FILLED },
  {
    what: 'row 4: ordinary memory in ELRANGE',
    given: (w) => w.memory.mapEpc(lin(off.p), -1),
    address: lin(off.p),
    kind: READ,
    outcome: sgxFault(0),
  },
  {
    what: 'row 5: VALID=0',
    given: (w) => w.memory.mapEpc(lin(off.p), at.free),
    address: lin(off.p),
    kind: READ,
    outcome: sgxFault(0),
  },
  {
    what: 'row 5: BLOCKED',
    given: (w) => w.hardware.eblock(0, at.p),
    address: lin(off.p),
    kind: WRITE,
    outcome: sgxFault(W),
  },
  { what: 'row 5: PENDING', address: lin(off.pending), kind: READ, outcome: sgxFault(0) },
  { what: 'row 5: MODIFIED', given: modified, address: lin(off.p), kind: READ, outcome: sgxFault(0) },
  { what: 'row 5: a TCS page', address: lin(off.tcs), kind: READ, outcome: sgxFault(0) },
  {
    what: 'row 5: another enclave',
    given: (w) => w.memory.mapEpc(lin(off.p), at.pB),
    address: lin(off.p),
    kind: READ,
    outcome: sgxFault(0),
  },
  {
    what: 'row 5: another address',
    given: (w) => w.memory.mapEpc(lin(off.hole), at.p),
    address: lin(off.hole),
    kind: READ,
    outcome: sgxFault(0),
  },
  { what: 'row 5: no R', address: lin(off.fetchOnly), kind: READ, outcome: sgxFault(0) },
  { what: 'row 5: no X', address: lin(off.p), kind: EXECUTE, outcome: sgxFault(I) },
  { what: 'not canonical', address: WILD, kind: READ, outcome: { vector: 13, errorCode: 0 } },
];

function judge(test: AccessCase, options: WorldOptions, isInside: boolean) {
  const w = createWorld({ keepsTlbs: true, ...options });
  if (isInside) enter(w);
  test.given?.(w);
  const registers = createRegisters({ rbx: 5n });
  return { w, registers, outcome: w.processor.access(0, registers, test.address + 0x123n, test.kind) };
}

describe('inside', () => {
  it.each(INSIDE)('$what', (test) => {
    const { w, registers, outcome } = judge(test, {}, true);
    if (typeof test.outcome === 'number') {
      expect(outcome).toEqual({ kind: 'done', translated: test.outcome });
      expect(w.hardware.insideOf(0)).toBe(at.secs);
      return;
    }
    const cr2 = test.outcome.vector === 14 ? test.address : null;
    expect(outcome).toEqual({ kind: 'fault', isExit: true, cr2, ...test.outcome });
    expect(registers).toMatchObject({ rax: 3n, rbx: lin(off.tcs), rip: AEP });
    expect(w.hardware.insideOf(0)).toBe(-1);
  });
});

describe('outside', () => {
  it('EPC pages are abort pages; ordinary memory is ordinary', () => {
    const read = (address: bigint, kind: AccessKind = READ) =>
      judge({ what: '', address, kind, outcome: 0 }, {}, false).outcome;
    expect(read(lin(off.p))).toEqual({ kind: 'done', translated: Translated.ABORT_PAGE });
    expect(read(lin(off.pending), WRITE)).toEqual({ kind: 'done', translated: Translated.ABORT_PAGE });
    expect(read(mem.spare)).toEqual({ kind: 'done', translated: Translated.FILLED });
    const address = lin(off.hole) + 0x123n;
    expect(read(lin(off.hole))).toEqual({
      kind: 'fault',
      vector: 14,
      errorCode: U,
      cr2: address,
      isExit: false,
    });
  });
});

describe('TLB', () => {
  it('a running thread keeps using a page that was blocked, until it leaves', () => {
    const w = createWorld({ keepsTlbs: true });
    const read = () => w.processor.access(0, createRegisters(), lin(off.p), READ);
    enter(w);
    expect(read()).toEqual({ kind: 'done', translated: Translated.FILLED });
    w.hardware.eblock(1, at.p);
    expect(read()).toEqual({ kind: 'done', translated: Translated.HIT });
    w.processor.interrupt(0, createRegisters());
    enter(w);
    expect(read()).toMatchObject({ kind: 'fault', vector: 14, errorCode: P | U | SGX });
  });
});
