import type { HardwareModel } from '@epckit/hardware';
import { conflictRowsOf, conflictTable, HardwareMisuse } from '@epckit/hardware';
import type { LeafId } from '@epckit/interface';
import { ConflictExit, Leaf, LeafFault, leafNames, PageType, SecInfo, SgxCode } from '@epckit/interface';
import { describe, expect, it, test } from 'vitest';
import type { Operands as ArenaOperands } from './arena.js';
import { Arena, place } from './arena.js';
import { at, BASE, evict, furnished, newBlob, REG_RW, SOURCE, snapshot } from './fixture.js';

const { GP, PF } = LeafFault;
const FREE = at.rest;
const blob = newBlob();

type Operands = readonly [leaf: LeafId, page: number, secs?: number, va?: number];
interface Case {
  readonly row: string;
  /** leaf that is running on CPU 1 */
  readonly other: Operands;
  /** the same leaf for {@link HardwareModel.acquire} and as a call, on CPU 0 */
  readonly mine: Operands;
  readonly call: (hardware: HardwareModel) => number;
  readonly given?: (hardware: HardwareModel) => void;
}

const track = (h: HardwareModel) => {
  h.eblock(0, at.p);
  h.etrack(0, at.secs);
};
const save = (h: HardwareModel) => Object.assign(blob, evict(h, at.p, 0));
const thrownOut = (h: HardwareModel) => {
  h.eenter(0, at.tcs, BASE);
  h.aex(0);
};
const clear = (h: HardwareModel) => h.eremove(0, at.pB);

const ecreate = (h: HardwareModel) => h.ecreate(0, FREE, SOURCE);
const epa = (h: HardwareModel) => h.epa(0, FREE);
const eadd = (h: HardwareModel) => h.eadd(0, FREE, at.secsB, BASE, REG_RW, 1);
const eextend = (h: HardwareModel) => h.eextend(0, at.pB, at.secsB, 0);
const einit = (h: HardwareModel) => h.einit(0, at.secsB, {});
const eremove = (h: HardwareModel) => h.eremove(0, at.p);
const eblock = (h: HardwareModel) => h.eblock(0, at.p);
const etrack = (h: HardwareModel) => h.etrack(0, at.secs);
const ewb = (h: HardwareModel) => h.ewb(0, at.p, at.va, 0, newBlob());
const eldu = (h: HardwareModel) => h.eldu(0, FREE, at.secs, at.va, 0, blob);
const eenter = (h: HardwareModel) => h.eenter(0, at.tcs, BASE);
const eresume = (h: HardwareModel) => h.eresume(0, at.tcs, BASE);

const EADD: Operands = [Leaf.EADD, FREE, at.secsB];
const EEXTEND: Operands = [Leaf.EEXTEND, at.pB, at.secsB];
const EWB: Operands = [Leaf.EWB, at.p, -1, at.va];
const ELDU: Operands = [Leaf.ELDU, FREE, at.secs, at.va];

