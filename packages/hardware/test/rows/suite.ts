import type { Outcome } from '@epckit/hardware';
import { Vector } from '@epckit/hardware';
import { describe, expect, it } from 'vitest';
import type { World, WorldOptions } from './world.js';
import { createWorld, run, snapshot } from './world.js';

/** Does something to a world. */
export type Act = (w: World) => unknown;

/** How an instruction must end. */
export type Expected =
  | { readonly is: 'done'; readonly code: number | null; readonly flag: 'zf' | 'cf' | null }
  | { readonly is: 'abort' }
  | {
      readonly is: 'fault';
      readonly vector: number;
      readonly cr2: ((w: World) => bigint) | null;
      readonly sgx: boolean;
    }
  | { readonly is: 'exit'; readonly reason: number; readonly code: number; readonly error: number };

/** Completed; RAX is 0 and all flags are clear. */
export const ok: Expected = { is: 'done', code: 0, flag: null };
/** Completed; RAX and flags are not looked at, or untouched where the suite is silent. */
export const done: Expected = { is: 'done', code: null, flag: null };
/** A code with ZF. */
export const zf = (code: number): Expected => ({ is: 'done', code, flag: 'zf' });
/** A code with CF. */
export const cf = (code: number): Expected => ({ is: 'done', code, flag: 'cf' });
const fault = (vector: number): Expected => ({ is: 'fault', vector, cr2: null, sgx: false });
export const gp = fault(Vector.GP);
export const ud = fault(Vector.UD);
export const nm = fault(Vector.NM);
export const abort: Expected = { is: 'abort' };
/** A page fault that the EPCM or "not EPC" causes; CR2 is what the register held. */
export const pf = (cr2: (w: World) => bigint): Expected => ({
  is: 'fault',
  vector: Vector.PF,
  cr2,
  sgx: true,
});
/** An ordinary page fault. */
export const ordinary = (cr2: (w: World) => bigint): Expected => ({
  is: 'fault',
  vector: Vector.PF,
  cr2,
  sgx: false,
});
export const exit = (reason: number, code = 0, error = 0): Expected => ({ is: 'exit', reason, code, error });

export const rbx = (w: World): bigint => w.registers.rbx;
export const rcx = (w: World): bigint => w.registers.rcx;
export const rdx = (w: World): bigint => w.registers.rdx;

/** One test of one row. */
export interface RowCase {
  /** Number of the row in its table, such as `12a`. */
  readonly row: number | string;
  /** What is wrong, or what the row does. */
  readonly what: string;
  /** Before the instruction is set up; part of both worlds. */
  readonly given?: Act;
  /** After the instruction is set up; part of both worlds. */
  readonly also?: Act;
  /** The row's one defect; the world without it gets past the row. */
  readonly defect?: Act;
  /** What makes the defect good in the other world, for defects that are the lack of something. */
  readonly cure?: Act;
  /** Features of both worlds, and of the defective one only. */
  readonly features?: WorldOptions['features'];
  readonly defectFeatures?: WorldOptions['features'];
  readonly world?: WorldOptions;
  readonly outcome: Expected;
  /** How the instruction ends without the defect; success if left out. */
  readonly without?: Expected;
  /** For rows that are a success: what has happened. Nothing is said about a world without the row then. */
  readonly effect?: Act;
  /** Does the leaf change hidden state although it fails? Then only the outcome is compared. */
  readonly isOutcomeOnly?: boolean;
}

/** All rows of one table. */
export interface RowSuite {
  /** Name of the table: the leaf, or `4.1 ENCLS`. */
  readonly table: string;
  /** Sets up an instruction that succeeds. */
  readonly call: Act;
  /** Does success leave RAX and flags alone? */
  readonly isSilent?: boolean;
  /** How success looks where it is neither code 0 nor silence. */
  readonly success?: Expected;
  readonly cases: readonly RowCase[];
}

/** Name of a row in the listing. */
export const rowName = (suite: Pick<RowSuite, 'table'>, row: number | string): string =>
  `${suite.table} ${row}`;
/** Name of the test of a case. */
export const testName = (suite: RowSuite, { row, what }: RowCase): string =>
  `${rowName(suite, row)}: ${what}`;

/** A world before the instruction, with or without the defect of a case. */
export function prepared(suite: RowSuite, test: RowCase, isDefective: boolean): World {
  const features = { ...test.features, ...test.world?.features, ...(isDefective ? test.defectFeatures : {}) };
  const w = createWorld({ ...test.world, features });
  test.given?.(w);
  suite.call(w);
  test.also?.(w);
  if (isDefective) test.defect?.(w);
  else test.cure?.(w);
  return w;
}

