import type { LeafId, LeafResult } from '@epckit/interface';
import { Leaf, LeafFault, SgxCode } from '@epckit/interface';

/** What a running leaf holds on a page, one bit each. */
export const Hold = {
  /** base access, shared */
  SHARED: 1,
  /** base access, exclusive */
  EXCLUSIVE: 2,
  /** family B of a SECS: EADD, EEXTEND, EINIT */
  MEASURE: 4,
  /** family C of a SECS: ETRACK */
  TRACK: 8,
  /** family C of a SECS as EWB uses it: write-backs tolerate each other, not an ETRACK */
  WRITE_BACK: 16,
  /** child counter of a SECS: EREMOVE of a child */
  REMOVE: 32,
} as const;

/** Which operand a row of the table is about. */
export const Operand = {
  /** main operand: RCX, for entries the TCS */
  PAGE: 0,
  /** SECS given as an operand */
  SECS: 1,
  /** VA page */
  VA: 2,
  /** SECS that owns the main operand, if that is a valid child page */
  OWNER: 3,
} as const;

/** What must hold before the leaf reaches a row at all; otherwise it has ended at an earlier row. */
export const Reached = {
  /** nothing: the row is the first of its leaf, or follows another lock row */
  ALWAYS: 0,
  /** the main operand is a free page */
  PAGE_FREE: 1,
  /** the main operand is a valid SECS */
  PAGE_SECS: 2,
  /** the main operand is a valid child of the SECS operand */
  PAGE_OWNED: 4,
  /** the SECS operand is a valid SECS */
  SECS_VALID: 8,
  /** the VA operand is a valid VA page */
  VA_VALID: 16,
} as const;

/** One row of the concurrency table. */
export interface ConflictRow {
  /** Leaf that the row belongs to. */
  readonly leaf: LeafId;
  /** {@link Operand}. */
  readonly operand: number;
  /** {@link Hold} taken by the leaf, `0` if it only looks. */
  readonly holds: number;
  /** {@link Hold} bits of another logical processor that refuse the leaf. */
  readonly refusedBy: number;
  /** Outcome of the refused leaf. */
  readonly result: LeafResult;
  /** Bits of {@link Reached}. */
  readonly reached: number;
}

const { SHARED, EXCLUSIVE, MEASURE, TRACK, WRITE_BACK, REMOVE } = Hold;
const { PAGE, SECS, VA, OWNER } = Operand;
const { ALWAYS, PAGE_FREE, PAGE_SECS, PAGE_OWNED, SECS_VALID, VA_VALID } = Reached;
const { GP } = LeafFault;

function row(
  leaf: LeafId,
  operand: number,
  holds: number,
  refusedBy: number,
  result: LeafResult,
  reached: number = ALWAYS,
): ConflictRow {
  return Object.freeze({ leaf, operand, holds, refusedBy, result, reached });
}
function exclusive(leaf: LeafId, operand: number, result: LeafResult): ConflictRow {
  return row(leaf, operand, EXCLUSIVE, SHARED | EXCLUSIVE, result);
}
function shared(leaf: LeafId, operand: number, result: LeafResult, reached: number = ALWAYS): ConflictRow {
  return row(leaf, operand, SHARED, EXCLUSIVE, result, reached);
}

/** Rows by name, for the leaves; the name is the leaf and what the row is about. */
export const ConflictRows = {
  ECREATE_TARGET: exclusive(Leaf.ECREATE, PAGE, GP),
  EADD_TARGET: exclusive(Leaf.EADD, PAGE, GP),
  EADD_SECS: shared(Leaf.EADD, SECS, GP, PAGE_FREE),
  EADD_MEASURE: row(Leaf.EADD, SECS, MEASURE, MEASURE, GP, PAGE_FREE | SECS_VALID),
  EEXTEND_TARGET: shared(Leaf.EEXTEND, PAGE, GP),
  EEXTEND_MEASURE: row(Leaf.EEXTEND, SECS, MEASURE, MEASURE, GP, PAGE_OWNED),
  EINIT_SECS: shared(Leaf.EINIT, PAGE, GP),
  EINIT_MEASURE: row(Leaf.EINIT, PAGE, MEASURE, MEASURE, GP, PAGE_SECS),
  EREMOVE_TARGET: exclusive(Leaf.EREMOVE, PAGE, GP),
  EREMOVE_OWNER: row(Leaf.EREMOVE, OWNER, REMOVE, REMOVE, GP),
  EPA_TARGET: exclusive(Leaf.EPA, PAGE, GP),
  EBLOCK_TARGET: shared(Leaf.EBLOCK, PAGE, SgxCode.EPC_PAGE_CONFLICT),
  EBLOCK_OWNER: row(Leaf.EBLOCK, OWNER, 0, TRACK, SgxCode.ENTRYEPOCH_LOCKED),
  ETRACK_SECS: shared(Leaf.ETRACK, PAGE, GP),
  ETRACK_TRACK: row(Leaf.ETRACK, PAGE, TRACK, TRACK | WRITE_BACK, GP),
  EWB_SOURCE: exclusive(Leaf.EWB, PAGE, GP),
  EWB_VA: shared(Leaf.EWB, VA, GP),
  EWB_OWNER: row(Leaf.EWB, OWNER, WRITE_BACK, TRACK, GP, VA_VALID),
  ELDU_TARGET: exclusive(Leaf.ELDU, PAGE, GP),
  ELDU_VA: shared(Leaf.ELDU, VA, GP),
  ELDU_SECS: shared(Leaf.ELDU, SECS, GP, PAGE_FREE | VA_VALID),
  EENTER_TCS: shared(Leaf.EENTER, PAGE, GP),
  EENTER_OWNER: row(Leaf.EENTER, OWNER, 0, REMOVE, GP),
  ERESUME_TCS: shared(Leaf.ERESUME, PAGE, GP),
  ERESUME_OWNER: row(Leaf.ERESUME, OWNER, 0, REMOVE, GP),
} as const;

/**
 * The concurrency table (SDM vol. 3D, concurrency restrictions of each leaf), native column: rows of one leaf in
 * the order in which the leaf reaches them. Decisions where the SDM contradicts itself or is silent:
 *
 * - ETRACK against ETRACK faults with #GP (operation text), not code 7 (table);
 * - EWB against ETRACK faults with #GP, in both directions; two EWBs of one enclave do not conflict;
 * - EBLOCK during an ETRACK gets code 15, ETRACK during an EBLOCK passes;
 * - EREMOVE of two children of one SECS, and an entry during an EREMOVE of its enclave, fault with #GP.
 */
export const conflictTable: Readonly<Record<string, ConflictRow>> = Object.freeze({ ...ConflictRows });

const rowsByLeaf = new Map<LeafId, ConflictRow[]>();
for (const entry of Object.values(ConflictRows)) {
  const known = rowsByLeaf.get(entry.leaf);
  if (known === undefined) rowsByLeaf.set(entry.leaf, [entry]);
  else known.push(entry);
}
const NO_ROWS: readonly ConflictRow[] = [];

/** Rows of one leaf in their order; empty for a leaf that conflicts with nothing (EEXIT, AEX). */
export function conflictRowsOf(leaf: LeafId): readonly ConflictRow[] {
  return rowsByLeaf.get(leaf) ?? NO_ROWS;
}