const cases: Case[] = [
  { row: 'ECREATE_TARGET', other: [Leaf.EPA, FREE], mine: [Leaf.ECREATE, FREE], call: ecreate },
  { row: 'EADD_TARGET', other: [Leaf.EPA, FREE], mine: EADD, call: eadd },
  { row: 'EADD_SECS', other: [Leaf.EREMOVE, at.secsB], mine: EADD, call: eadd },
  { row: 'EADD_MEASURE', other: EEXTEND, mine: EADD, call: eadd },
  { row: 'EEXTEND_TARGET', other: [Leaf.EREMOVE, at.pB], mine: EEXTEND, call: eextend },
  { row: 'EEXTEND_MEASURE', other: EADD, mine: EEXTEND, call: eextend },
  { row: 'EINIT_SECS', other: [Leaf.EREMOVE, at.secsB], mine: [Leaf.EINIT, at.secsB], call: einit },
  { row: 'EINIT_MEASURE', other: EADD, mine: [Leaf.EINIT, at.secsB], call: einit },
  { row: 'EREMOVE_TARGET', other: [Leaf.EBLOCK, at.p], mine: [Leaf.EREMOVE, at.p], call: eremove },
  { row: 'EREMOVE_OWNER', other: [Leaf.EREMOVE, at.q], mine: [Leaf.EREMOVE, at.p], call: eremove },
  { row: 'EPA_TARGET', other: [Leaf.ECREATE, FREE], mine: [Leaf.EPA, FREE], call: epa },
  { row: 'EBLOCK_TARGET', other: [Leaf.EREMOVE, at.p], mine: [Leaf.EBLOCK, at.p], call: eblock },
  { row: 'EBLOCK_OWNER', other: [Leaf.ETRACK, at.secs], mine: [Leaf.EBLOCK, at.p], call: eblock },
  { row: 'ETRACK_SECS', other: [Leaf.EREMOVE, at.secs], mine: [Leaf.ETRACK, at.secs], call: etrack },
  { row: 'ETRACK_TRACK', other: [Leaf.ETRACK, at.secs], mine: [Leaf.ETRACK, at.secs], call: etrack },
  { row: 'ETRACK_TRACK', other: EWB, mine: [Leaf.ETRACK, at.secs], call: etrack },
  { row: 'EWB_SOURCE', other: [Leaf.EBLOCK, at.p], mine: EWB, call: ewb, given: track },
  { row: 'EWB_VA', other: [Leaf.EREMOVE, at.va], mine: EWB, call: ewb, given: track },
  { row: 'EWB_OWNER', other: [Leaf.ETRACK, at.secs], mine: EWB, call: ewb, given: track },
  { row: 'ELDU_TARGET', other: [Leaf.EPA, FREE], mine: ELDU, call: eldu, given: save },
  { row: 'ELDU_VA', other: [Leaf.EREMOVE, at.va], mine: ELDU, call: eldu, given: save },
  { row: 'ELDU_SECS', other: [Leaf.EREMOVE, at.secs], mine: ELDU, call: eldu, given: save },
  { row: 'EENTER_TCS', other: [Leaf.EWB, at.tcs, -1, at.va], mine: [Leaf.EENTER, at.tcs], call: eenter },
  { row: 'EENTER_OWNER', other: [Leaf.EREMOVE, at.q], mine: [Leaf.EENTER, at.tcs], call: eenter },
  {
    row: 'ERESUME_TCS',
    other: [Leaf.EWB, at.tcs, -1, at.va],
    mine: [Leaf.ERESUME, at.tcs],
    call: eresume,
    given: thrownOut,
  },
  {
    row: 'ERESUME_OWNER',
    other: [Leaf.EREMOVE, at.q],
    mine: [Leaf.ERESUME, at.tcs],
    call: eresume,
    given: thrownOut,
  },
];

function acquire(hardware: HardwareModel, cpu: number, [leaf, page, secs = -1, va = -1]: Operands): number {
  return hardware.acquire(cpu, leaf, page, secs, va);
}

describe('conflict table', () => {
  test.each(cases)('$row', ({ row, other, mine, call, given }) => {
    const hardware = furnished();
    given?.(hardware);
    const result = conflictTable[row]?.result;
    expect(acquire(hardware, 1, other)).toBe(0);
    const before = snapshot(hardware);
    expect(acquire(hardware, 0, mine)).toBe(result);
    expect(call(hardware)).toBe(result);
    expect(snapshot(hardware)).toEqual(before);

    hardware.complete(1);
    expect(acquire(hardware, 0, mine)).toBe(0);
    expect(call(hardware)).toBe(0);
    hardware.complete(0);
    expect(acquire(hardware, 1, other)).toBe(0);
  });

  it('has no rows for exits', () => {
    expect([...conflictRowsOf(Leaf.EEXIT), ...conflictRowsOf(Leaf.AEX)]).toEqual([]);
  });
  it('gives a code to the leaves that Linux or a host repeats, and #GP to everybody else', () => {
    const coded = Object.values(conflictTable).filter(({ result }) => result !== GP);
    expect(new Set(coded.map(({ leaf }) => leafNames[leaf]))).toEqual(
      new Set(
        'EBLOCK ELDBC ELDUC ETRACKC EMODPR EMODT ERDINFO EUPDATESVN EDECVIRTCHILD EINCVIRTCHILD ESETCONTEXT'.split(
          ' ',
        ),
      ),
    );
    const others = coded.filter(({ result }) => result !== SgxCode.EPC_PAGE_CONFLICT);
    expect(others.map(({ leaf, result }) => [leafNames[leaf], result])).toEqual([
      ['EBLOCK', SgxCode.ENTRYEPOCH_LOCKED],
    ]);
  });
  it('is as long as the longest leaf allows', () => {
    const longest = Math.max(...Object.values(Leaf).map((leaf) => conflictRowsOf(leaf).length));
    expect(longest).toBeLessThanOrEqual(4);
  });
});

