import type { LeafId, LeafResult } from '@epckit/interface';
import { ConflictExit, Leaf, LeafFault, SgxCode } from '@epckit/interface';
import { describe, expect, it } from 'vitest';
import type { OversubRecipes } from '../../src/index.js';
import { CONFLICT_REENTER, kvmOversub } from '../../src/index.js';
import type { Cell } from './program.js';
import { building, Program } from './program.js';

const SECS: Cell = { section: 0, page: 0 };
const THREAD: Cell = { section: 0, page: 1 };
const DATA: Cell = { section: 1, page: 1 };
const { TRACKING_RESOURCE, TRACKING_REFERENCE, EPC_PAGE_EXCEPTION, EPC_PAGE_ERROR } = ConflictExit;

function built(recipes: OversubRecipes = {}): Program {
  const program = new Program({ recipes });
  for (const it of building) program.step(it);
  return program;
}

/** One exit about the SECS. */
function exit(program: Program, code: LeafResult, leaf: LeafId): LeafResult {
  const { stack } = program;
  const operand = program.at(SECS);
  const page = operand.vepc.pages.get(SECS.page);
  const context = page < 0 ? 0 : stack.hardware.enclaveContext(page);
  const conflict = { exit: code, leaf, operand, context };
  return stack.run(stack.oversub.conflicts.handle(stack.thread(), stack.vm, conflict));
}

const rows: readonly { readonly code: LeafResult; readonly leaf: LeafId; readonly told: LeafResult }[] = [
  { code: EPC_PAGE_EXCEPTION, leaf: Leaf.EREMOVE, told: LeafFault.GP },
  { code: EPC_PAGE_EXCEPTION, leaf: Leaf.ELDU, told: LeafFault.GP },
  { code: EPC_PAGE_ERROR, leaf: Leaf.ELDUC, told: SgxCode.EPC_PAGE_CONFLICT },
  { code: TRACKING_RESOURCE, leaf: Leaf.ETRACK, told: LeafFault.GP },
  { code: TRACKING_RESOURCE, leaf: Leaf.ETRACKC, told: SgxCode.EPC_PAGE_CONFLICT },
  { code: TRACKING_REFERENCE, leaf: Leaf.ETRACK, told: SgxCode.PREV_TRK_INCMPL },
  { code: TRACKING_REFERENCE, leaf: Leaf.ETRACKC, told: SgxCode.PREV_TRK_INCMPL },
];

describe('a conflict exit', () => {
  for (const { code, leaf, told } of rows) {
    it(`code ${(code >> 8) & 3} of leaf ${leaf}: delivered while the host is idle (S-14)`, () => {
      const program = built();
      expect(exit(program, code, leaf)).toBe(told);
      expect(program.stack.oversub.conflicts).toMatchObject({ reentered: 0, delivered: 1 });
    });

    it(`code ${(code >> 8) & 3} of leaf ${leaf}: repeated once after the host has tracked (S-13)`, () => {
      const program = built();
      program.stack.evict(program.at(DATA));
      expect([1, 2, 3].map(() => exit(program, code, leaf))).toEqual([CONFLICT_REENTER, told, told]);
      expect(program.stack.violations()).toEqual([]);
    });
  }

  it('is repeated as long as the host works on a child of the SECS, and once afterwards', () => {
    const program = built();
    program.stack.evict(program.at(DATA));
    const { records } = program.stack.instance(program.sections[0]);
    const etrack = () => exit(program, TRACKING_RESOURCE, Leaf.ETRACK);
    records.addPins(SECS.page, 1);
    expect([etrack(), etrack()]).toEqual([CONFLICT_REENTER, CONFLICT_REENTER]);
    records.addPins(SECS.page, -1);
    expect([etrack(), etrack()]).toEqual([CONFLICT_REENTER, LeafFault.GP]);
    expect(program.stack.oversub.conflicts).toMatchObject({ reentered: 3, pinned: 2, delivered: 1 });
    expect(program.stack.violations()).toEqual([]);
  });

  it('is repeated once in the published branch, whatever the host does', () => {
    const program = built(kvmOversub);
    program.stack.evict(program.at(DATA));
    program.stack.instance(program.sections[0]).records.addPins(SECS.page, 1);
    const etrack = () => exit(program, TRACKING_RESOURCE, Leaf.ETRACK);
    expect([etrack(), etrack()]).toEqual([CONFLICT_REENTER, LeafFault.GP]);
  });

  it('about a cycle of the host throws the virtual CPUs out, and the guest sees its own ETRACK succeed', () => {
    const program = built();
    const { stack, guest } = program;
    const [first, second] = [stack.thread(0), stack.thread(1)];
    const enter = () => stack.run(guest.eenter(second, program.at(THREAD), 0x1000), 1);
    expect(enter()).toBe(0);
    // The host begins a cycle while CPU 1 is inside, and is not done yet.
    const secs = program.at(SECS).vepc.pages.get(0);
    expect(stack.hardware.etrackc(2, secs)).toBe(0);
    stack.instance(program.sections[0]).marks.set(0, 3);
    expect(stack.hardware.insideOf(1)).toBe(secs);
    expect(stack.run(guest.etrack(first, program.at(SECS)))).toBe(0);
    expect(stack.hardware.insideOf(1)).toBe(-1);
    // Its own second one is its own affair.
    expect(enter()).toBe(0);
    expect(stack.run(guest.etrack(first, program.at(SECS)))).toBe(0);
    expect(enter()).toBe(LeafFault.GP);
    expect(stack.run(guest.etrack(first, program.at(SECS)))).toBe(SgxCode.PREV_TRK_INCMPL);
    expect(stack.oversub.conflicts).toMatchObject({ reentered: 1, delivered: 1 });
  });

  it('about nothing that the host knows is delivered', () => {
    const { stack } = built();
    const conflict = { exit: TRACKING_RESOURCE, leaf: Leaf.ETRACK, operand: null, context: 4096 };
    expect(stack.run(stack.oversub.conflicts.handle(stack.thread(), stack.vm, conflict))).toBe(LeafFault.GP);
    const page = { ...conflict, exit: EPC_PAGE_ERROR };
    expect(stack.run(stack.oversub.conflicts.handle(stack.thread(), stack.vm, page))).toBe(
      SgxCode.EPC_PAGE_CONFLICT,
    );
  });
});

describe('the ladder', () => {
  it('throws a virtual CPU out that is inside the enclave, and writes then', () => {
    const program = built();
    const { stack, guest } = program;
    expect(stack.run(guest.eenter(stack.thread(1), program.at(THREAD), 0x1000), 1)).toBe(0);
    stack.log.clear();
    expect(stack.evict(program.at(DATA))).toBe(0);
    const page = stack.log.leaves.find((line) => line.startsWith('EBLOCK'))?.split(' ')[1];
    expect(stack.log.leaves.filter((line) => !line.startsWith('ERDINFO'))).toEqual([
      `EBLOCK ${page}`,
      `EINCVIRTCHILD ${page}`,
      `EWB ${page} 11`,
      expect.stringMatching(/^ETRACKC \d+$/),
      `EWB ${page} 11`,
      expect.stringMatching(/^AEX/),
      `EWB ${page}`,
    ]);
    expect(stack.violations()).toEqual([]);
  });
});