const ALL_FLAGS = { zf: true, cf: true, pf: true, af: true, of: true, sf: true };
const NO_FLAGS = { zf: false, cf: false, pf: false, af: false, of: false, sf: false };

/** Compares how an instruction ended, with the registers that it had before. */
function expectOutcome(w: World, outcome: Outcome, expected: Expected, isSilent: boolean, rax: bigint): void {
  if (expected.is !== 'done') {
    expectTrap(outcome, expected);
    return;
  }
  expect(outcome).toEqual({ kind: 'done' });
  if (isSilent) {
    expect(w.registers.rax).toBe(rax);
    expect(w.registers.flags).toEqual(ALL_FLAGS);
  } else if (expected.code !== null) {
    expect(w.registers.rax).toBe(BigInt(expected.code));
    expect(w.registers.flags).toEqual(
      expected.flag === null ? NO_FLAGS : { ...NO_FLAGS, [expected.flag]: true },
    );
  }
}

function expectTrap(outcome: Outcome, expected: Exclude<Expected, { is: 'done' }>): void {
  if (expected.is === 'abort') expect(outcome).toEqual({ kind: 'abort' });
  else if (expected.is === 'fault') expect(outcome).toMatchObject({ kind: 'fault', vector: expected.vector });
  else {
    const { reason, code, error } = expected;
    expect(outcome).toMatchObject({ kind: 'exit', reason, code, error });
  }
}

function resolved(expected: Expected, w: World): Expected {
  if (expected.is !== 'fault' || expected.cr2 === null) return expected;
  const cr2 = expected.cr2(w);
  return { ...expected, cr2: () => cr2 };
}

/** CR2 and the SGX bit of a page fault; inside an enclave the low bits of CR2 are gone. */
function expectAddress(w: World, outcome: Outcome, expected: Expected): void {
  if (expected.is !== 'fault' || expected.vector !== Vector.PF || outcome.kind !== 'fault') return;
  const address = expected.cr2?.(w) ?? 0n;
  expect(outcome.cr2).toBe(outcome.isExit ? address & ~0xfffn : address);
  expect((outcome.errorCode & 0x8000) !== 0).toBe(expected.sgx);
}

function expectUnchanged(suite: RowSuite, test: RowCase, w: World, outcome: Outcome, before: unknown): void {
  if (outcome.kind !== 'fault' || !outcome.isExit) {
    expect(snapshot(w)).toEqual(before);
    return;
  }
  // A fault inside an enclave is an asynchronous exit: all that may have changed is what an interrupt changes.
  const twin = prepared(suite, test, true);
  expect(twin.processor.interrupt(0, twin.registers)).toBe(true);
  expect(snapshot(w)).toEqual(snapshot(twin));
}

/** Runs an instruction that must end as a case says. */
export function expectOutcomeOf(suite: RowSuite, test: RowCase, w: World, act: () => Outcome): Outcome {
  const { rax } = w.registers;
  const expected = resolved(test.outcome, w);
  const outcome = act();
  expectOutcome(w, outcome, expected, suite.isSilent === true, rax);
  expectAddress(w, outcome, expected);
  return outcome;
}

/** Runs the case as it is: the row decides, nothing has changed. */
function expectRow(suite: RowSuite, test: RowCase): void {
  const w = prepared(suite, test, true);
  const before = snapshot(w);
  const registers = structuredClone(w.registers);
  const outcome = expectOutcomeOf(suite, test, w, () => run(w));
  if (outcome.kind !== 'done' && !(outcome.kind === 'fault' && outcome.isExit)) {
    expect(w.registers).toEqual(registers);
  }
  if (test.effect !== undefined) return void test.effect(w);
  if (test.isOutcomeOnly !== true) expectUnchanged(suite, test, w, outcome, before);
}

/** Runs the case without its defect: the leaf gets past the row. */
function expectPast(suite: RowSuite, test: RowCase): void {
  const w = prepared(suite, test, false);
  const { rax } = w.registers;
  const expected = resolved(test.without ?? suite.success ?? (suite.isSilent === true ? done : ok), w);
  const outcome = run(w);
  expectOutcome(w, outcome, expected, suite.isSilent === true, rax);
  expectAddress(w, outcome, expected);
}

/** Makes the tests of a table. */
export function testRows(suite: RowSuite): void {
  describe(suite.table, () => {
    for (const test of suite.cases) {
      it(testName(suite, test), () => {
        expectRow(suite, test);
        if (test.effect === undefined) expectPast(suite, test);
      });
    }
  });
}