/** Two leaves and what the second gets, in both orders. */
describe('pairs whose outcome depends on who came first', () => {
  const { secsA, p, blocked1, restricted, new1, tcs1, pB, secsB, free1, va1 } = place;
  const on = (leaf: LeafId, page: number, secs = -1, va = -1): ArenaOperands => ({ leaf, page, secs, va });
  const C7 = SgxCode.EPC_PAGE_CONFLICT;
  const EXIT = ConflictExit;
  type Outcome = readonly [native: number, guest: number];
  const both = (result: number): Outcome => [result, result];
  const pairs: [first: ArenaOperands, second: ArenaOperands, second: Outcome, first: Outcome][] = [
    [on(Leaf.ETRACK, secsA), on(Leaf.EBLOCK, p), both(SgxCode.ENTRYEPOCH_LOCKED), both(0)],
    [on(Leaf.ETRACKC, p), on(Leaf.EBLOCK, blocked1), both(SgxCode.ENTRYEPOCH_LOCKED), both(0)],
    [on(Leaf.ETRACK, secsA), on(Leaf.ETRACKC, p), [C7, EXIT.TRACKING_RESOURCE], [GP, EXIT.TRACKING_RESOURCE]],
    [on(Leaf.ETRACK, secsA), on(Leaf.EWB, blocked1, -1, va1), both(GP), [GP, EXIT.TRACKING_RESOURCE]],
    [on(Leaf.ETRACKC, p), on(Leaf.EWB, blocked1, -1, va1), both(GP), [C7, EXIT.TRACKING_RESOURCE]],
    [on(Leaf.EREMOVE, p), on(Leaf.EENTER, tcs1), both(GP), both(0)],
    [on(Leaf.EMODT, restricted), on(Leaf.EMODPR, restricted), both(GP), [C7, EXIT.EPC_PAGE_ERROR]],
    [on(Leaf.EACCEPT, restricted), on(Leaf.EMODPR, restricted), both(C7), both(GP)],
    [on(Leaf.EMODPE, p), on(Leaf.EMODT, p), both(C7), both(GP)],
    [on(Leaf.EACCEPTCOPY, new1), on(Leaf.EREMOVE, new1), both(0), both(0)],
    [on(Leaf.EREMOVE, p), on(Leaf.ERDINFO, p), both(C7), [GP, EXIT.EPC_PAGE_EXCEPTION]],
    [on(Leaf.EREMOVE, p), on(Leaf.EINCVIRTCHILD, p, secsA), both(C7), [GP, EXIT.EPC_PAGE_EXCEPTION]],
    [on(Leaf.EADD, free1, secsB), on(Leaf.EEXTEND, pB, secsB), both(GP), both(GP)],
    [on(Leaf.EREMOVE, secsB), on(Leaf.EEXTEND, pB, secsB), both(0), both(0)],
    [
      on(Leaf.EPA, free1),
      on(Leaf.ELDUC, free1, secsA, va1),
      [C7, EXIT.EPC_PAGE_ERROR],
      [GP, EXIT.EPC_PAGE_EXCEPTION],
    ],
    [on(Leaf.EREMOVE, va1), on(Leaf.ELDUC, free1, secsA, va1), both(C7), [GP, EXIT.EPC_PAGE_EXCEPTION]],
    [on(Leaf.EWB, blocked1, -1, va1), on(Leaf.EWB, place.blocked2, -1, va1), both(0), both(0)],
  ];
  const named = pairs.map((pair) => [leafNames[pair[0].leaf], leafNames[pair[1].leaf], pair] as const);
  test.each(named)('%s and %s', (_first, _second, [first, second, later, reverse]) => {
    const cpuOf = ({ leaf }: ArenaOperands, outside: number) =>
      leaf >= Leaf.EACCEPT ? outside + 2 : outside;
    for (const inGuest of [false, true]) {
      const { hardware } = new Arena();
      for (let cpu = 0; cpu < 4; cpu++) hardware.setExtended(cpu, inGuest);
      const start = (cpu: number, { leaf, page, secs, va }: ArenaOperands) =>
        hardware.acquire(cpu, leaf, page, secs, va);
      expect(start(cpuOf(first, 1), first)).toBe(0);
      expect(start(cpuOf(second, 0), second)).toBe(later[Number(inGuest)]);
      hardware.complete(cpuOf(first, 1));
      hardware.complete(cpuOf(second, 0));
      expect(start(cpuOf(second, 0), second)).toBe(0);
      expect(start(cpuOf(first, 1), first)).toBe(reverse[Number(inGuest)]);
    }
  });
});

describe('EUPDATESVN', () => {
  const free = (h: HardwareModel) => h.acquire(1, Leaf.EUPDATESVN, -1, -1, -1);
  it('runs alone: any leaf that holds something refuses it', () => {
    for (const leaf of Object.values(Leaf)) {
      const { hardware } = new Arena();
      const isInside = [Leaf.EACCEPT, Leaf.EMODPE, Leaf.EACCEPTCOPY].some((other) => other === leaf);
      const page = leaf === Leaf.EACCEPTCOPY ? place.new1 : isInside ? place.p : place.blocked1;
      expect(hardware.acquire(isInside ? 2 : 0, leaf, page, place.secsA, place.va1)).toBe(0);
      const holdsNothing = [Leaf.EEXIT, Leaf.AEX, Leaf.EDECCSSA].some((other) => other === leaf);
      expect(free(hardware), leafNames[leaf]).toBe(holdsNothing ? 0 : SgxCode.EPC_PAGE_CONFLICT);
    }
  });
  it('keeps everybody from filling a page, and nobody from anything else', () => {
    const filling: readonly LeafId[] = [
      Leaf.ECREATE,
      Leaf.EADD,
      Leaf.EAUG,
      Leaf.EPA,
      Leaf.ELDB,
      Leaf.ELDU,
      Leaf.ELDBC,
      Leaf.ELDUC,
    ];
    for (const leaf of Object.values(Leaf)) {
      const { hardware } = new Arena();
      expect(free(hardware)).toBe(0);
      const result = hardware.acquire(0, leaf, place.free1, place.secsB, place.va1);
      if (leaf === Leaf.ELDBC || leaf === Leaf.ELDUC || leaf === Leaf.EUPDATESVN) {
        expect(result, leafNames[leaf]).toBe(SgxCode.EPC_PAGE_CONFLICT);
      } else expect(result, leafNames[leaf]).toBe(filling.includes(leaf) ? GP : 0);
    }
  });
  it('gives 7 before it says that the EPC is in use', () => {
    const { hardware } = new Arena();
    expect(hardware.eupdatesvn(0)).toBe(SgxCode.EPC_NOT_READY);
    hardware.acquire(1, Leaf.EBLOCK, place.p, -1, -1);
    expect(hardware.eupdatesvn(0)).toBe(SgxCode.EPC_PAGE_CONFLICT);
  });
});

describe('no conflict', () => {
  const pairs: [string, Operands, (h: HardwareModel) => number, ((h: HardwareModel) => void)?][] = [
    ['EBLOCK and EBLOCK of one page', [Leaf.EBLOCK, at.p], eblock],
    ['ETRACK during an EBLOCK', [Leaf.EBLOCK, at.p], etrack],
    ['two write-backs of one enclave into one VA page', [Leaf.EWB, at.q, -1, at.va], ewb, track],
    ['EEXTEND while the SECS is held', [Leaf.EREMOVE, at.secsB], eextend],
    ['EREMOVE of a child during EREMOVE of another enclave', [Leaf.EREMOVE, at.pB], eremove],
    ['leaves of other enclaves', [Leaf.ETRACK, at.secsB], eblock],
    ['EENTER during EBLOCK of its TCS', [Leaf.EBLOCK, at.tcs], eenter],
  ];
  test.each(pairs)('%s', (_name, other, call, given) => {
    const hardware = furnished();
    given?.(hardware);
    expect(acquire(hardware, 1, other)).toBe(0);
    expect(call(hardware)).toBe(0);
  });

  it('between the leaf and its own holds', () => {
    const hardware = furnished();
    track(hardware);
    expect(acquire(hardware, 0, EWB)).toBe(0);
    expect(ewb(hardware)).toBe(0);
    hardware.complete(0);
    expect(epa(hardware)).toBe(0);
  });

  it('for exits', () => {
    const hardware = furnished();
    eenter(hardware);
    acquire(hardware, 1, [Leaf.EREMOVE, at.tcs]);
    expect(hardware.aex(0)).toBe(true);
  });
});

describe('order of rows', () => {
  it('an earlier row wins over a conflict: the target is not free', () => {
    const hardware = furnished();
    acquire(hardware, 1, [Leaf.EREMOVE, at.secsB]);
    expect(hardware.acquire(0, Leaf.EADD, at.p, at.secsB, -1)).toBe(0);
    expect(hardware.eadd(0, at.p, at.secsB, BASE, REG_RW, 1)).toBe(PF);
  });
  it('an earlier row wins over a conflict: an operand is outside the EPC', () => {
    const hardware = furnished();
    acquire(hardware, 1, [Leaf.EPA, FREE]);
    expect(hardware.acquire(0, Leaf.EADD, FREE, -1, -1)).toBe(0);
    expect(hardware.eadd(0, FREE, -1, BASE, REG_RW, 1)).toBe(PF);
  });
  it('an earlier row wins over a conflict: the page is free', () => {
    const hardware = furnished();
    acquire(hardware, 1, EADD);
    expect(hardware.acquire(0, Leaf.EEXTEND, at.rest + 1, at.secsB, -1)).toBe(0);
    expect(hardware.eextend(0, at.rest + 1, at.secsB, 0)).toBe(PF);
  });
  it('an earlier row wins over a conflict: EEXTEND of a trimmed page', () => {
    const hardware = furnished();
    hardware.emodt(0, at.p, PageType.TRIM << SecInfo.TYPE_SHIFT);
    acquire(hardware, 1, [Leaf.EADD, FREE, at.secs]);
    expect(hardware.acquire(0, Leaf.EEXTEND, at.p, at.secs, -1)).toBe(0);
    expect(hardware.eextend(0, at.p, at.secs, 0)).toBe(PF);
  });
  it('an earlier row wins over a conflict: EWB of a page into itself', () => {
    const { hardware } = new Arena();
    hardware.setExtended(0, true);
    hardware.acquire(1, Leaf.EREMOVE, place.va1, -1, -1);
    expect(hardware.acquire(0, Leaf.EWB, place.va1, -1, place.va1)).toBe(0);
    expect(hardware.ewb(0, place.va1, place.va1, 0, newBlob())).toBe(GP);
  });
  it('an earlier row wins over a conflict: EMODPE of a page that nobody has accepted', () => {
    const { hardware } = new Arena();
    hardware.acquire(3, Leaf.EACCEPT, place.new1, -1, -1);
    expect(hardware.acquire(2, Leaf.EMODPE, place.new1, -1, -1)).toBe(0);
    expect(hardware.emodpe(2, place.new1, BASE + place.new1, REG_RW)).toBe(PF);
    expect(hardware.eacceptcopy(2, place.new1, BASE + place.new1, place.p, BASE + place.p, REG_RW)).toBe(GP);
  });
  it('a later row loses: EPA of a valid page that is busy', () => {
    const hardware = furnished();
    acquire(hardware, 1, [Leaf.EBLOCK, at.p]);
    expect(hardware.epa(0, at.p)).toBe(GP);
  });
  it('a SECS can be evicted only when it is free of holds', () => {
    const hardware = furnished();
    clear(hardware);
    acquire(hardware, 1, [Leaf.ETRACK, at.secsB]);
    expect(hardware.ewb(0, at.secsB, at.va, 0, newBlob())).toBe(GP);
    hardware.complete(1);
    expect(hardware.ewb(0, at.secsB, at.va, 0, newBlob())).toBe(0);
  });
});

describe('acquire and complete', () => {
  it('a refused acquire holds nothing', () => {
    const hardware = furnished();
    acquire(hardware, 1, [Leaf.EREMOVE, at.secsB]);
    expect(acquire(hardware, 0, EADD)).toBe(GP);
    expect(hardware.epa(2, FREE)).toBe(0);
  });
  it('a processor runs one leaf at a time', () => {
    const hardware = furnished();
    acquire(hardware, 0, [Leaf.EBLOCK, at.p]);
    expect(() => acquire(hardware, 0, [Leaf.EBLOCK, at.q])).toThrow(HardwareMisuse);
  });
  it('complete without acquire is harmless', () => {
    const hardware = furnished();
    hardware.complete(0);
    expect(eblock(hardware)).toBe(0);
  });
  it('power loss gives everything back', () => {
    const hardware = furnished();
    acquire(hardware, 1, [Leaf.EPA, FREE]);
    hardware.powerCycle();
    expect(epa(hardware)).toBe(0);
  });
});
